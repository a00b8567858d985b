"""Which ids are one thing, and what is remembered of artifacts while entries are appended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import apsw

from lineage.model.canonical import FOREVER
from lineage.model.resolution import Version, components, version_order
from lineage.store.sqlite.connection import query, rows_of

__all__ = ["Artifact", "Components", "Group", "Segment"]

OPEN_USE = 21
Group = tuple[int, ...]
"""Artifacts that are one thing, by number."""

_CACHED = 50_000
_TIES = 16

_NEIGHBOURS = """SELECT DISTINCT s.id, o.id FROM (
  SELECT subj, obj FROM st_op WHERE type = 3 AND subj = :id
  UNION SELECT x.subj, x.obj FROM word w CROSS JOIN st_op x
  ON x.type = 3 AND x.obj = w.id AND x.type NOT IN (1, 4)
  WHERE w.text = (SELECT urn FROM node WHERE id = :id)) p
CROSS JOIN node s ON s.id = p.subj CROSS JOIN word w ON w.id = p.obj
CROSS JOIN node o ON o.urn = w.text WHERE s.parent IS NULL AND o.parent IS NULL"""
_ON = """SELECT e.vf, e.vt FROM st e WHERE e.subj = :a AND e.type = 3
AND e.obj = (SELECT id FROM word WHERE text = (SELECT urn FROM node WHERE id = :b))
AND e.value = 'on' AND e.rf <= :P AND (e.rt IS NULL OR e.rt > :P)"""
_ANY = "SELECT 1 FROM st_op WHERE type = 3 AND type NOT IN (1, 4) LIMIT 1"
_LATEST = """SELECT id, urn, made FROM node WHERE parent = ? AND made IS NOT NULL
ORDER BY made DESC LIMIT ?"""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of valid time over which the same ids are one; ``groups`` by member."""

    since: int
    until: int
    groups: dict[int, Group]

    def group(self, artifact: int) -> Group:
        """What an artifact is one with, itself included."""
        return self.groups.get(artifact, (artifact,))


@dataclass(slots=True)
class Artifact:
    """What is remembered of an artifact, so that most entries need not look."""

    members: Group
    """Artifacts that were ever said to be the same, itself included."""
    segments: Sequence[Segment]
    last_use: int = -FOREVER
    """No open use of it is later."""
    said: bool = False
    """Some use or output of it names a bare number."""
    latest: tuple[tuple[int, int, str], int] | None = None
    """Order and number of its last version, if ``latest_known``; None where it has none."""
    latest_known: bool = False
    aliased: bool = field(init=False)

    def __post_init__(self) -> None:
        self.aliased = len(self.members) > 1


class Components:
    """Answers from memory what it can; cleared when another process wrote, or on rollback."""

    def __init__(self, connection: apsw.Connection, flush: Callable[[], None]) -> None:
        self._connection = connection
        self._flush = flush
        self._artifacts: dict[int, Artifact] = {}
        self._any: bool | None = None

    def clear(self) -> None:
        """Forget everything."""
        self._artifacts.clear()
        self._any = None

    def realias(self, artifacts: Iterable[int]) -> set[int]:
        """Equivalences of these may have changed: look them up again, with all they are one with.

        What is remembered of others stays: of one that is new in this entry it is more than could
        be looked up as new.
        """
        self._any = None
        members: set[int] = set()
        for artifact in artifacts:
            if artifact not in members:
                members.update(self.component(artifact))
        for member in members:
            self._artifacts[member] = self._load(member)
        return members

    def begin(self) -> None:
        """A transaction begins."""
        if len(self._artifacts) > _CACHED:
            self._artifacts.clear()

    def artifact(self, number: int, *, fresh: bool = False) -> Artifact:
        """What is known of an artifact; ``fresh``: nothing was said of it before this entry."""
        found = self._artifacts.get(number)
        if found is None:
            found = self._artifacts[number] = self._new(number) if fresh else self._load(number)
        return found

    def _new(self, number: int) -> Artifact:
        return Artifact((number,), _alone(), latest_known=True)

    def _load(self, number: int) -> Artifact:
        self._flush()
        members = tuple(sorted(self.component(number)))
        segments = self.segments(members, FOREVER) if len(members) > 1 else _alone()
        sql = f"""SELECT (SELECT max(vf) FROM edge WHERE up = :id AND type = {OPEN_USE}),
            EXISTS(SELECT 1 FROM saying WHERE artifact = :id)"""
        ((last_use, said),) = query(self._connection, sql, {"id": number})
        last = -FOREVER if last_use is None else last_use
        return Artifact(members, segments, last, bool(said))

    def component(self, start: int) -> dict[int, set[tuple[int, int]]]:
        """Artifacts that were ever said to be one thing with ``start``, each with its pairs."""
        if self._any is None:
            self._any = bool(rows_of(self._connection, _ANY))
        if not self._any:
            return {start: set()}
        found: dict[int, set[tuple[int, int]]] = {}
        todo = [start]
        while todo:
            artifact = todo.pop()
            if artifact not in found:
                pairs = {(a, b) for a, b in query(self._connection, _NEIGHBOURS, {"id": artifact})}
                found[artifact] = pairs
                todo += [end for pair in pairs for end in pair]
        return found

    def aliases(self, members: Sequence[int], seq: int) -> list[tuple[int, int, int, int]]:
        """Where two of them are one as known at ``seq``: (a, b, since, until)."""
        inside = set(members)
        pairs = {
            pair
            for member in members
            for pair in query(self._connection, _NEIGHBOURS, {"id": member})
            if inside.issuperset(pair)
        }
        return [
            (a, b, since, FOREVER if until is None else until)
            for a, b in pairs
            for since, until in query(self._connection, _ON, {"a": a, "b": b, "P": seq})
        ]

    def segments(self, members: Sequence[int], seq: int) -> list[Segment]:
        """The stretches of valid time over which equivalence does not change."""
        aliases = self.aliases(members, seq)
        points = sorted({-FOREVER, *(p for a in aliases for p in a[2:] if p < FOREVER)})
        found = []
        for index, point in enumerate(points):
            until = points[index + 1] if index + 1 < len(points) else FOREVER
            pairs = [(str(a), str(b)) for a, b, since, end in aliases if since <= point < end]
            classes: dict[str, list[int]] = {}
            for member, first in components(pairs).items():
                classes.setdefault(first, []).append(int(member))
            groups = {m: tuple(sorted(group)) for group in classes.values() for m in group}
            found.append(Segment(point, until, groups))
        return found

    # --- the last version of an artifact

    def latest(self, number: int) -> tuple[bool, tuple[tuple[int, int, str], int] | None]:
        """Order and number of the last version of an artifact that was made, if that is known."""
        artifact = self.artifact(number)
        if not artifact.latest_known:
            self._flush()
            rows = rows_of(self._connection, _LATEST, (number, _TIES))
            orders = [(version_order(Version(urn, made)), id_) for id_, urn, made in rows]
            artifact.latest = max(orders, default=None)
            # Otherwise there are more versions of one instant than were read.
            artifact.latest_known = len(rows) < _TIES or rows[0][2] != rows[-1][2]
        return artifact.latest_known, artifact.latest

    def made(self, artifact: int, version: int, urn: str, at: int) -> None:
        """A version was made, or was made earlier than had been known."""
        known = self._artifacts.get(artifact)
        if known is None or not known.latest_known:
            return
        order = (version_order(Version(urn, at)), version)
        if known.latest is not None and known.latest[1] == version:
            known.latest_known = False
        elif known.latest is None or order > known.latest:
            known.latest = order

    def forget(self, number: int) -> None:
        """Look an artifact up again: claims about it went."""
        self._artifacts.pop(number, None)


def _alone() -> list[Segment]:
    return [Segment(-FOREVER, FOREVER, {})]
