"""Rules of checkpoints, and of what proofs are made from."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from lineage.errors import RefusedError
from lineage.model.claims import Claims
from lineage.model.merkle import TILE, Frontier, root_of
from lineage.model.tiles import Tiles, tiles_of
from lineage.store.contract import Head, NewEntry, Store, StoredCheckpoint
from lineage.testing.plain import ACTOR, again

__all__ = ["SealRules"]


def _append(store: Store, start: int, end: int) -> None:
    """Entries without claims: cheap to append in hundreds."""
    store.append([
        NewEntry("foreign", 1, "test", str(n), ACTOR, b"", Claims()) for n in range(start, end)
    ])  # fmt: skip


def _note(head: Head) -> bytes:
    return b"%d %s" % (head.seq, head.frontier.root().hex().encode())


def _never(_: Head) -> bytes:
    raise AssertionError


class SealRules:
    """One checkpoint of each size, under the head's lock; leaves and their tiles."""

    def test_a_checkpoint_is_of_the_head(self, store: Store) -> None:
        """It is given the head, and what it says is kept byte for byte."""
        assert store.last_checkpoint() is None
        assert list(store.checkpoints()) == []
        _append(store, 0, 3)
        sealed = store.seal(_note)
        assert (sealed.size, sealed.note) == (3, _note(store.head()))
        assert sealed.sealed_at >= store.head().recorded_at
        assert list(store.checkpoints()) == [sealed]
        assert store.last_checkpoint() == sealed

    def test_a_size_is_sealed_once(self, store: Store) -> None:
        """Sealing again gives the same checkpoint, and nothing is signed."""
        _append(store, 0, 1)
        sealed = store.seal(_note)
        assert store.seal(_never) == sealed
        _append(store, 1, 2)
        assert store.seal(lambda _: b"\x00\xff").note == b"\x00\xff"
        assert [checkpoint.size for checkpoint in store.checkpoints()] == [1, 2]

    def test_an_empty_ledger_can_be_sealed(self, store: Store) -> None:
        """Of size 0: it is before all others, and after no size."""
        assert store.seal(_note).size == 0
        assert store.last_checkpoint() == store.seal(_never)
        assert list(store.checkpoints()) == []

    def test_what_signing_raises_leaves_everything_as_it_was(self, store: Store) -> None:
        """The key may be away; the next try is well."""
        _append(store, 0, 1)

        def away(_: Head) -> bytes:
            raise RefusedError("no key")

        with pytest.raises(RefusedError, match="no key"):
            store.seal(away)
        assert store.last_checkpoint() is None
        assert store.seal(_note).size == 1

    def test_checkpoints_are_read_from_a_size_on(self, store: Store) -> None:
        """After, and no more than the limit."""
        for size in range(1, 6):
            _append(store, size - 1, size)
            store.seal(_note)
        assert [c.size for c in store.checkpoints(after=3)] == [4, 5]
        assert [c.size for c in store.checkpoints(after=1, limit=2)] == [2, 3]
        assert list(store.checkpoints(limit=0)) == []

    def test_a_checkpoint_is_no_part_of_the_ledger(self, make_store: Callable[[], Store]) -> None:
        """Digest, counts and head do not move: what is rebuilt without them is equal."""
        with closing(make_store()) as store:
            _append(store, 0, 3)
            before = store.digest(), store.counts(), store.head()
            store.seal(_note)
            assert (store.digest(), store.counts(), store.head()) == before
            entries = [again(entry) for entry in store.entries()]
        with closing(make_store()) as rebuilt:
            rebuilt.append(entries)
            assert rebuilt.digest() == before[0]

    def test_checkpoints_of_another_store_are_adopted(
        self, make_store: Callable[[], Store]
    ) -> None:
        """As they are, after their entries, all or none; what is sealed here stays."""
        made = [StoredCheckpoint(size, 7, b"from elsewhere %d" % size) for size in (1, 2, 3)]
        with closing(make_store()) as store:
            _append(store, 0, 2)
            own = store.seal(_note)
            with pytest.raises(IndexError):
                store.adopt(made)
            assert list(store.checkpoints()) == [own]
            _append(store, 2, 3)
            store.adopt(made)
            assert list(store.checkpoints()) == [made[0], own, made[2]]
            store.adopt([])
            assert store.seal(_never) == made[2]

    def test_a_guard_refuses_appends_and_seals(self, store: Store) -> None:
        """It judges the head under the lock; nothing is written, and reading goes on."""
        _append(store, 0, 2)
        heads: list[int] = []

        def check(head: Head) -> None:
            heads.append(head.seq)
            assert head.frontier.root() == root_of(store.leaves(0, head.seq))
            if head.seq >= 3:
                raise RefusedError("not as it was")

        store.guard(check)
        _append(store, 2, 3)
        with pytest.raises(RefusedError, match="not as it was"):
            _append(store, 3, 4)
        with pytest.raises(RefusedError, match="not as it was"):
            store.seal(_note)
        assert heads == [2, 3, 3]
        assert (store.head().seq, store.last_checkpoint()) == (3, None)
        store.guard(lambda _: None)
        _append(store, 3, 4)
        assert store.head().seq == 4

    def test_leaves_are_read_by_place(self, store: Store) -> None:
        """From 0 on, up to the end; fewer where the ledger ends before."""
        _append(store, 0, 5)
        every = [entry.leaf for entry in store.entries()]
        assert store.leaves(0, 5) == every
        assert store.leaves(1, 3) == every[1:3]
        assert store.leaves(4, 9) == every[4:]
        assert store.leaves(5, 9) == []

    def test_complete_tiles_are_kept(self, store: Store) -> None:
        """However they were appended: over the edge of a tile, just to it, in parts."""
        for start, end in ((0, 300), (300, 2 * TILE), (2 * TILE, 2 * TILE + 1), (513, 1100)):
            _append(store, start, end)
        leaves = store.leaves(0, 1100)
        assert len(leaves) == 1100
        assert store.tiles(1, 0, 10) == {tile.number: tile.root for tile in tiles_of(leaves)}
        assert len(store.tiles(1, 0, 10)) == 4
        assert list(store.tiles(1, 1, 3)) == [1, 2]
        assert store.tiles(2, 0, 10) == {}

    def test_roots_of_any_size_come_from_tiles(self, store: Store) -> None:
        """What was the root at a size is found again, with the tiles or from the leaves alone."""
        _append(store, 0, 700)
        frontier, roots = Frontier.empty(), []
        for leaf in store.leaves(0, 700):
            frontier.push(leaf)
            roots.append(frontier.root())
        for size in (1, 2, 3, 255, 256, 257, 511, 512, 513, 699, 700):
            assert Tiles(store.leaves, store.tiles).root(0, size) == roots[size - 1]
            assert Tiles(store.leaves).root(0, size) == roots[size - 1]
