"""Group commit: writers wait together for one transaction.

A durable commit costs one fsync however many entries it holds, so concurrent writers share it: the
first that comes is committed at once, those that come meanwhile are committed together next.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from lineage.errors import StoreBusyError
from lineage.model.envelope import Actor
from lineage.record.recorder import Incoming, Recorder
from lineage.store.contract import Receipt

__all__ = ["GroupCommitter"]


@dataclass(slots=True)
class _Waiting:
    incoming: Sequence[Incoming]
    actor: Actor
    done: Future[list[Receipt]]


class GroupCommitter:
    """One writing thread over a recorder; :meth:`record` blocks until the entries are durable."""

    def __init__(self, recorder: Recorder, *, most: int = 1000, waiting: int = 10_000) -> None:
        self._recorder = recorder
        self._most = most
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(waiting)
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._closed = False
        self._thread.start()

    def submit(self, incoming: Sequence[Incoming], actor: Actor) -> Future[list[Receipt]]:
        """Queue entries; the future is done when they are durable.

        Raises ``StoreBusyError`` when too many wait already.
        """
        waiting = _Waiting(incoming, actor, Future())
        if self._closed:
            raise StoreBusyError("the service is stopping", hint="send it again to the next one")
        try:
            self._queue.put_nowait(waiting)
        except queue.Full as fault:
            raise StoreBusyError(
                "too many changes wait to be recorded", hint="send it again in a moment"
            ) from fault
        return waiting.done

    def record(self, incoming: Sequence[Incoming], actor: Actor) -> list[Receipt]:
        """As :meth:`Recorder.record`, in a transaction shared with other writers."""
        return self.submit(incoming, actor).result()

    @property
    def depth(self) -> int:
        """How many writers wait."""
        return self._queue.qsize()

    def close(self) -> None:
        """Record what waits, then stop."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, size, last = [first], len(first.incoming), False
            while size < self._most:
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    last = True
                    break
                batch.append(following)
                size += len(following.incoming)
            self._commit(batch)
            if last:
                return

    def _commit(self, batch: list[_Waiting]) -> None:
        """One transaction for all; if it fails one for each, so that none suffers for another."""
        if len(batch) > 1 and len({waiting.actor for waiting in batch}) == 1:
            joined = [item for waiting in batch for item in waiting.incoming]
            try:
                receipts = self._recorder.record(joined, batch[0].actor)
            except Exception:  # noqa: BLE001, S110 - whose fault it is shows when each goes alone
                pass
            else:
                start = 0
                for waiting in batch:
                    end = start + len(waiting.incoming)
                    waiting.done.set_result(receipts[start:end])
                    start = end
                return
        for waiting in batch:
            try:
                waiting.done.set_result(self._recorder.record(waiting.incoming, waiting.actor))
            except BaseException as fault:  # noqa: BLE001 - handed to whoever waits for it
                waiting.done.set_exception(fault)
