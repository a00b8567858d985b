"""RFC 6962 hash trees (section 2.1): frontier, root, inclusion and consistency proofs.

Pure: leaves are given as hashes (``leaf_hash``). A frontier is the list of roots of the complete
subtrees that make up the tree, largest first: appending costs O(log n) and needs no leaf.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = [
    "EMPTY_ROOT",
    "TILE",
    "Frontier",
    "Tile",
    "consistency_proof",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "root_of",
    "split",
    "verify_consistency",
    "verify_inclusion",
]


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


EMPTY_ROOT = _sha256(b"")


def leaf_hash(entry: bytes) -> bytes:
    """Hash of a leaf: SHA-256(0x00 || entry)."""
    return _sha256(b"\x00" + entry)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256(0x01 || left || right)."""
    return _sha256(b"\x01" + left + right)


TILE = 256
"""Hashes in a tile. A tile's root is one hash of the tile above it, as in C2SP tlog-tiles."""


class Tile(NamedTuple):
    """The root over the leaves ``[number * 256**level, (number + 1) * 256**level)``."""

    level: int
    number: int
    root: bytes


@dataclass(slots=True)
class Frontier:
    """The complete subtrees of a growing tree: ``[(leaves, root)]``, largest first."""

    subtrees: list[tuple[int, bytes]]

    @classmethod
    def empty(cls) -> Frontier:
        """The frontier of the empty tree."""
        return cls([])

    @classmethod
    def of_bytes(cls, data: bytes) -> Frontier:
        """Inverse of :meth:`to_bytes`: 40 bytes a subtree (8 of its size, 32 of its root)."""
        return cls(
            [
                (int.from_bytes(data[i : i + 8], "big"), data[i + 8 : i + 40])
                for i in range(0, len(data), 40)
            ]
        )

    def to_bytes(self) -> bytes:
        """Bytes to keep beside the head of a ledger."""
        return b"".join(size.to_bytes(8, "big") + root for size, root in self.subtrees)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return sum(size for size, _ in self.subtrees)

    def push(self, leaf: bytes) -> tuple[Tile, ...]:
        """Append one leaf hash; the tiles that it completes (nearly always none)."""
        size, root = 1, leaf
        complete: tuple[Tile, ...] = ()
        while self.subtrees and self.subtrees[-1][0] == size:
            _, left = self.subtrees.pop()
            size, root = size * 2, node_hash(left, root)
            if size >= TILE and (size.bit_length() - 1) % 8 == 0:
                complete += (Tile((size.bit_length() - 1) // 8, self.size // size, root),)
        self.subtrees.append((size, root))
        return complete

    def root(self) -> bytes:
        """Root of the tree so far."""
        if not self.subtrees:
            return EMPTY_ROOT
        root = self.subtrees[-1][1]
        for _, left in reversed(self.subtrees[:-1]):
            root = node_hash(left, root)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Root over leaf hashes."""
    frontier = Frontier.empty()
    for leaf in leaves:
        frontier.push(leaf)
    return frontier.root()


def split(n: int) -> int:
    """Largest power of two less than n: leaves left of the root of a tree of n > 1."""
    return 1 << (n - 1).bit_length() - 1


Subtree = Callable[[int, int], bytes]
"""Gives the root over leaves ``[start, end)``."""


def _subtree_of(leaves: Sequence[bytes]) -> Subtree:
    return lambda start, end: root_of(leaves[start:end])


def inclusion_proof(index: int, size: int, subtree: Subtree | Sequence[bytes]) -> list[bytes]:
    """Audit path of leaf ``index`` in the tree of ``size`` leaves, RFC 6962 section 2.1.1."""
    if not 0 <= index < size:
        raise IndexError(index)
    root = subtree if callable(subtree) else _subtree_of(subtree)
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            path.append(root(middle, end))
            end = middle
        else:
            path.append(root(start, middle))
            start = middle
    return path[::-1]


def consistency_proof(old: int, new: int, subtree: Subtree | Sequence[bytes]) -> list[bytes]:
    """Proof that the tree of ``new`` leaves extends that of ``old``, RFC 6962 section 2.1.2."""
    if not 0 < old <= new:
        raise IndexError(old)
    root = subtree if callable(subtree) else _subtree_of(subtree)
    path: list[bytes] = []
    start, end, whole = 0, new, True
    while end != old:
        middle = start + split(end - start)
        if old <= middle:
            path.append(root(middle, end))
            end = middle
        else:
            path.append(root(start, middle))
            start, whole = middle, False
    if not whole:
        path.append(root(start, end))
    return path[::-1]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """RFC 9162 section 2.1.3.2."""
    if not 0 <= index < size:
        return False
    position, last, result = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            result = node_hash(sibling, result)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            result = node_hash(result, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and result == root


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """RFC 9162 section 2.1.4.2."""
    if old == new:
        return not proof and old_root == new_root
    if not 0 < old < new or not proof:
        return False
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    position, last = old - 1, new - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old_result = new_result = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old_result = node_hash(sibling, old_result)
            new_result = node_hash(sibling, new_result)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            new_result = node_hash(new_result, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and old_result == old_root and new_result == new_root
