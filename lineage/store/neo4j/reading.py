"""What every read has in common: where it stands, and what is visible there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import neo4j

from lineage.model.canonical import FOREVER
from lineage.store.contract import View

__all__ = ["HOLDS", "KNOWN", "WALKED", "WALKED_CHAINLESS", "Reading", "type_of"]

KNOWN = "r.rf <= $P AND (r.rt IS NULL OR r.rt > $P)"
"""A relationship ``r`` is visible at the position: Neo4j is only read-committed."""
HOLDS = f"{KNOWN} AND r.vf <= $T AND (r.vt IS NULL OR r.vt > $T)"
"""And holds at the valid time."""
WALKED_CHAINLESS = "USED|RESOLVED_USE|GENERATED|DERIVED_FROM|SAME_AS"
WALKED = f"{WALKED_CHAINLESS}|CARRIES"
"""What lineage follows; without the chain of a table's versions where nobody asks for it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One read: a session, and the view it was asked at (``$P`` and ``$T`` of every query)."""

    session: neo4j.Session
    position: int = FOREVER - 1
    as_of: int = FOREVER - 1

    @classmethod
    def at(cls, session: neo4j.Session, view: View) -> Reading:
        """A read at a view."""
        # The open end is a number here: nothing is visible from it on.
        return cls(session, min(view.position, FOREVER - 1), min(view.as_of, FOREVER - 1))

    def rows(self, query: str, **parameters: Any) -> list[list[Any]]:
        """Rows of a query."""
        bound = {"P": self.position, "T": self.as_of, "open": FOREVER, **parameters}
        return [record.values() for record in self.session.run(query, bound)]

    def known(self, ids: Iterable[str]) -> dict[str, int]:
        """Those of ``ids`` that are known at the position, with the entry that said them first."""
        asked = [i for i in dict.fromkeys(ids) if i.isascii()]
        query = """UNWIND $ids AS id MATCH (n:Node {id: id}) WHERE n.first <= $P
            RETURN n.id, n.first"""
        return dict(self.rows(query, ids=asked)) if asked else {}


def type_of(stored: str) -> str:
    """The edge type that a relationship shows as."""
    return "USED" if stored in {"OPEN_USE", "RESOLVED_USE"} else stored
