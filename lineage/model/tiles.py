"""Roots over stretches of leaves from a few hundred hashes: what proofs are made of.

A tile of level 0 is 256 leaves, of level k the roots of 256 tiles of level k - 1. A proof in a tree
of n leaves reads at most two tiles of each level. Kept tiles are a cache: what is missing is
computed from the level below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from lineage.errors import TamperedError
from lineage.model.merkle import TILE, Frontier, Tile, node_hash, root_of, split

__all__ = ["Tiles", "tiles_of"]

Leaves = Callable[[int, int], list[bytes]]
"""Hashes of the leaves ``[start, end)``."""
Kept = Callable[[int, int, int], dict[int, bytes]]
"""Kept roots of the tiles ``[start, end)`` of a level, by number."""


def tiles_of(leaves: Iterable[bytes]) -> Iterator[Tile]:
    """Every complete tile over leaves from the first on, in the order in which they complete."""
    frontier = Frontier.empty()
    for leaf in leaves:
        yield from frontier.push(leaf)


class Tiles:
    """Reads hashes by tiles, each once. ``root`` is what ``inclusion_proof`` asks for subtrees."""

    def __init__(self, leaves: Leaves, kept: Kept | None = None) -> None:
        """Without ``kept`` everything is computed from the leaves."""
        self._leaves = leaves
        self._kept = kept
        self._read: dict[tuple[int, int], dict[int, bytes]] = {}

    def root(self, start: int, end: int) -> bytes:
        """Root over the leaves ``[start, end)``: a subtree of RFC 6962. They have to be there."""
        size = end - start
        if size & (size - 1):
            middle = start + split(size)
            return node_hash(self.root(start, middle), self.root(middle, end))
        level = (size.bit_length() - 1) // 8
        span = TILE**level
        return root_of(self._hashes(level, start // span, end // span))

    def _hashes(self, level: int, start: int, end: int) -> list[bytes]:
        """Hashes of one level, all of one tile: a subtree never crosses its edge."""
        tile = start // TILE
        had = self._read.get((level, tile))
        if had is None:
            had = self._read[level, tile] = self._tile(level, tile * TILE)
        return [
            had.get(number) or self._missing(had, level, number) for number in range(start, end)
        ]

    def _tile(self, level: int, first: int) -> dict[int, bytes]:
        if level == 0:
            return dict(enumerate(self._leaves(first, first + TILE), start=first))
        return self._kept(level, first, first + TILE) if self._kept else {}

    def _missing(self, had: dict[int, bytes], level: int, number: int) -> bytes:
        if level == 0:
            raise TamperedError(
                f"entry {number + 1} is missing",
                hint="`lineage ledger verify` tells what else does not hold",
                position=number + 1,
            )
        first = number * TILE
        had[number] = root_of(self._hashes(level - 1, first, first + TILE))
        del self._read[level - 1, number]  # read once: a whole ledger is not kept in memory
        return had[number]
