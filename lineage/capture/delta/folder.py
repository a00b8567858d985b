"""The folder of a log, listed only when something may have come or gone."""

from __future__ import annotations

from collections.abc import Callable

from lineage.capture.delta.names import Listing, read_listing
from lineage.capture.delta.storage import LogStorage, Stamp

__all__ = ["Folder"]

_LIST_EVERY = 30.0
"""Seconds after which it is listed even if it looks unchanged: not every file system tells by the
folder's time."""


class Folder:
    """Listing a log of many commits is slow, and asked for at every look."""

    def __init__(self, log: LogStorage, clock: Callable[[], float]) -> None:
        self._log = log
        self._clock = clock
        self._listed: tuple[Stamp, float] | None = None

    def listing(self) -> Listing | None:
        """What is there now; None where there is no folder."""
        names = self._log.names()
        return None if names is None else read_listing(names)

    def reaches(self, version: int) -> Listing | None:
        """A listing that goes to ``version`` or further; None where there is nothing yet."""
        folder, asked = self._log.folder_stamp(), self._clock()
        listed, when = self._listed or (None, 0.0)
        if folder is not None and folder == listed and asked - when < _LIST_EVERY:
            return None
        listing = self.listing()
        if listing is None or listing.latest is None or listing.latest < version:
            self._listed = (folder, asked) if folder else None
            return None
        return listing

    def forget(self) -> None:
        """List it again at the next look."""
        self._listed = None
