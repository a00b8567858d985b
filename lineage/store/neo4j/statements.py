"""The statements of one transaction: questions, and writes that nobody waits for.

Writes go to the database in order, on a thread of their own, while what comes next is worked out:
it is busy for about as long as we are. A question waits for the writes before it.
"""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future, wait
from types import TracebackType
from typing import Any, Self

import neo4j

__all__ = ["Statements"]


class Statements:
    """What is asked and written in a transaction, for a ``with`` block inside of it."""

    def __init__(self, tx: neo4j.Transaction, executor: Executor | None = None) -> None:
        """``executor`` has one thread, for a transaction takes one statement at a time.

        Without one, every write is waited for: a few are done before a thread has begun.
        """
        self._tx = tx
        self._executor = executor
        self._sent: list[Future[None]] = []
        self._busy = threading.Lock()
        self._ended = False

    def rows(self, query: str, **parameters: Any) -> list[list[Any]]:
        """Rows of a question, which sees everything that was written before it."""
        self.finish()
        return [record.values() for record in self._tx.run(query, parameters)]

    def write(self, query: str, **parameters: Any) -> None:
        """Write before the next question. What is passed must not change afterwards."""
        if self._executor is None:
            self._write(query, parameters)
        else:
            self._sent.append(self._executor.submit(self._write, query, parameters))

    def _write(self, query: str, parameters: dict[str, Any]) -> None:
        with self._busy:
            # Behind its end a statement would be a transaction of its own.
            if not self._ended:
                self._tx.run(query, parameters).consume()

    def finish(self) -> None:
        """Wait for the writes. Raises what the first of them raised that failed."""
        wait(self._sent)
        sent, self._sent = self._sent, []
        for future in sent:
            future.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Return when nothing is under way: whoever ends the transaction has the connection alone.

        Told to stop meanwhile (Ctrl-C), it gives the connection up: then the database rolls back.
        """
        try:
            self._ended = True
            for future in self._sent:
                future.cancel()
            with self._busy:
                return
        except KeyboardInterrupt:
            self._tx._cancel()  # noqa: SLF001  # what the driver does when it is interrupted
            raise
