"""Sealing while a service runs: on a schedule, and when enough entries wait."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lineage.errors import LineageError
from lineage.record.seal.sealer import Sealer
from lineage.store.contract import StoredCheckpoint

__all__ = ["Schedule", "Sealing"]

log = logging.getLogger("lineage.record")

_LOOK_EVERY = 1.0
_AFTER_FAULT = 10.0
"""Seconds until it is tried again: a place to publish to may be away for long."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to seal: ``every`` seconds, and from ``entries`` on that wait; 0 switches it off."""

    every: int
    entries: int

    def is_due(self, *, unsealed: int, seconds: float | None) -> bool:
        """Whether to seal now; ``seconds`` since the last checkpoint, None if there is none."""
        if unsealed <= 0 or not (self.every or self.entries):
            return False
        if seconds is None or (self.entries and unsealed >= self.entries):
            return True
        return bool(self.every) and seconds >= self.every


class Sealing:
    """A thread that seals when it is due. Several processes may: each asks the store first."""

    def __init__(
        self,
        sealer: Sealer,
        schedule: Schedule,
        clock: Callable[[], int],
        answers: Callable[[], bool] = lambda: True,
    ) -> None:
        """``answers`` says whether the store is there: one that is away is not asked."""
        self._sealer = sealer
        self._schedule = schedule
        self._clock = clock
        self._answers = answers
        self._stopping = threading.Event()
        self.unpublished = True
        """Whether a place may lack a checkpoint: it was not reached, or not asked yet."""
        self.sealed: tuple[int, int] | None = None
        """Size and time of the last checkpoint, when the store was last asked."""
        self.waits_since: int | None = None
        """When the first entry that is not sealed was recorded; None: there is none, or no seal."""
        self.fault: LineageError | None = None
        """Why the last try failed; None if it did not."""
        sealer.guard.asks_all = True
        self._thread = threading.Thread(target=self._run, name="sealing", daemon=True)
        self._thread.start()

    @property
    def works(self) -> bool:
        """Whether the last try went through, and everything is published."""
        return self.fault is None and not self.unpublished

    def close(self, seconds: float | None = None) -> None:
        """Stop. A checkpoint that is being made is completed, or by the next process."""
        self._stopping.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        wait = 0.0
        while not self._stopping.wait(wait):
            before = self.fault
            try:
                if self._answers():
                    self._look()
            except LineageError as fault:
                self.fault = fault
            except Exception as fault:  # noqa: BLE001 - it must go on looking
                self.fault = LineageError(f"sealing failed: {fault!r}")
            if self.fault is not None and str(self.fault) != str(before):
                log.error("not sealed: %s", self.fault)
            wait = _LOOK_EVERY if self.works else _AFTER_FAULT

    def _look(self) -> None:
        sealer, now = self._sealer, self._clock()
        last, size = sealer.store.last_checkpoint(), sealer.store.head().seq
        self._tell(last, size)
        if self.unpublished:
            sealer.guard.judge(thorough=True)  # of remote places too: the first time, and again
        if not sealer.has_key:
            self.fault, self.unpublished = None, False
            return
        seconds = (now - last.sealed_at) / 1e6 if last else None
        if self._schedule.is_due(unsealed=size - (last.size if last else 0), seconds=seconds):
            made = sealer.seal()
            self._tell(made.checkpoint, size)
            self._published(made.faults)
        elif self.unpublished:
            # What was sealed before this process, or while a place was away.
            self._published(sealer.publish()[1])
        self.fault = None

    def _published(self, faults: Sequence[LineageError]) -> None:
        self.unpublished = bool(faults)
        for fault in faults:
            log.warning("a checkpoint was not published: %s", fault)

    def _tell(self, last: StoredCheckpoint | None, size: int) -> None:
        before = self.sealed
        self.sealed = (last.size, last.sealed_at) if last else None
        if last is None or size <= last.size:
            self.waits_since = None
        elif self.waits_since is None or self.sealed != before:
            first = next(self._sealer.store.entries(last.size, 1), None)
            self.waits_since = first.recorded_at if first else None
