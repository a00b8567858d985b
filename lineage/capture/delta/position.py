"""Where a log can be resumed, and the cursor file that remembers it between processes.

A cursor only saves reading: event ids are the log's own positions, so reading from the start again
records nothing twice. It is therefore written without fsync; a damaged one is ignored, and so is a
folder that cannot be written to.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["CursorFile", "Position", "Torn", "digest_of_commit"]

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Torn:
    """A commit that was passed over because it could not be read, with what stood there."""

    version: int
    digest: str
    table_id: str
    """The id in force before it."""


@dataclass(frozen=True, slots=True)
class Position:
    """After ``version`` of a log. ``digest`` tells the log apart from another that took its place.

    It is the SHA-256 of the commit's file, or empty where that had been cleaned away.
    """

    version: int
    table_id: str
    log_id: str
    digest: str = ""
    torn: tuple[Torn, ...] = ()


def digest_of_commit(raw: bytes) -> str:
    """SHA-256 of a commit file in hex."""
    return hashlib.sha256(raw).hexdigest()


class CursorFile:
    """The position of one table for one target (a store or a service), in a file of its own."""

    def __init__(self, folder: Path, source: str, target: str) -> None:
        name = hashlib.sha256(f"{source}\n{target}".encode("utf-8", "surrogatepass")).hexdigest()
        self._path = folder / f"{name[:32]}.json"
        self._source = source

    def load(self) -> Position | None:
        """The position, or None where there is none to be trusted."""
        try:
            value = json.loads(self._path.read_bytes())
            if value["format"] != _FORMAT or value["source"] != self._source:
                return None
            kept = value["position"]
            torn = tuple(Torn(**entry) for entry in kept.pop("torn"))
            position = Position(**kept, torn=torn)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return position

    def save(self, position: Position | None) -> None:
        """Remember a position; None forgets it. A reader sees the old or the new, never half."""
        with contextlib.suppress(OSError):
            if position is None:
                self._path.unlink(missing_ok=True)
            else:
                self._write(position)

    def _write(self, position: Position) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        value = {"format": _FORMAT, "source": self._source, "position": asdict(position)}
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(value), encoding="ascii")
        temporary.replace(self._path)
