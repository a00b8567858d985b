"""Rows on their way into the file: gathered per statement, written many at a time."""

from __future__ import annotations

import apsw

from lineage.store.sqlite.connection import Row

__all__ = ["Rows"]


class Rows:
    """Insertions and changes that nothing has to read yet. Whoever reads a table flushes first."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._new: dict[str, list[Row]] = {}
        self._changes: dict[str, list[Row]] = {}

    def add(self, sql: str, row: Row) -> None:
        """Keep one row for an insertion."""
        rows = self._new.get(sql)
        if rows is None:
            self._new[sql] = [row]
        else:
            rows.append(row)

    def change(self, sql: str, row: Row) -> None:
        """Keep one row for an update of a row that may itself still wait."""
        self._changes.setdefault(sql, []).append(row)

    @property
    def waiting(self) -> int:
        """How many rows wait."""
        return sum(map(len, self._new.values()))

    def flush(self) -> None:
        """Write everything that waits, insertions first."""
        for waiting in (self._new, self._changes):
            for sql, rows in waiting.items():
                self._connection.executemany(sql, rows)
            waiting.clear()

    def clear(self) -> None:
        """Forget everything: the transaction was rolled back."""
        self._new.clear()
        self._changes.clear()
