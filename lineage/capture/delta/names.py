"""File names of a Delta log (``_delta_log``), as the Delta protocol defines them.

Anything else in the folder is not part of the history and is ignored: temporary names with ``#``
(delta-rs commits by link), ``.crc``, compacted ranges (``a.b.compacted.json``), sidecars, and
``_last_checkpoint``, which is a hint that may be stale.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Checkpoint", "Listing", "commit_name", "read_listing"]

_COMMIT = re.compile(r"([0-9]{20})\.json\Z")
_CLASSIC = re.compile(r"([0-9]{20})\.checkpoint\.parquet\Z")
_PART = re.compile(r"([0-9]{20})\.checkpoint\.([0-9]{10})\.([0-9]{10})\.parquet\Z")
_V2 = re.compile(r"([0-9]{20})\.checkpoint\.[0-9a-fA-F-]{36}\.(?:json|parquet)\Z")
_LAST = (1 << 63) - 1
"""Versions are 64-bit: a name with a larger number is not of this format."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint: the files that hold it. ``v2`` ones may point at sidecars."""

    version: int
    files: tuple[str, ...]
    v2: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """What a log holds: versions with a commit file, and complete checkpoints, both ascending."""

    commits: tuple[int, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()

    @property
    def latest(self) -> int | None:
        """The highest version that the log knows of, or None for an empty log."""
        known = [*self.commits[-1:], *(c.version for c in self.checkpoints[-1:])]
        return max(known, default=None)

    def commits_after(self, version: int) -> list[int]:
        """Versions with a commit file that are greater than ``version``."""
        return [commit for commit in self.commits if commit > version]

    def checkpoints_upto(self, version: int) -> list[Checkpoint]:
        """Complete checkpoints at or before ``version``, the newest first."""
        return [c for c in reversed(self.checkpoints) if c.version <= version]


def commit_name(version: int) -> str:
    """Name of a version's commit file."""
    return f"{version:020d}.json"


def read_listing(names: Iterable[str]) -> Listing:
    """Sort the names of a log folder. A multi-part checkpoint counts when all its parts are there.

    Of several checkpoints of one version a single file comes first, then v2, then parts.
    """
    commits: set[int] = set()
    whole: list[tuple[int, int, Checkpoint]] = []
    parts: dict[tuple[int, int], dict[int, str]] = defaultdict(dict)
    for name in sorted(names):
        if found := _COMMIT.match(name):
            commits.add(int(found[1]))
        elif found := _CLASSIC.match(name):
            whole.append((int(found[1]), 2, Checkpoint(int(found[1]), (name,))))
        elif found := _V2.match(name):
            whole.append((int(found[1]), 1, Checkpoint(int(found[1]), (name,), v2=True)))
        elif found := _PART.match(name):
            parts[int(found[1]), int(found[3])][int(found[2])] = name
    for (version, count), names_of in parts.items():
        if set(names_of) == set(range(1, count + 1)):
            files = tuple(names_of[part] for part in sorted(names_of))
            whole.append((version, 0, Checkpoint(version, files)))
    whole.sort(key=lambda entry: (entry[0], entry[1], entry[2].files))
    return Listing(
        tuple(sorted(v for v in commits if v <= _LAST)),
        tuple(checkpoint for version, _, checkpoint in whole if version <= _LAST),
    )
