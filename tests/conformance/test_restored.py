"""A store that was archived and restored answers as it did: every read, at both times."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage.record.archive import Archive, ArchiveSource, archive
from lineage.record.restore import restore
from lineage.store.blobs import DirectoryBlobs
from lineage.store.contract import LATEST, Direction, History, View
from lineage.testing.store_laws import _same_graph, _same_states
from tests.archiving import redact
from tests.conformance.worlds import T0, World, small_world
from tests.stores import new_store

HOUR = 3_600_000_000


@pytest.fixture(scope="module")
def world() -> World:
    """A small world, with a redaction in it."""
    made = small_world()
    redact(made.store, 11)
    return made


@pytest.mark.both_stores
def test_restored_answers_as_before(world: World, tmp_path: Path) -> None:
    blobs, place = DirectoryBlobs(tmp_path / "blobs"), Archive(str(tmp_path / "archive"))
    archive(world.store, blobs, place, unsealed=True, skip_missing=True)
    with new_store(tmp_path / "first") as first:
        restore(ArchiveSource(place), first, blobs)
        again = Archive(str(tmp_path / "again"))
        archive(first, blobs, again, unsealed=True, skip_missing=True)
    with new_store(tmp_path / "second") as second:
        restore(ArchiveSource(again), second, blobs)
        assert second.digest(recorded=False) == world.store.digest(recorded=False)
        assert second.head() == world.store.head()
        assert list(second.entries()) == list(world.store.entries())
        head = second.head().seq
        ids = world.store.page(View(head), versions=True, limit=1_000)
        for position in (head, head // 2, 3):
            for as_of in (LATEST, T0 + 15 * HOUR):
                view = View(position, as_of)
                _same_graph(second, world.store, view, ids)
                _same_states(second, world.store, view, ids)
                for direction in Direction:
                    for history in History:
                        asked = (ids, direction, view)
                        wanted = world.store.walk(*asked, history=history)
                        assert second.walk(*asked, history=history) == wanted
