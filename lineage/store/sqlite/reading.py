"""What every read has in common: where it stands, and what is visible there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import apsw

from lineage.store.contract import View
from lineage.store.sqlite.connection import Row, query, rows_of

__all__ = ["KNOWN", "Reading"]

KNOWN = "e.rf <= :P AND (e.rt IS NULL OR e.rt > :P)"
"""A row ``e`` is visible at the position."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One read: a snapshot, and the view it was asked at (``:P`` and ``:T`` of every query)."""

    connection: apsw.Connection
    position: int
    as_of: int

    @classmethod
    def at(cls, connection: apsw.Connection, view: View) -> Reading:
        """A read at a view."""
        return cls(connection, view.position, view.as_of)

    def _bound(self, bindings: dict[str, Any]) -> dict[str, Any]:
        return {"P": self.position, "T": self.as_of, **bindings}

    def query(self, sql: str, **bindings: Any) -> Iterable[Row]:
        """Rows of a query, lazily."""
        return query(self.connection, sql, self._bound(bindings))

    def rows(self, sql: str, **bindings: Any) -> list[Row]:
        """Rows of a query."""
        return rows_of(self.connection, sql, self._bound(bindings))

    def numbers(self, urns: Iterable[str]) -> dict[str, int]:
        """The numbers of those ids that are known at the position."""
        sql = """SELECT n.urn, n.id FROM json_each(:urns) j
            CROSS JOIN node n ON n.urn = j.value WHERE n.first <= :P"""
        possible = [urn for urn in urns if urn.isascii() and urn.isprintable()]
        return dict(self.rows(sql, urns=json.dumps(possible)))
