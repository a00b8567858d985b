"""What resolution asks of the claims: reads of the head, from inside the transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import apsw

from lineage.model.claims import Method
from lineage.model.ids import is_bare_number, number_of_token, token_of
from lineage.model.resolution import Version, version_order
from lineage.store.sqlite.changes import UseKey
from lineage.store.sqlite.components import OPEN_USE, Group
from lineage.store.sqlite.connection import Row, query, rows_of
from lineage.store.sqlite.derivation import RESOLVED_USE
from lineage.store.sqlite.texts import pack_text, unpack_text

__all__ = ["Candidate", "Facts"]

_COLUMNS = "e.dn, e.type, e.up, e.rf, e.n, e.vf, e.vt, e.method, e.used, e.note"
_OF_USE = f"""SELECT {_COLUMNS} FROM edge e WHERE e.dn = ? AND e.type = {RESOLVED_USE}
AND e.used = ? AND e.note IS ? AND e.rt IS NULL"""
_USE = f"""SELECT min(e.vf), min(e.method) FROM edge e LEFT JOIN note t ON t.id = e.note
WHERE e.dn = ? AND e.type = {OPEN_USE} AND e.up = ? AND coalesce(t.said, '') = ? AND e.rt IS NULL"""
_USE_BEFORE = f"{_USE} AND e.rf < ?"
_CLAIMED_BEFORE = """SELECT 1 FROM edge e LEFT JOIN note t ON t.id = e.note
WHERE e.dn = ? AND e.type = 2 AND e.up = ? AND coalesce(t.said, '') = ? AND e.rt IS NULL
AND e.rf < ? LIMIT 1"""
_RESOLVED_TO = f"""SELECT e.dn, e.used, coalesce(t.said, '') FROM edge e
LEFT JOIN note t ON t.id = e.note
WHERE e.up = ? AND e.type = {RESOLVED_USE} AND e.vf > ? AND e.rt IS NULL"""
_MOVING = f"""SELECT coalesce(t.said, ''), e.dn, e.up, e.rf, e.n, e.vf, e.method, e.used, e.note
FROM edge e LEFT JOIN note t ON t.id = e.note
WHERE e.up = ? AND e.type = {RESOLVED_USE} AND e.vf > ? AND e.rt IS NULL"""
_SAID_OF = """SELECT t.said FROM edge e CROSS JOIN note t ON t.id = e.note
WHERE e.dn = ? AND e.type = 2 AND e.rt IS NULL"""
_USES_OF = f"""SELECT e.dn, e.up, coalesce(t.said, '') FROM edge e LEFT JOIN note t ON t.id = e.note
WHERE e.dn = ? AND e.type = {OPEN_USE} AND e.rt IS NULL"""
_MAKERS = "SELECT DISTINCT e.up FROM edge e WHERE e.dn = ? AND e.type = 2 AND e.rt IS NULL"
_MADE_BY = """SELECT v.id, v.urn, v.parent, v.made, coalesce(t.said, ''), e.vf
FROM edge e CROSS JOIN node v ON v.id = e.dn LEFT JOIN note t ON t.id = e.note
WHERE e.up = ? AND e.type = 2 AND e.rt IS NULL AND v.parent IS NOT NULL"""
_EARLIER = """SELECT id, urn, made FROM node WHERE parent = ? AND made IS NOT NULL AND made <= ?
ORDER BY made DESC"""
_NUMBERED = "SELECT id, urn, made FROM node WHERE urn >= ? AND urn < ?"
_SAYING = "SELECT type, dn, up FROM saying WHERE artifact = ? AND said = ?"
_SAID = """SELECT v.id, v.urn, v.made FROM saying s CROSS JOIN node v ON v.id = s.dn
WHERE s.artifact = ? AND s.said = ? AND s.type = 2 AND EXISTS(
  SELECT 1 FROM edge e CROSS JOIN note t ON t.id = e.note
  WHERE e.dn = s.dn AND e.type = 2 AND e.rt IS NULL AND t.said = s.said)"""
_SAME = f"""SELECT {_COLUMNS} FROM edge e
WHERE e.dn = ?1 AND e.type = 5 AND e.method = ?2 AND e.rt IS NULL
UNION SELECT {_COLUMNS} FROM edge e
WHERE e.up = ?1 AND e.type = 5 AND e.method = ?2 AND e.rt IS NULL"""
_FIRST_MADE = """SELECT min(at) FROM (
  SELECT min(vf) AS at FROM edge WHERE dn = ?1 AND type = 2 AND rt IS NULL
  UNION ALL SELECT min(at) FROM tcommit WHERE ver = ?1 AND rt IS NULL)"""
_FIRST_CLAIM = "SELECT min(vf) FROM edge WHERE dn = ? AND type = 2 AND rt IS NULL"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version that a use may mean."""

    number: int
    urn: str
    made: int | None

    def order(self) -> tuple[int, int, str]:
        """Its place among versions."""
        return version_order(Version(self.urn, self.made))


class Facts:
    """Reads of claims that resolution asks for, as they are at the head."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def urn(self, number: int) -> str:
        """The id of a node."""
        sql = "SELECT urn FROM node WHERE id = ?"
        return str(rows_of(self._connection, sql, (number,))[0][0])

    def use(self, key: UseKey) -> tuple[int, int] | None:
        """Least time and strongest method of an open use."""
        run, artifact, said = key
        bound = (run, artifact, pack_text(said))
        ((at, method),) = query(self._connection, _USE, bound)
        return None if at is None else (at, method)

    def use_before(self, key: UseKey, seq: int) -> tuple[int, int] | None:
        """Least time and strongest method of an open use, as claimed before ``seq``."""
        bound = (key[0], key[1], pack_text(key[2]), seq)
        ((at, method),) = query(self._connection, _USE_BEFORE, bound)
        return None if at is None else (at, method)

    def claimed_before(self, version: int, run: int, said: str, seq: int) -> bool:
        """Whether a run was said before ``seq`` to have made a version of that number."""
        bound = (version, run, pack_text(said), seq)
        return bool(rows_of(self._connection, _CLAIMED_BEFORE, bound))

    def uses_of(self, run: int, members: Group) -> Iterator[UseKey]:
        """Open uses of a run, of any of these artifacts."""
        for dn, up, said in rows_of(self._connection, _USES_OF, (run,)):
            if up in members:
                yield dn, up, unpack_text(said)

    def resolved_to(self, target: int, later_than: int) -> Iterator[UseKey]:
        """Uses after a time that resolve to a version, or not at all to one of an artifact."""
        for dn, used, said in rows_of(self._connection, _RESOLVED_TO, (target, later_than)):
            yield dn, used, unpack_text(said)

    def moving(self, target: int, later_than: int) -> Iterator[tuple[UseKey, Row]]:
        """The same uses, each with its derived row: (dn, up, rf, n, vf, method, used, note)."""
        for said, *row in rows_of(self._connection, _MOVING, (target, later_than)):
            yield (row[0], row[6], unpack_text(said)), tuple(row)

    def said_of(self, version: Candidate) -> set[str]:
        """Numbers that a version has or is said to have."""
        said = {unpack_text(row[0]) for row in query(self._connection, _SAID_OF, (version.number,))}
        number = number_of_token(token_of(version.urn))
        return (said | {number} if number else said) - {""}

    def makers(self, version: int) -> set[int]:
        """Runs that are said to have made a version."""
        return {row[0] for row in query(self._connection, _MAKERS, (version,))}

    def made_by(self, run: int, group: Group) -> list[tuple[Candidate, str]]:
        """What a run is said to have made of these artifacts, with the numbers it said."""
        return [
            (Candidate(number, urn, made), unpack_text(said))
            for number, urn, parent, made, said, _ in query(self._connection, _MADE_BY, (run,))
            if parent in group
        ]

    def numbered(self, group: Group, said: str) -> list[Candidate]:
        """Versions whose token has this number."""
        if not is_bare_number(said):
            return []
        found = []
        for artifact in group:
            urn = self.urn(artifact)
            bounds = (f"{urn}@{said}.", f"{urn}@{said}/")
            found += [Candidate(*row) for row in query(self._connection, _NUMBERED, bounds)]
        return found

    def said_to_be(self, group: Group, said: str) -> list[Candidate]:
        """Versions whose maker said that they have this number."""
        bound = pack_text(said)
        return [
            Candidate(*row)
            for artifact in group
            for row in query(self._connection, _SAID, (artifact, bound))
        ]

    def sayings(self, members: Group, said: str) -> Iterator[tuple[int, int, int]]:
        """Uses and outputs that say a number: (type, down, up)."""
        for artifact in members:
            yield from rows_of(self._connection, _SAYING, (artifact, pack_text(said)))

    def latest(
        self, group: Group, before: tuple[int, int, str], without: set[int]
    ) -> Candidate | None:
        """The last version before a place in the order of versions."""
        best: Candidate | None = None
        for artifact in group:
            for row in query(self._connection, _EARLIER, (artifact, before[0])):
                found = Candidate(*row)
                if best is not None and found.order()[0] < best.order()[0]:
                    break
                if found.number in without or found.order() >= before:
                    continue
                if best is None or found.order() > best.order():
                    best = found
        return best

    def first_made(self, version: int) -> int | None:
        """When a version was first said to be made, by a run or a commit."""
        ((at,),) = query(self._connection, _FIRST_MADE, (version,))
        return at if isinstance(at, int) else None

    def first_claimed(self, version: int) -> int | None:
        """When a run was first said to have made a version."""
        ((at,),) = query(self._connection, _FIRST_CLAIM, (version,))
        return at if isinstance(at, int) else None

    def same(self, number: int, method: Method) -> list[Row]:
        """Derived rows that tie a node to others."""
        return rows_of(self._connection, _SAME, (number, int(method)))

    def of_use(self, key: UseKey, note: int | None) -> list[Row]:
        """Derived rows of a use."""
        return rows_of(self._connection, _OF_USE, (key[0], key[1], note))
