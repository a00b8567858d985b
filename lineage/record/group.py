"""Group commit: writers wait together for one commit.

A durable commit costs one fsync however many things it holds, so concurrent writers share it: the
first that comes is committed at once, those that come meanwhile are committed together next. What
commits is a store's append, or the spool's.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from lineage.errors import StoreBusyError, StoreUnavailableError

__all__ = ["GroupCommitter"]

Thing = TypeVar("Thing")
Result = TypeVar("Result")


@dataclass(slots=True)
class _Waiting(Generic[Thing, Result]):
    things: Sequence[Thing]
    done: Future[list[Result]]


class GroupCommitter(Generic[Thing, Result]):
    """One committing thread; :meth:`commit` blocks until the things are durable.

    ``commit`` takes things of several writers, all or none, and gives a result for each.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Thing]], Sequence[Result]],
        *,
        most: int = 1000,
        waiting: int = 10_000,
    ) -> None:
        self._commit_all = commit
        self._most = most
        self._queue: queue.Queue[_Waiting[Thing, Result] | None] = queue.Queue(waiting)
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._closed = False
        self._closing = threading.Lock()
        """Nothing is queued behind the end: nobody would commit it."""
        self._thread.start()

    def submit(self, things: Sequence[Thing]) -> Future[list[Result]]:
        """Queue things; the future is done when they are durable.

        It can be cancelled until their commit begins. Raises ``StoreBusyError`` when too many wait.
        """
        waiting = _Waiting[Thing, Result](things, Future())
        with self._closing:
            if self._closed:
                raise StoreBusyError(
                    "the service is stopping", hint="send it again to the next one"
                )
            try:
                self._queue.put_nowait(waiting)
            except queue.Full as fault:
                raise StoreBusyError(
                    "too many changes wait to be recorded", hint="send it again in a moment"
                ) from fault
        return waiting.done

    def commit(self, things: Sequence[Thing]) -> list[Result]:
        """Commit things together with those of other writers; a result for each."""
        return self.submit(things).result()

    @property
    def depth(self) -> int:
        """How many writers wait."""
        return self._queue.qsize()

    def close(self, seconds: float | None = None) -> None:
        """Commit what waits, then stop; give up after ``seconds`` where what commits hangs."""
        with self._closing:
            first, self._closed = not self._closed, True
        if first:
            self._queue.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, size, last = [first], len(first.things), False
            while size < self._most:
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    last = True
                    break
                batch.append(following)
                size += len(following.things)
            self._commit([w for w in batch if w.done.set_running_or_notify_cancel()])
            if last:
                return

    def _commit(self, batch: list[_Waiting[Thing, Result]]) -> None:
        """One commit for all; if it fails one for each, so that none suffers for another."""
        if len(batch) > 1:
            joined = [thing for waiting in batch for thing in waiting.things]
            try:
                results = self._commit_all(joined)
            except (StoreUnavailableError, StoreBusyError) as fault:
                # Nobody's fault, and each alone would wait as long to hear the same.
                for waiting in batch:
                    waiting.done.set_exception(fault)
                return
            except Exception:  # noqa: BLE001, S110 - whose fault it is shows when each goes alone
                pass
            else:
                start = 0
                for waiting in batch:
                    end = start + len(waiting.things)
                    waiting.done.set_result(list(results[start:end]))
                    start = end
                return
        for waiting in batch:
            try:
                waiting.done.set_result(list(self._commit_all(waiting.things)))
            except BaseException as fault:  # noqa: BLE001 - handed to whoever waits for it
                waiting.done.set_exception(fault)
