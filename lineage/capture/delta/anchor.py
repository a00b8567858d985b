"""Whether a log is still the one that was read: another may stand in its place.

An anchor is a file of the log with its stamp: as long as that has not changed, nothing was dropped
and made again. Otherwise contents decide: the commit at our position, then the ids the log names.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from lineage.capture.delta.names import Listing, commit_name, read_listing
from lineage.capture.delta.position import Position, digest_of_commit
from lineage.capture.delta.series import ids_of
from lineage.capture.delta.storage import LogStorage, Stamp

__all__ = ["Anchor", "Fate", "Finding"]


class Fate(enum.Enum):
    """What became of the log that was read up to a position."""

    SAME = enum.auto()
    SHORTER = enum.auto()
    """The same table, ending before our position: a backup was put back."""
    REWRITTEN = enum.auto()
    """The same table, with another commit at our position."""
    ANOTHER = enum.auto()
    """Another table: this one was dropped."""
    MISSING = enum.auto()
    UNKNOWN = enum.auto()
    """An empty log, or one that does not say which table it is (yet)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fate, with the listing that it was read from where one was needed."""

    fate: Fate
    listing: Listing = field(default_factory=Listing)


class Anchor:
    """Watches that a log stays itself: between polls, and while it is read."""

    def __init__(self, log: LogStorage) -> None:
        self._log = log
        self._held: tuple[str, Stamp] | None = None
        self._begun: tuple[str, Stamp] | None = None

    def forget(self) -> None:
        """Know nothing: the next check looks at contents."""
        self._held = self._begun = None

    def loosen(self) -> None:
        """The position moved to where there is no file."""
        self._held = None

    def begin(self) -> None:
        """From here to :meth:`held_throughout` the log has to stay what it is."""
        self._begun = self._held

    def took(self, version: int, stamp: Stamp) -> None:
        """A commit was read."""
        self._held = (commit_name(version), stamp)
        self._begun = self._begun or self._held

    def held_throughout(self) -> bool:
        """Whether the log was the same all the time since :meth:`begin`."""
        return self._begun is None or self._is_there(self._begun)

    def check(self, position: Position) -> Finding:
        """Whether the log is the one that ``position`` is of."""
        if position.version < 0 or (self._held and self._is_there(self._held)):
            return Finding(Fate.SAME)
        name = commit_name(position.version)
        stamp = self._log.stamp(name)
        raw = self._log.read(name) if stamp and position.digest else None
        if raw is not None and stamp is not None and digest_of_commit(raw) == position.digest:
            self._held = (name, stamp)
            return Finding(Fate.SAME)
        names = self._log.names()
        if names is None:
            return Finding(Fate.MISSING)
        listing = read_listing(names)
        # The stamp is taken before the ids are read: a change in between is then noticed.
        self._held = self._newest(listing)
        return Finding(self._fate(listing, position, changed=raw is not None), listing)

    def _fate(self, listing: Listing, position: Position, *, changed: bool) -> Fate:
        ids = ids_of(self._log, listing)
        if listing.latest is None or not ids:
            self._held = None
            return Fate.UNKNOWN
        if not ids & {position.table_id, position.log_id}:
            return Fate.ANOTHER
        if listing.latest < position.version:
            return Fate.SHORTER
        return Fate.REWRITTEN if changed else Fate.SAME

    def _newest(self, listing: Listing) -> tuple[str, Stamp] | None:
        names = [commit_name(version) for version in listing.commits[-1:]]
        names += [name for checkpoint in listing.checkpoints[-1:] for name in checkpoint.files]
        stamps = ((name, self._log.stamp(name)) for name in names)
        return next(((name, stamp) for name, stamp in stamps if stamp), None)

    def _is_there(self, held: tuple[str, Stamp]) -> bool:
        return self._log.stamp(held[0]) == held[1]
