"""Where to begin to read a partition, and what is lost by beginning there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lineage.capture.kafka.messages import Gap, Place

__all__ = ["DELETED", "REPLACED", "Beginning"]

DELETED = "deleted-before-read"
"""Retention was faster than the group."""

REPLACED = "log-replaced"
"""The partition ends before what the group had read of it: it was made anew, or cut."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """``latest``: a group without an offset begins at the end, and not with what there is."""

    latest: bool
    clock: Callable[[], int]

    def of(
        self, place: Place, committed: int, read: int, low: int, high: int
    ) -> tuple[int, Gap | None]:
        """The offset to read first of a partition that holds ``low`` to before ``high``.

        ``committed`` is what the group has, ``read`` what we have read before; negative: nothing.
        """
        committed = max(committed, read)  # what we have read is on its way to the group
        if committed < 0:
            return (high if self.latest else low), None
        if committed < low:
            return low, Gap(*place, committed, low - 1, DELETED, self.clock())
        if committed > high:
            # Reading again has no effect; going on at the end would skip what is new.
            return low, Gap(*place, committed, committed, REPLACED, self.clock())
        return committed, None
