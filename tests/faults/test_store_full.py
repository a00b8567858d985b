"""No space: an error that says so, no corruption, and it goes on once there is room."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineage.errors import StoreFullError
from lineage.model.ids import artifact_id
from lineage.store.contract import NewEntry, View
from lineage.store.sqlite import SqliteStore
from lineage.testing.builders import attribute
from lineage.testing.plain import again, entry_of, interpret
from tests.disks import small_disk


def _entries(start: int, count: int = 20) -> list[NewEntry]:
    return [
        entry_of(
            attribute(artifact_id("n", f"t{n}"), "doc", os.urandom(600).hex(), n), event_id=str(n)
        )
        for n in range(start, start + count)
    ]


def _fill(store: SqliteStore) -> int:
    """Appends until there is no space; returns the last seq that was acknowledged."""
    acknowledged = 0
    with pytest.raises(StoreFullError) as caught:  # noqa: PT012 # any of them may be the one
        for start in range(0, 100_000, 20):
            acknowledged = store.append(_entries(start))[-1].seq
    assert caught.value.retryable
    assert caught.value.hint
    return acknowledged


def _check(path: Path, acknowledged: int, beside: Path) -> None:
    store = SqliteStore(path, interpret)
    assert store.head().seq == acknowledged
    assert store.integrity() == []
    receipts = store.append(_entries(acknowledged))
    assert receipts[-1].seq == acknowledged + 20
    rebuilt = SqliteStore(beside / "again.db", interpret)
    rebuilt.append([again(entry) for entry in store.entries()])
    assert rebuilt.digest() == store.digest()
    store.close()
    rebuilt.close()


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """A quota: RLIMIT_FSIZE, set in a process of its own."""
    path = tmp_path / "store.db"
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
            store = SqliteStore(path, interpret)
            acknowledged = _fill(store)
            assert store.head().seq == acknowledged
            assert len(store.nodes([artifact_id("n", "t0")], View(acknowledged))) == 1
            os.write(write, acknowledged.to_bytes(8, "big"))
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    assert len(answer) == 8
    _check(path, int.from_bytes(answer, "big"), tmp_path)


@pytest.fixture
def tiny_disk() -> Iterator[Path]:
    with small_disk("16m") as place:
        yield place


def test_a_disk_that_is_full(tiny_disk: Path, tmp_path: Path) -> None:
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(b"x" * 10_000_000)
    path = tiny_disk / "store.db"
    store = SqliteStore(path, interpret)
    acknowledged = _fill(store)
    assert store.head().seq == acknowledged
    ballast.unlink()
    assert store.append(_entries(acknowledged))[-1].seq == acknowledged + 20
    store.close()
    _check(path, acknowledged + 20, tmp_path)


def test_a_backup_that_does_not_fit_leaves_nothing(tiny_disk: Path, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db", interpret)
    for start in range(0, 5_000, 50):
        store.append(_entries(start, 50))
    with pytest.raises(StoreFullError):
        store.backup(tiny_disk / "copy.db")
    assert list(tiny_disk.iterdir()) == []
    store.close()
