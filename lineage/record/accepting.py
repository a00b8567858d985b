"""Accepting and recording where the store can be away.

While the store answers and nothing waits, a change is recorded at once, so that a client reads what
it wrote. Else it is accepted into the backlog, in its order and durable, and recorded when it can
be. Sent or recorded twice it has one effect: it is known by its source and event id.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from lineage.capture.spool import Item
from lineage.errors import OutcomeUnknownError, StoreBusyError, StoreUnavailableError
from lineage.model.envelope import Actor
from lineage.record.backlog import Backlog
from lineage.record.dead_letters import DeadLetters
from lineage.record.drainer import Drainer
from lineage.record.group import GroupCommitter
from lineage.record.pulse import Pulse
from lineage.record.recorder import Incoming, Recorder
from lineage.store.contract import NewEntry, Receipt

__all__ = ["Accepting"]

_SLICE = 0.1
_PATIENCE = 10.0
"""Seconds to wait for a store that answers, and does not come to recording this."""
_CLOSING = 10.0
"""Seconds in which what waits is recorded when the service stops."""

Writers = GroupCommitter[NewEntry, Receipt]


class Accepting:
    """The way of changes to a store that can be away."""

    def __init__(
        self,
        recorder: Recorder,
        writers: Writers,
        backlog: Backlog,
        pulse: Pulse,
        dead_letters: DeadLetters,
        count: Callable[[str, int], None],
    ) -> None:
        """``count`` is told how many events were ``accepted`` into the backlog, and left it."""
        self.backlog = backlog
        self.pulse = pulse
        self._recorder = recorder
        self._writers = writers
        self._count = count
        backlog.adopt()  # before anything new: what was accepted first is recorded first
        self._accepting = GroupCommitter(backlog.put)
        self._drainer = Drainer(recorder, backlog, pulse, dead_letters, count)

    def accept(self, incoming: Sequence[Incoming], actor: Actor) -> list[Receipt | None]:
        """Record, or else accept: None says that it waits, on disk.

        Raises ``RefusedError`` as :meth:`Recorder.record`, ``SpoolFullError``, ``SpoolError``.
        """
        entries = self._recorder.entries(incoming, actor)
        if self.pulse.answers and self.backlog.empty:
            try:
                return list(self._receipts(self._writers.submit(entries)))
            except (StoreUnavailableError, StoreBusyError):
                pass  # perhaps it is recorded nevertheless: to record it again has no effect
        items = [
            Item(entry.source, entry.event_id, entry.kind, entry.v, one.event_at, entry.body, actor)
            for entry, one in zip(entries, incoming, strict=True)
        ]
        self._accepting.commit(items)
        self._count("accepted", len(items))
        return [None] * len(items)

    def record(self, incoming: Sequence[Incoming], actor: Actor) -> list[Receipt]:
        """Record what needs the store's answer. Raises ``StoreUnavailableError`` while it is away.

        Raises ``OutcomeUnknownError`` where it went away in between.
        """
        self.require()
        return self._receipts(self._writers.submit(self._recorder.entries(incoming, actor)))

    def require(self) -> None:
        """Raise ``StoreUnavailableError`` while the store does not answer."""
        fault = self.pulse.fault
        if fault is not None:
            raise StoreUnavailableError(
                f"the store cannot be asked now: {fault.message}",
                hint=fault.hint or "events are accepted meanwhile; ask again in a moment",
            )

    def close(self) -> None:
        """Record what waits if the store answers and it takes not too long; else it is left."""
        self._accepting.close()
        self._drainer.close(_CLOSING)
        self.pulse.close()
        self.backlog.close()

    def _receipts(self, future: Future[list[Receipt]]) -> list[Receipt]:
        """Wait for a commit as long as the store answers."""
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                return future.result(_SLICE)
            except TimeoutError:
                if self.pulse.answers and time.monotonic() < end:
                    continue
            if future.cancel():
                self.require()
                raise StoreBusyError(
                    "the store is busy: this was not recorded", hint="send it again in a moment"
                )
            if not future.done():
                raise OutcomeUnknownError(
                    "the store went away while it recorded this: it may be recorded or not",
                    hint="send it again: what was recorded already is not recorded twice",
                )
