"""The pulse of a store that can go away: asked a few times a second whether it answers.

So nobody has to find out by waiting: a request that meets a store that is away is not kept, and
what waits is recorded as soon as it is back. An answer that is late counts as none: a database may
hold its connections and say nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from lineage.errors import LineageError, StoreError, StoreUnavailableError

__all__ = ["Pulse"]

log = logging.getLogger("lineage.record")

_EVERY = 0.25
_LATE = 3.0
"""Seconds. Longer than a database collects garbage, shorter than people wait."""


class Pulse:
    """A thread that asks. ``ask`` gives the position, or raises what keeps it from answering."""

    def __init__(
        self, ask: Callable[[], int], *, every: float = _EVERY, late: float = _LATE
    ) -> None:
        self._ask = ask
        self._every = every
        self._late = late
        self._asked_at: float | None = None
        self._fault: LineageError | None = None
        self._stopping = threading.Event()
        self.position: int | None = None
        """Where the record ended when it last answered; None: it never did."""
        self._beat()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()

    @property
    def fault(self) -> LineageError | None:
        """Why it does not answer; None if it does."""
        asked_at = self._asked_at
        if self._fault is not None or asked_at is None:
            return self._fault
        late = time.monotonic() - asked_at
        if late < self._late:
            return None
        return StoreUnavailableError(f"the store has not answered for {late:.1f} s")

    @property
    def answers(self) -> bool:
        """Whether it answers."""
        return self.fault is None

    def close(self) -> None:
        """Stop asking. What is asked now may still hang; the thread ends with the process."""
        self._stopping.set()
        self._thread.join(self._late)

    def _run(self) -> None:
        while not self._stopping.wait(self._every):
            self._beat()

    def _beat(self) -> None:
        self._asked_at = time.monotonic()
        before = self._fault
        try:
            self.position = self._ask()
            self._fault = None
        except LineageError as fault:
            self._fault = fault
        except Exception as fault:  # noqa: BLE001 - it must go on asking
            self._fault = StoreError(f"asking the store failed: {fault!r}")
        self._asked_at = None
        if (before is None) != (self._fault is None):
            log.warning("the store %s", f"is away: {self._fault}" if self._fault else "answers")
