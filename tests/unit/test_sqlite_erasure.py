"""What was redacted is gone from the file itself, and everything else is still there."""

from __future__ import annotations

import threading
from pathlib import Path

import apsw
import pytest

from lineage.errors import ReadOnlyStoreError, StoreBusyError
from lineage.model.claims import Claims, EdgeType, Method, Occurrence, Redaction, StateOp, StateType
from lineage.model.ids import artifact_id, run_id, with_version
from lineage.store.contract import NewEntry, View
from lineage.store.sqlite import SqliteStore, erasure
from lineage.testing.builders import attribute, commit, record, redaction, reference, used
from lineage.testing.plain import again, body_of, entry_of, interpret

SECRET = "Erica Mustermann"
TABLE = artifact_id("lake", "t")
ENTRIES = 24


def _target(n: int) -> NewEntry:
    """An entry that says a secret everywhere but in its names."""
    run, data = run_id("jobs", "j", str(n)), artifact_id("lake", f"d{n}")
    version = with_version(data, f"{n}.aa")
    detail = f'{{"by":"{SECRET} {n}"}}'
    claims = Claims(
        (
            Occurrence(EdgeType.USED, data, run, n, Method.DECLARED, SECRET, detail),
            Occurrence(EdgeType.GENERATED, run, version, n, Method.DECLARED, f"{SECRET} made"),
        ),
        (
            StateOp(data, StateType.ATTRIBUTE, SECRET, f'"{SECRET}"', n, Method.DECLARED, n),
            StateOp(data, StateType.ATTRIBUTE, "kind", f'"{SECRET}"', n, Method.DECLARED, n),
            StateOp(data, StateType.TAGGED, "tag", SECRET * (n % 3 * 40), n, Method.DECLARED, n),
        ),
        commit(TABLE, n, n, added=[f"{SECRET} {n}.parquet"]).commits,
    )  # fmt: skip
    return entry_of(claims, event_id=f"target {n}")


def _stub(target: NewEntry) -> NewEntry:
    stub = Redaction(reference(target), body_of(Claims(mentions=target.claims.nodes())))
    return entry_of(Claims(redacts=(stub,)), event_id=f"zz of {target.event_id}")


def _filled(path: Path) -> tuple[SqliteStore, list[NewEntry]]:
    store = SqliteStore(path, interpret)
    targets = [_target(n) for n in range(ENTRIES)]
    for n, target in enumerate(targets):
        record(store, used(TABLE, run_id("jobs", "other", str(n)), n))
        store.append([target])
        record(store, attribute(TABLE, "doc", f"{n} of others", n))
    return store, targets


def _found(folder: Path, needles: list[bytes]) -> list[tuple[str, bytes]]:
    return [
        (path.name, needle)
        for path in sorted(folder.iterdir())
        for data in [path.read_bytes()]
        for needle in needles
        if needle in data
    ]


def test_no_byte_of_what_was_redacted_is_left_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store, targets = _filled(path)
    salts = {e.event_id: e.salt for e in store.entries()}
    needles = [SECRET.encode(), SECRET.casefold().encode()]
    needles += [salt for t in targets if (salt := salts[t.event_id])]
    rows = apsw.Connection(str(path)).execute("SELECT body FROM entry WHERE packed")
    packed = [body for (body,) in rows if isinstance(body, bytes)]
    assert packed, "some are compressed"
    needles += packed
    others = {e.seq: e.body for e in store.entries() if not e.event_id.startswith("target")}

    store.append([_stub(target) for target in targets])
    assert store.unerased()
    assert _found(tmp_path, needles), "erasing rows is not enough"
    store.erase()

    assert _found(tmp_path, needles) == []
    assert not store.unerased()
    assert (tmp_path / "store.db-wal").stat().st_size < 100_000
    assert store.integrity() == []
    assert {e.seq: e.body for e in store.entries() if e.seq in others} == others
    rebuilt = SqliteStore(tmp_path / "again.db", interpret)
    rebuilt.append([again(entry) for entry in store.entries()])
    assert (rebuilt.digest(), rebuilt.head()) == (store.digest(), store.head())
    store.close()
    assert _found(tmp_path, needles) == []


def test_another_process_that_had_numbered_the_names_goes_on(tmp_path: Path) -> None:
    """What it knew the number of is gone, and the number may be another's now."""
    path = tmp_path / "store.db"
    one, two = SqliteStore(path, interpret), SqliteStore(path, interpret)
    target = entry_of(attribute(TABLE, SECRET, "x", 1))
    one.append([target])
    two.append([_stub(target)])
    record(one, attribute(TABLE, "doc", "seen", 2))
    two.erase()
    record(two, attribute(TABLE, "taken", "its number", 3))
    record(one, attribute(TABLE, SECRET, "said again", 4))
    (node,) = one.nodes([TABLE], View(99))
    assert {name: each.value for name, each in node.attributes.items()} == {
        "doc": '"seen"', "taken": '"its number"', SECRET: '"said again"',
    }  # fmt: skip
    rebuilt = SqliteStore(tmp_path / "again.db", interpret)
    rebuilt.append([again(entry) for entry in two.entries()])
    assert rebuilt.digest() == one.digest() == two.digest()


def test_what_is_read_too_long_is_said_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "BUSY_MS", 100)
    store, targets = _filled(tmp_path / "store.db")
    store.append([_stub(target) for target in targets])
    reading, done = threading.Event(), threading.Event()

    def read() -> None:
        with store._readers.snapshot() as connection:
            connection.execute("SELECT count(*) FROM entry").fetchall()
            reading.set()
            done.wait(30)

    thread = threading.Thread(target=read)
    thread.start()
    reading.wait(30)
    with pytest.raises(StoreBusyError):
        store.erase()
    assert store.unerased()
    done.set()
    thread.join()
    store.erase()
    assert not store.unerased()
    assert _found(tmp_path, [SECRET.encode()]) == []


def test_a_store_without_redactions_has_nothing_to_erase(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db", interpret)
    record(store, used(TABLE, run_id("j", "j", "1"), 1))
    assert not store.unerased()
    digest = store.digest()
    store.erase()
    assert store.digest() == digest
    store.close()
    with pytest.raises(ReadOnlyStoreError):
        SqliteStore(tmp_path / "store.db", interpret, read_only=True).erase()


def test_a_redaction_of_a_redaction_is_erased_too(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db", interpret)
    target = entry_of(attribute(TABLE, "doc", SECRET, 1))
    first = entry_of(redaction(target, attribute(TABLE, "doc", f"{SECRET} again", 1)))
    store.append([target, first])
    store.erase()
    assert _found(tmp_path, [SECRET.encode()])
    inner = Redaction(reference(target), body_of(Claims(mentions=(TABLE,))))
    store.append([entry_of(Claims(redacts=(Redaction(reference(first), body_of(
        Claims(redacts=(inner,)))),)))])  # fmt: skip
    assert store.unerased()
    store.erase()
    assert _found(tmp_path, [SECRET.encode()]) == []
