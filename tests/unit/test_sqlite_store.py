from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from lineage.errors import (
    ReadOnlyStoreError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreNewerError,
)
from lineage.model.envelope import Actor
from lineage.model.ids import artifact_id, run_id, with_version
from lineage.settings import load_settings
from lineage.store.contract import Direction, NewEntry, View
from lineage.store.sqlite import SqliteStore, connection
from lineage.store.sqlite import digest as digests
from lineage.store.sqlite import store as sqlite_store
from lineage.testing.builders import attribute, generated, used
from lineage.testing.plain import again, entry_of, interpret
from lineage.wiring import require_key

TABLE = artifact_id("n", "t")
HEAD = View(1 << 60)


def _entries(start: int, count: int = 5) -> list[NewEntry]:
    entries = []
    for n in range(start, start + count):
        run = run_id("jobs", "j", str(n))
        claims = used(TABLE, run, n) if n % 2 else generated(run, with_version(TABLE, f"{n}.a"), n)
        entries.append(entry_of(claims, event_id=str(n)))
    return entries


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(path, interpret)
    yield made
    made.close()


def _pragma(path: Path, sql: str) -> None:
    other = apsw.Connection(str(path))
    list(other.execute(sql))
    other.close()


# --- opening


def test_what_was_appended_is_there_when_opened_again(store: SqliteStore, path: Path) -> None:
    store.append(_entries(0))
    digest = store.digest()
    store.close()
    opened = SqliteStore(path, interpret)
    assert opened.digest() == digest
    assert [receipt.new for receipt in opened.append(_entries(0))] == [False] * 5
    opened.close()


@pytest.mark.parametrize(
    "contents", [b"hello, world" * 1000, b"\x00" * 5000, b"SQLite format 3\x00"]
)
def test_garbage_is_said_to_be_damaged(path: Path, contents: bytes) -> None:
    path.write_bytes(contents)
    for read_only in (False, True):
        with pytest.raises(StoreDamagedError) as caught:
            SqliteStore(path, interpret, read_only=read_only)
        assert caught.value.hint
    assert path.read_bytes() == contents


def test_somebody_elses_database_is_left_alone(path: Path) -> None:
    _pragma(path, "CREATE TABLE theirs(x)")
    before = path.read_bytes()
    with pytest.raises(StoreDamagedError, match="not a store"):
        SqliteStore(path, interpret)
    assert path.read_bytes() == before


def test_a_damaged_page_is_said_to_be_damaged(store: SqliteStore, path: Path) -> None:
    for start in range(0, 500, 50):
        store.append(_entries(start, 50))
    store.close()
    data = bytearray(path.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 64] = b"\xff" * 64
    path.write_bytes(data)
    with pytest.raises(StoreDamagedError):  # noqa: PT012 # which read meets it first is open
        opened = SqliteStore(path, interpret)
        opened.digest()


def test_a_newer_store_that_can_be_read_is_read_only(store: SqliteStore, path: Path) -> None:
    store.append(_entries(0))
    digest = store.digest()
    store.close()
    _pragma(path, "PRAGMA user_version=99")
    for read_only in (False, True):
        newer = SqliteStore(path, interpret, read_only=read_only)
        assert newer.read_only
        assert newer.digest() == digest
        with pytest.raises(ReadOnlyStoreError):
            newer.append(_entries(9))
        newer.close()


def test_a_newer_store_that_cannot_be_read_is_refused(store: SqliteStore, path: Path) -> None:
    store.close()
    _pragma(path, "PRAGMA user_version=99")
    _pragma(path, "UPDATE meta SET value=98 WHERE key='readable_from'")
    for read_only in (False, True):
        with pytest.raises(StoreNewerError) as caught:
            SqliteStore(path, interpret, read_only=read_only)
        assert "upgrade" in caught.value.hint


def test_a_store_to_read_must_be_there(path: Path) -> None:
    with pytest.raises(StoreError, match="no store"):
        SqliteStore(path, interpret, read_only=True)
    assert not path.exists()


@pytest.mark.parametrize("begun", ["", "PRAGMA journal_mode=WAL"])
def test_a_store_that_is_only_being_made_is_not_there_yet(tmp_path: Path, begun: str) -> None:
    path = load_settings({"LINEAGE_HOME": str(tmp_path)}).store_path
    path.touch()
    _pragma(path, begun)
    with pytest.raises(StoreError, match="no store"):
        SqliteStore(path, interpret, read_only=True)
    require_key(load_settings({"LINEAGE_HOME": str(tmp_path)}))
    SqliteStore(path, interpret).close()
    SqliteStore(path, interpret, read_only=True).close()


def test_a_read_only_store_sees_what_others_append(store: SqliteStore, path: Path) -> None:
    reader = SqliteStore(path, interpret, read_only=True)
    store.append(_entries(0))
    assert reader.head() == store.head()
    with pytest.raises(ReadOnlyStoreError):
        reader.append(_entries(9))
    reader.close()


def test_a_store_on_a_medium_that_cannot_be_written(store: SqliteStore, path: Path) -> None:
    store.append(_entries(0))
    digest = store.digest()
    store.close()
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        reader = SqliteStore(path, interpret, read_only=True)
        assert reader.digest() == digest
        reader.close()
    finally:
        path.parent.chmod(0o700)


@pytest.fixture
def outsider(store: SqliteStore, path: Path) -> Iterator[SqliteStore]:
    """The store as one opened it who cannot make what WAL needs beside it, while nobody wrote."""
    store.append(_entries(0))
    store.close()
    wal = path.with_name(f"{path.name}-wal")
    wal.symlink_to(path.parent / "missing" / "wal")
    reader = SqliteStore(path, interpret, read_only=True)
    assert reader.head().seq == 5
    wal.unlink()
    yield reader
    reader.close()


def _append_more(path: Path) -> None:
    """Record as a service does, from its start to its end."""
    writer = SqliteStore(path, interpret)
    writer.append(_entries(5))
    writer.close()


def test_an_outsider_sees_what_was_appended_since(outsider: SqliteStore, path: Path) -> None:
    _append_more(path)
    assert outsider.head().seq == 10


def test_an_outsider_sees_what_a_writer_has_not_put_into_the_file_yet(
    outsider: SqliteStore, path: Path
) -> None:
    writer = SqliteStore(path, interpret)
    writer.append(_entries(5))
    assert outsider.head().seq == 10
    writer.close()


def test_what_an_outsider_reads_while_the_file_is_written_to_is_not_believed(
    outsider: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = digests.digest

    def meanwhile(connection: apsw.Connection, *, recorded: bool) -> str:
        _append_more(path)
        return digest(connection, recorded=recorded)

    with monkeypatch.context() as patched:
        patched.setattr(digests, "digest", meanwhile)
        with pytest.raises(StoreBusyError, match="written to"):
            outsider.digest()
    again = SqliteStore(path, interpret, read_only=True)
    assert outsider.digest() == again.digest()
    again.close()


def test_a_closed_store_says_so(store: SqliteStore) -> None:
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.head()


# --- several at once


def test_two_stores_on_one_file_append_in_turns(store: SqliteStore, path: Path) -> None:
    """Each sees the names that the other made, and what resolves to them."""
    other = SqliteStore(path, interpret)
    for n in range(0, 60, 3):
        (store, other)[n % 2].append(_entries(n, 3))
    assert store.head().seq == 60
    assert store.digest() == other.digest()
    rebuilt = SqliteStore(path.with_name("again.db"), interpret)
    rebuilt.append([again(entry) for entry in store.entries()])
    assert rebuilt.digest() == store.digest()
    rebuilt.close()
    other.close()


def test_what_another_process_interned_for_nothing_new_is_no_trap(
    store: SqliteStore, path: Path
) -> None:
    """A batch of nothing but known entries leaves no trace, also none in the names."""
    other = SqliteStore(path, interpret)
    store.append(_entries(0))
    before = path.stat().st_mtime_ns, store.head()
    stranger = [replace(entry, actor=Actor("person:x", "y")) for entry in _entries(0)]
    assert not any(receipt.new for receipt in other.append(stranger))
    assert (path.stat().st_mtime_ns, store.head()) == before
    named = entry_of(attribute(TABLE, "another name", "x", 1), source="another source")
    assert store.append([named])[0].seq == 6
    assert other.append([replace(_entries(7)[0], actor=Actor("person:x", "y"))])[0].seq == 7
    assert [entry.actor.id for entry in store.entries(6)] == ["person:x"]
    other.close()


_WRITER = """
import sys
from pathlib import Path
from lineage.store.sqlite import SqliteStore
from lineage.testing.builders import attribute, generated, used
from lineage.testing.plain import entry_of, interpret
from lineage.model.envelope import Actor
from lineage.model.ids import artifact_id, run_id, with_version

store, me = SqliteStore(Path(sys.argv[1]), interpret), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for n in range(150):
    table = artifact_id("n", f"t{n % 5}")
    run = run_id("jobs", me, str(n))
    entries = [
        entry_of(generated(run, with_version(table, f"{n}.{me}"), n), source=me),
        entry_of(used(table, run, n), source=me),
        entry_of(attribute(table, "rows", str(n), n), source="both", event_id=str(n)),
    ]
    print(*(receipt.seq for receipt in store.append(entries)), flush=True)
"""


def test_processes_append_without_gap(tmp_path: Path, path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for name in ("a", "b", "c")
    ]  # fmt: skip
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    told = [writer.communicate(timeout=120)[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    store = SqliteStore(path, interpret)
    assert store.head().seq == 150 * 7  # the third entry is the same from all three
    assert [entry.seq for entry in store.entries()] == list(range(1, 1051))
    assert {int(seq) for out in told for seq in out.split()} == set(range(1, 1051))
    rebuilt = SqliteStore(tmp_path / "again.db", interpret)
    rebuilt.append([again(entry) for entry in store.entries()])
    assert rebuilt.digest() == store.digest()
    for opened in (store, rebuilt):
        opened.close()


def test_threads_share_a_store(store: SqliteStore) -> None:
    """Readers see whole batches, at one moment each, while another thread writes."""
    stop, faults = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            counts = store.counts()
            view = View(store.head().seq)
            edges = store.edges([TABLE], Direction.DOWNSTREAM, view)
            walked = store.walk([TABLE], Direction.DOWNSTREAM, view)
            if counts["entries"] % 5 or walked != store.walk([TABLE], Direction.DOWNSTREAM, view):
                faults.append((counts, edges))

    def write(first: int) -> None:
        for start in range(first, 200, 10):
            store.append(_entries(start))

    readers = [threading.Thread(target=read) for _ in range(4)]
    writers = [threading.Thread(target=write, args=(first,)) for first in (0, 5)]
    for thread in readers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()
    assert not faults
    assert store.head().seq == 200


def test_a_store_that_is_held_is_busy(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_MS", 50)
    holder = apsw.Connection(str(path))
    holder.execute("BEGIN IMMEDIATE")
    other = SqliteStore(path, interpret)
    with pytest.raises(StoreBusyError) as caught:
        other.append(_entries(0))
    assert caught.value.retryable
    assert other.head().seq == 0
    holder.execute("ROLLBACK")
    assert other.append(_entries(0))[-1].seq == 5
    holder.close()
    other.close()


def test_busy_readers_do_not_let_the_wal_grow(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A passive checkpoint never finds a moment without readers: the writer waits for one."""
    monkeypatch.setattr(sqlite_store, "_PASSIVE_PAGES", 100)
    monkeypatch.setattr(sqlite_store, "_TRUNCATE_PAGES", 500)
    stop = threading.Event()

    def read() -> None:
        reader = apsw.Connection(str(path))
        while not stop.is_set():
            reader.execute("BEGIN")
            list(reader.execute("SELECT count(*) FROM entry"))
            reader.execute("COMMIT")
        reader.close()

    readers = [threading.Thread(target=read) for _ in range(3)]
    for thread in readers:
        thread.start()
    wal, sizes = path.with_name(path.name + "-wal"), []
    for n in range(60):
        told = [
            attribute(f"artifact:n,{n}-{m}", "doc", os.urandom(3000).hex(), n) for m in range(40)
        ]
        store.append([entry_of(claims) for claims in told])
        sizes.append(wal.stat().st_size)
    stop.set()
    for thread in readers:
        thread.join()
    written = path.stat().st_size
    assert written > 20 * 2**20
    assert max(sizes) < written / 2


# --- copies


def test_a_backup_is_a_store(store: SqliteStore, tmp_path: Path) -> None:
    store.append(_entries(0, 50))
    store.backup(tmp_path / "copy.db")
    store.append(_entries(50))
    copy = SqliteStore(tmp_path / "copy.db", interpret)
    assert copy.head().seq == 50
    assert copy.integrity() == []
    copy.append(_entries(50))
    assert copy.head().seq == 55
    assert copy.digest(recorded=False) == store.digest(recorded=False)
    copy.close()


def test_a_store_can_be_copied_when_closed(store: SqliteStore, path: Path) -> None:
    """Closing leaves one file."""
    store.append(_entries(0, 50))
    digest = store.digest()
    store.close()
    shutil.copy(path, path.with_name("moved.db"))
    moved = SqliteStore(path.with_name("moved.db"), interpret, read_only=True)
    assert moved.digest() == digest
    moved.close()


def test_a_file_of_before_seals_gets_its_tiles(path: Path, store: SqliteStore) -> None:
    store.append(_entries(0, 600))
    tiles = store.tiles(1, 0, 10)
    assert len(tiles) == 2
    store.close()
    _pragma(path, "DROP TABLE tile; DROP TABLE checkpoint; PRAGMA user_version=1")
    older = SqliteStore(path, interpret, read_only=True)
    assert (older.tiles(1, 0, 10), older.last_checkpoint(), list(older.checkpoints())) == (
        {}, None, [],
    )  # fmt: skip
    older.close()
    migrated = SqliteStore(path, interpret)
    assert migrated.tiles(1, 0, 10) == tiles
    assert migrated.seal(lambda head: b"%d" % head.seq).size == 600
    migrated.close()


def test_processes_that_seal_at_once_keep_one_checkpoint(path: Path, store: SqliteStore) -> None:
    store.append(_entries(0))
    code = """
import os, sys
from lineage.store.sqlite import SqliteStore
from lineage.testing.plain import interpret
store = SqliteStore(sys.argv[1], interpret)
sys.stdin.readline()
print(store.seal(lambda _: b"%d" % os.getpid()).note.decode())
"""
    others = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    notes = {other.communicate("\n")[0].strip() for other in others}
    assert len(notes) == 1
    assert [c.note.decode() for c in store.checkpoints()] == list(notes)
