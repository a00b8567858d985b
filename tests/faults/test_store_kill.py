"""kill -9 while appending: nothing acknowledged is lost, nothing is half there."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

from lineage.model.ids import artifact_id, run_id, with_version
from lineage.store.contract import NewEntry
from lineage.store.sqlite import SqliteStore
from lineage.testing.builders import attribute, commit, generated, used
from lineage.testing.plain import again, entry_of, interpret

ROUNDS, BATCH = 20, 7


def _batch(start: int) -> list[NewEntry]:
    table = artifact_id("lake", f"t{start % 3}")
    entries = []
    for n in range(start, start + BATCH):
        run = run_id("jobs", "j", str(n))
        claims = [
            used(table, run, n),
            generated(run, with_version(table, f"{n}.aa"), n),
            attribute(table, "rows", str(n), n),
            commit(table, n, n, added=[str(n)], removed=[str(n - 1)]),
        ]
        entries.append(entry_of(claims[n % 4], event_id=str(n)))
    return entries


def _append_until_killed(path: Path, acknowledge: int) -> None:
    store = SqliteStore(path, interpret)
    while True:
        start = store.head().seq
        receipts = store.append(_batch(start))
        os.write(acknowledge, receipts[-1].seq.to_bytes(8, "big"))


def _killed_after(path: Path, acknowledgements: int) -> int:
    """Runs a process until it has acknowledged so much; returns the last seq it acknowledged."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            _append_until_killed(path, write)
        finally:
            os._exit(1)
    os.close(write)
    last = b""
    with os.fdopen(read, "rb") as pipe:
        for _ in range(acknowledgements):
            last = pipe.read(8)
        for _ in range(random.randrange(2_000)):
            pass  # anywhere inside the next append
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        rest = pipe.read()
    assert os.WTERMSIG(status) == signal.SIGKILL, "it ended by itself"
    return int.from_bytes((last + rest)[-8:], "big")


def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    for number in range(ROUNDS):
        acknowledged = _killed_after(path, 1 + number % 4)
        store = SqliteStore(path, interpret)
        head = store.head()
        assert head.seq >= acknowledged
        assert head.seq % BATCH == 0
        assert [entry.seq for entry in store.entries()] == list(range(1, head.seq + 1))
        assert store.integrity() == []
        store.close()
    live, rebuilt = SqliteStore(path, interpret), SqliteStore(tmp_path / "again.db", interpret)
    rebuilt.append([again(entry) for entry in live.entries()])
    assert rebuilt.digest() == live.digest()
    assert rebuilt.head() == live.head()
    live.close()
    rebuilt.close()
