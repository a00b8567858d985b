"""Rows on their way into the file: gathered per statement, written many at a time."""

from __future__ import annotations

import apsw

from lineage.store.sqlite.connection import Row

__all__ = ["Rows"]


class Rows:
    """Insertions that nothing has to read yet. Whoever reads a table flushes first."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._waiting: dict[str, list[Row]] = {}

    def add(self, sql: str, row: Row) -> None:
        """Keep one row for ``sql``."""
        rows = self._waiting.get(sql)
        if rows is None:
            self._waiting[sql] = [row]
        else:
            rows.append(row)

    def flush(self) -> None:
        """Write everything that waits."""
        waiting, self._waiting = self._waiting, {}
        for sql, rows in waiting.items():
            self._connection.executemany(sql, rows)

    def clear(self) -> None:
        """Forget everything: the transaction was rolled back."""
        self._waiting = {}
