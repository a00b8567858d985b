"""Artifacts that were ever said to be one thing, and the derived edges that follow from claims.

Pure: a :class:`Family` is what the writer remembers of the head, loaded from the database once. The
definition of what follows is :func:`lineage.model.resolution.derive`; here only what a change can
have changed is looked at: uses that resolve to a changed version, that may now resolve to it, or
that say its number; the runs that made it, which do not read what they wrote, and their
placeholders.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from lineage.model.canonical import FOREVER
from lineage.model.claims import Method
from lineage.model.ids import artifact_of, run_token, token_of, with_version
from lineage.model.resolution import components, is_placeholder
from lineage.store.neo4j.derived import (
    Derived,
    DerivedRow,
    Owner,
    Stretch,
    of_placeholder,
    of_token,
    of_use,
    owner_of,
)
from lineage.store.neo4j.groups import Claimed, Group, Order, UseKey, order_of

__all__ = ["Alias", "Family"]

Alias = tuple[str, str, int, int]
"""Two ids that are one over ``[since, until)``."""


@dataclass(slots=True)
class _Dirty:
    """What changed since the family settled, and what has to be looked at for it."""

    uses: set[UseKey] = field(default_factory=set)
    versions: dict[str, Order | None] = field(default_factory=dict)
    """With the places they had."""
    runs: set[str] = field(default_factory=set)
    said: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)


class Family:
    """One component of ids that were ever said to be the same, as it is at the head.

    There is one for every artifact, most of them small: what is not needed is not made.
    """

    __slots__ = (
        "_aliases", "_dirty", "_resolved", "_segments", "_shown", "claimed", "members", "touched",
    )  # fmt: skip

    def __init__(
        self,
        members: Iterable[str],
        aliases: Iterable[Alias] = (),
        claimed: Claimed | None = None,
        rows: Iterable[DerivedRow] = (),
    ) -> None:
        self.members = frozenset(members)
        self.claimed = claimed or Claimed()
        self.touched = 0
        """The transaction that last asked for it."""
        self._aliases = tuple(sorted(aliases))
        self._segments: list[Stretch] | None = None
        self._shown: dict[Owner, dict[Derived, DerivedRow]] = {}
        self._resolved: dict[str, set[UseKey]] = {}
        self._dirty: _Dirty | None = None
        for row in rows:
            self._show(owner_of(row.edge), row)

    @property
    def weight(self) -> int:
        """About how many things are remembered."""
        return len(self.claimed.uses) + len(self.claimed.versions) + 1

    def rows(self) -> list[DerivedRow]:
        """Every derived edge that shows."""
        return [row for rows in self._shown.values() for row in rows.values()]

    def merged(self, other: Family) -> Family:
        """Both as one; everything is looked at again when it settles."""
        claimed = Claimed()
        claimed.update(self.claimed)
        claimed.update(other.claimed)
        aliases = {*self._aliases, *other._aliases}  # same class
        rows = (*self.rows(), *other.rows())
        family = Family(self.members | other.members, aliases, claimed, rows)
        family.realias(aliases)
        return family

    def realias(self, aliases: Iterable[Alias]) -> None:
        """What is one thing, and when, is different now: everything is looked at again."""
        self._aliases = tuple(sorted(aliases))
        self._segments = None
        claimed, dirty = self.claimed, self._changing()
        dirty.versions = {version: order_of(claimed, version) for version in dirty.versions}
        dirty.uses |= claimed.uses.keys()
        dirty.tokens |= {"", *map(token_of, claimed.versions)}
        dirty.runs |= claimed.outputs.keys()

    def _changing(self) -> _Dirty:
        if self._dirty is None:
            self._dirty = _Dirty()
        return self._dirty

    # --- what is one thing when

    def _over_time(self) -> list[Stretch]:
        """Stretches of valid time with the group of every member."""
        if self._segments is None:
            groups: dict[frozenset[str], Group] = {}
            self._segments = [
                (since, until, self._grouped(since, groups))
                for since, until in _stretches(self._aliases)
            ]
        return self._segments

    def _grouped(self, when: int, groups: dict[frozenset[str], Group]) -> dict[str, Group]:
        classes = components(
            (a, b) for a, b, since, until in self._aliases if since <= when < until
        )
        by_first: dict[str, set[str]] = {}
        for member in self.members:
            by_first.setdefault(classes.get(member, member), set()).add(member)
        of_member: dict[str, Group] = {}
        for found in by_first.values():
            inside = frozenset(found)
            group = groups.get(inside)
            if group is None:
                group = groups[inside] = Group(inside, self.claimed)
            of_member |= dict.fromkeys(inside, group)
        return of_member

    def _groups_of(self, artifact: str) -> list[Group]:
        """Groups that an artifact is ever in, each once."""
        return list({id(g): g for _, _, of in self._over_time() for g in (of[artifact],)}.values())

    # --- claims come and go

    def know(self, version: str) -> None:
        """A version is known from now on."""
        if version not in self.claimed.versions:
            self._touch(version)
            self.claimed.know(version)
            self._changing().tokens.add(token_of(version))

    def commit(self, version: str, at: int, seq: int) -> None:
        """A commit of a table's log made a version."""
        self._touch(version)
        self.claimed.versions[version].append((at, seq))

    def use(self, key: UseKey, at: int, method: Method, seq: int) -> None:
        """A run used an artifact."""
        self._reuse(key, [*self.claimed.uses.get(key, ()), (at, method, seq)])

    def output(self, run: str, version: str, said: str, at: int, seq: int) -> None:
        """A run made a version."""
        self._touch(version)
        self.claimed.output(run, version, said, at, seq)
        self._changing().said.add(said)

    def forget(self, seq: int, uses: Iterable[UseKey], versions: Iterable[str]) -> None:
        """The claims of entry ``seq`` about these are withdrawn."""
        claimed, dirty = self.claimed, self._changing()
        for key in uses:
            self._reuse(key, [claim for claim in claimed.uses.get(key, ()) if claim[2] != seq])
        for version in versions:
            self._touch(version)
            made = claimed.versions[version]
            made[:] = [claim for claim in made if claim[1] != seq]
            for run in list(claimed.makers.get(version, ())):
                dirty.runs.add(run)
                dirty.said |= claimed.withdraw(run, version, seq)

    def _reuse(self, key: UseKey, claims: list[tuple[int, Method, int]]) -> None:
        if self._segments is not None:
            had = min((claim[0] for claim in self.claimed.uses.get(key, ())), default=None)
            has = min((claim[0] for claim in claims), default=None)
            for group in self._groups_of(key[1]):
                group.reuse(key, had, has)
        self.claimed.use(key, claims)
        self._changing().uses.add(key)

    def _touch(self, version: str) -> None:
        dirty = self._changing()
        if version not in dirty.versions:
            dirty.versions[version] = order_of(self.claimed, version)
            dirty.said |= self.claimed.said_of(version)
            dirty.runs |= self.claimed.makers.get(version, set())

    # --- what follows

    def settle(self, seq: int) -> list[DerivedRow]:
        """Bring derived edges to what the claims say from ``seq`` on; returns the rows touched."""
        dirty, self._dirty = self._dirty, None
        if dirty is None:
            return []
        owners: dict[Owner, None] = {}
        uses, placeholders = self._reached(dirty)
        for placeholder in placeholders:
            owners["tie", placeholder] = None
            for run in self.claimed.makers.get(placeholder, ()):
                uses |= self.claimed.uses_of.get(run, set())
        for key in uses:
            owners["use", *key] = None
        if len(self.members) > 1:
            owners |= {("star", token): None for token in dirty.tokens}
        touched: list[DerivedRow] = []
        for owner in owners:
            touched += self._replace(owner, self._wanted(owner), seq)
        return touched

    def _reached(self, dirty: _Dirty) -> tuple[set[UseKey], set[str]]:
        """Uses and placeholders that the changes may have changed."""
        claimed, uses = self.claimed, set(dirty.uses)
        placeholders = {version for version in dirty.versions if is_placeholder(version)}
        said, runs = set(dirty.said) - {""}, set(dirty.runs)
        for version in dirty.versions:
            said |= claimed.said_of(version)
            runs |= claimed.makers.get(version, set())
            uses |= self._resolved.get(version, set())
        uses |= self._passed(dirty.versions)
        for text in said:
            uses |= claimed.uses_saying.get(text, set())
            placeholders |= set(filter(is_placeholder, claimed.outputs_saying.get(text, ())))
        for run in runs:
            uses |= claimed.uses_of.get(run, set())
            placeholders |= self._placeholders_of(run)
        return uses, placeholders

    def _passed(self, versions: Mapping[str, Order | None]) -> set[UseKey]:
        """Uses that versions, by where they were or are now, may be the last before."""
        if not self.claimed.uses:
            self._segments = None  # made again, in order, for the first use
            return set()
        moved = [(v, before, order_of(self.claimed, v)) for v, before in versions.items()]
        if self._segments is not None:
            for version, before, after in moved:
                for group in self._groups_of(artifact_of(version)):
                    group.reorder(before, after)
        return {
            key
            for version, before, after in moved
            for order in {before, after}
            if order is not None
            for group in self._groups_of(artifact_of(version))
            for key in group.window(order)
        }

    def _placeholders_of(self, run: str) -> set[str]:
        token = run_token(run)
        possible = {with_version(member, token) for member in self.members}
        return possible & self.claimed.versions.keys()

    # --- the edges of one owner

    def _wanted(self, owner: Owner) -> set[Derived]:
        if owner[0] == "use":
            return of_use((owner[1], owner[2], owner[3]), self.claimed, self._over_time)
        if owner[0] == "tie":
            return of_placeholder(owner[1], self.claimed, self._over_time)
        return of_token(owner[1], self.members, self.claimed, self._over_time())

    def _replace(self, owner: Owner, wanted: set[Derived], seq: int) -> list[DerivedRow]:
        had = self._shown.get(owner, {})
        touched: list[DerivedRow] = []
        for edge in had.keys() - wanted:
            row = had.pop(edge)
            row.rt = seq
            touched.append(row)
            if owner[0] == "use" and not any(edge.up == other.up for other in had):
                self._resolved[edge.up].discard((owner[1], owner[2], owner[3]))
        for edge in wanted - had.keys():
            row = DerivedRow(edge, seq)
            self._show(owner, row)
            touched.append(row)
        if not self._shown.get(owner):
            self._shown.pop(owner, None)
        return touched

    def _show(self, owner: Owner, row: DerivedRow) -> None:
        self._shown.setdefault(owner, {})[row.edge] = row
        if owner[0] == "use":
            self._resolved.setdefault(row.edge.up, set()).add((owner[1], owner[2], owner[3]))


def _stretches(aliases: Sequence[Alias]) -> Iterator[tuple[int, int]]:
    """Valid time cut wherever anything begins or ceases to be one."""
    points = sorted({-FOREVER, *(p for a in aliases for p in a[2:] if p < FOREVER)})
    yield from pairwise([*points, FOREVER])
