"""Whatever is recorded, sealed, redacted, archived and compacted in any order: what is archived is
the store up to there, once, and a store restored from it is the same store.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lineage.model.notes import generate_key
from lineage.record.archive import Archive, ArchiveSource, archive, redact_in_archive, writing
from lineage.record.archive.checking import verify_archive
from lineage.record.interpret import interpret
from lineage.record.restore import restore
from lineage.store.blobs import DirectoryBlobs
from lineage.store.memory import MemoryStore
from tests.archiving import fill, on_disk, redact, seal

KEY = generate_key("example.test/log")


class _History:
    """A store and its archive, as a history made them."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.store = MemoryStore(interpret)
        self.blobs = DirectoryBlobs(place / "blobs")
        self.erased: set[int] = set()

    @property
    def archive(self) -> Archive:
        return Archive(str(self.place / "archive"))

    def fill(self, number: int) -> None:
        fill(self.store, self.blobs, number)

    def seal(self, _: int) -> None:
        seal(self.store, KEY)

    def put(self, _: int) -> None:
        archive(self.store, self.blobs, self.archive, unsealed=True)

    def put_sealed(self, _: int) -> None:
        if self.store.last_checkpoint():
            archive(self.store, self.blobs, self.archive)

    def redact(self, number: int) -> None:
        starts = [e.seq for e in self.store.entries() if e.kind == "run.started" and e.salt]
        if starts:
            seq = starts[number % len(starts)]
            redact(self.store, seq)
            self.erased.add(seq)

    def take_back(self, _: int) -> None:
        stubs = [entry for entry in self.store.entries() if entry.salt is None]
        redact_in_archive(self.archive, stubs)

    def compact(self, _: int) -> None:
        self.archive.compact()


_ACTIONS: list[Callable[[_History, int], None]] = [
    _History.fill, _History.fill, _History.fill, _History.seal, _History.put, _History.put,
    _History.put_sealed, _History.redact, _History.take_back, _History.compact,
]  # fmt: skip


@pytest.mark.slow
@example(
    actions=[(_History.put, 1), (_History.seal, 1), (_History.fill, 1), (_History.seal, 1)],
    batch=11, until=79,
)  # fmt: skip
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    actions=st.lists(
        st.tuples(st.sampled_from(_ACTIONS), st.integers(1, 9)), min_size=3, max_size=12
    ),
    batch=st.integers(1, 12),
    until=st.integers(0, 100),
)
def test_archived_and_restored_is_the_same_store(
    actions: list[tuple[Callable[[_History, int], None], int]], batch: int, until: int
) -> None:
    most, writing.BATCH_ENTRIES = writing.BATCH_ENTRIES, batch
    try:
        with tempfile.TemporaryDirectory() as scratch:
            history = _History(Path(scratch))
            history.fill(3)
            for action, number in actions:
                action(history, number)
            history.put(0)
            _must_be_the_same(history, until)
    finally:
        writing.BATCH_ENTRIES = most


def _must_be_the_same(history: _History, until: int) -> None:
    store, source = history.store, ArchiveSource(history.archive)
    assert list(source.entries()) == list(store.entries())
    assert not verify_archive(source).faults
    end = max(1, until * store.head().seq // 100)
    again, blobs = MemoryStore(interpret), DirectoryBlobs(history.place / "again")
    restore(source, again, blobs, until=end, keys=[KEY.public] if store.last_checkpoint() else ())
    assert list(again.entries()) == list(store.entries(0, end))
    restore(source, again, blobs)
    assert again.digest() == store.digest()
    assert list(again.checkpoints()) == list(store.checkpoints())
    for seq in history.erased:
        assert on_disk(history.place / "archive", f'"secret-{seq - 1}"'.encode()) == []
