from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import TamperedError
from lineage.model.merkle import (
    Frontier,
    consistency_proof,
    inclusion_proof,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from lineage.model.tiles import Tiles, tiles_of

LEAVES = [sha256(n.to_bytes(4, "big")).digest() for n in range(70_000)]
KEPT = {(tile.level, tile.number): tile.root for tile in tiles_of(LEAVES)}


class Reads:
    """Hashes with a count of how many were read."""

    def __init__(self, size: int, lost: frozenset[tuple[int, int]] = frozenset()) -> None:
        self.size, self.lost, self.hashes = size, lost, 0

    def leaves(self, start: int, end: int) -> list[bytes]:
        found = LEAVES[: self.size][start:end]
        self.hashes += len(found)
        return found

    def kept(self, level: int, start: int, end: int) -> dict[int, bytes]:
        wanted = ((level, number) for number in range(start, end))
        found = {key[1]: KEPT[key] for key in wanted if key in KEPT and key not in self.lost}
        self.hashes += len(found)
        return found


def test_every_complete_tile_is_told_once_with_the_root_over_its_leaves() -> None:
    assert sorted(KEPT) == [(1, n) for n in range(70_000 // 256)] + [(2, 0)]
    assert KEPT[1, 7] == root_of(LEAVES[7 * 256 : 8 * 256])
    assert KEPT[2, 0] == root_of(LEAVES[:65_536])


@given(st.data())
def test_proofs_from_tiles_hold(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, len(LEAVES)))
    old = data.draw(st.integers(1, new))
    index = data.draw(st.integers(0, old - 1))
    lost = data.draw(st.frozensets(st.sampled_from(sorted(KEPT)), max_size=3))
    reads = Reads(new, lost)
    tiles = Tiles(reads.leaves, reads.kept)
    root, old_root = tiles.root(0, new), tiles.root(0, old)
    path = inclusion_proof(index, new, tiles.root)
    assert verify_inclusion(LEAVES[index], index, new, path, root)
    assert verify_consistency(old, new, old_root, root, consistency_proof(old, new, tiles.root))


def test_a_proof_reads_a_few_tiles_of_each_level() -> None:
    for index, size in ((0, 70_000), (69_999, 70_000), (34_567, 69_999), (65_535, 65_536)):
        reads = Reads(size)
        inclusion_proof(index, size, Tiles(reads.leaves, reads.kept).root)
        assert reads.hashes <= 2 * 256 * 2 + 1


def test_a_root_over_leaves_that_are_not_there_is_refused() -> None:
    reads = Reads(300)
    with pytest.raises(TamperedError):
        Tiles(reads.leaves, reads.kept).root(0, 301)


def test_a_root_is_that_of_the_frontier() -> None:
    frontier = Frontier.empty()
    for leaf in LEAVES[:1000]:
        frontier.push(leaf)
    reads = Reads(1000)
    assert Tiles(reads.leaves, reads.kept).root(0, 1000) == frontier.root()
