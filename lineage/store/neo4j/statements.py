"""The statements of one transaction: questions, and writes that nobody waits for.

Writes go to the database in order, on a thread of their own, while what comes next is worked out:
it is busy for about as long as we are. A question waits for the writes before it.
"""

from __future__ import annotations

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
        self._tx.run(query, parameters).consume()

    def finish(self) -> None:
        """Wait for the writes. Raises what the first of them raised that failed."""
        sent, self._sent = self._sent, []
        wait(sent)
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
        wait(self._sent)  # whoever ends the transaction has the connection for itself
