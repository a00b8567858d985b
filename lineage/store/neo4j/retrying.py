"""Trying a transaction again: when it did not go through, and when nobody knows whether it did."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from lineage.errors import OutcomeUnknownError, StoreBusyError, StoreUnavailableError

__all__ = ["retrying"]

_SECONDS = 5.0
"""How long an append is tried while the database is away: callers hold what they sent."""
_FIRST, _MOST = 0.05, 0.5
Result = TypeVar("Result")


def retrying(transact: Callable[[], Result], seconds: float = _SECONDS) -> Result:
    """Run a transaction until it goes through, or is refused, or time is up.

    A commit whose outcome is unknown (``IncompleteCommit``, which the driver never retries) is
    tried like any other: entries that are there already change nothing. Raises what the last try
    raised.
    """
    end, wait = time.monotonic() + seconds, _FIRST
    while True:
        try:
            return transact()
        except (StoreUnavailableError, OutcomeUnknownError, StoreBusyError):
            if time.monotonic() + wait > end:
                raise
        time.sleep(wait)
        wait = min(2 * wait, _MOST)
