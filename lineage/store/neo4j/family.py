"""Artifacts that were ever said to be one thing, and the derived edges that follow from claims.

Pure: a :class:`Family` is what the writer remembers of the head, loaded from the database once. The
definition of what follows is :func:`lineage.model.resolution.derive`; here only what a change can
have changed is looked at: uses that resolve to a changed version, that may now resolve to it, or
that say its number; the runs that made it, which do not read what they wrote, and their
placeholders.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lineage.model.canonical import FOREVER
from lineage.model.claims import EdgeType, Method
from lineage.model.ids import artifact_of, number_of_token, run_token, token_of, with_version
from lineage.model.resolution import components, is_placeholder
from lineage.store.neo4j.groups import Claimed, Group, Order, UseKey, order_of

__all__ = ["Alias", "Derived", "DerivedRow", "Family", "Owner", "owner_of"]

Alias = tuple[str, str, int, int]
"""Two ids that are one over ``[since, until)``."""
Owner = tuple[str, ...]
"""What derived edges follow from: a use, a placeholder, or the token of versions under aliases."""
Piece = tuple[str, Method, int, int]
"""A target over a stretch of valid time: (target, method, since, until)."""


class Derived(NamedTuple):
    """A derived edge over ``[since, until)``; ``used`` and ``said`` name the use it resolves."""

    type: EdgeType
    up: str
    down: str
    since: int
    until: int
    method: Method
    used: str = ""
    said: str = ""


@dataclass(slots=True, eq=False)
class DerivedRow:
    """A derived edge at positions ``[rf, rt)``; ``stored``: the database has it."""

    edge: Derived
    rf: int
    rt: int = FOREVER
    stored: bool = False


def owner_of(edge: Derived) -> Owner:
    """What an edge follows from."""
    if edge.type is EdgeType.USED:
        return ("use", edge.down, edge.used, edge.said)
    if edge.method is Method.INFERRED:
        return ("tie", edge.down if is_placeholder(edge.down) else edge.up)
    return ("star", token_of(edge.up))


class Family:
    """One component of ids that were ever said to be the same, as it is at the head."""

    def __init__(
        self,
        members: Iterable[str],
        aliases: Sequence[Alias] = (),
        claimed: Claimed | None = None,
        rows: Iterable[DerivedRow] = (),
    ) -> None:
        self.members = frozenset(members)
        self.claimed = claimed or Claimed()
        self._shown: dict[Owner, dict[Derived, DerivedRow]] = defaultdict(dict)
        self._resolved: dict[str, set[UseKey]] = defaultdict(set)
        for row in rows:
            self._show(owner_of(row.edge), row)
        self._dirty_uses: set[UseKey] = set()
        self._dirty_versions: dict[str, Order | None] = {}
        self._dirty_runs: set[str] = set()
        self._dirty_said: set[str] = set()
        self._dirty_tokens: set[str] = set()
        self._aliases: tuple[Alias, ...] = ()
        self.realias(aliases)
        self._dirty_uses.clear()
        self._dirty_tokens.clear()

    @property
    def weight(self) -> int:
        """About how many things are remembered."""
        return len(self.claimed.uses) + len(self.claimed.versions) + 1

    def merged(self, other: Family) -> Family:
        """Both as one; everything is looked at again when it settles."""
        claimed = Claimed()
        claimed.update(self.claimed)
        claimed.update(other.claimed)
        family = Family(self.members | other.members, self._aliases + other._aliases, claimed)
        for row in (*self.rows(), *other.rows()):
            family._show(owner_of(row.edge), row)
        family.realias(family._aliases)
        return family

    def rows(self) -> list[DerivedRow]:
        """Every derived edge that shows."""
        return [row for rows in self._shown.values() for row in rows.values()]

    def realias(self, aliases: Iterable[Alias]) -> None:
        """What is one thing, and when, is different now."""
        self._aliases = tuple(sorted(aliases))
        points = sorted({-FOREVER, *(p for a in self._aliases for p in a[2:] if p < FOREVER)})
        groups: dict[frozenset[str], Group] = {}
        self._segments: list[tuple[int, int, dict[str, Group]]] = []
        for index, point in enumerate(points):
            until = points[index + 1] if index + 1 < len(points) else FOREVER
            pairs = ((a, b) for a, b, since, end in self._aliases if since <= point < end)
            classes = components(pairs)
            by_first: dict[str, set[str]] = defaultdict(set)
            for member in self.members:
                by_first[classes.get(member, member)].add(member)
            of_member: dict[str, Group] = {}
            for found in by_first.values():
                inside = frozenset(found)
                group = groups.get(inside)
                if group is None:
                    group = groups[inside] = Group(inside, self.claimed)
                of_member |= dict.fromkeys(inside, group)
            self._segments.append((point, until, of_member))
        self._groups = list(groups.values())
        # They hold what is claimed by now, and everything is looked at again.
        self._dirty_versions = {v: order_of(self.claimed, v) for v in self._dirty_versions}
        self._dirty_uses |= self.claimed.uses.keys()
        self._dirty_tokens |= {"", *map(token_of, self.claimed.versions)}
        self._dirty_runs |= self.claimed.outputs.keys()

    def _groups_of(self, artifact: str) -> list[Group]:
        return [group for group in self._groups if artifact in group.members]

    # --- claims come and go

    def know(self, version: str) -> None:
        """A version is known from now on."""
        if version not in self.claimed.versions:
            self._touch(version)
            self.claimed.versions[version] = []
            self._dirty_tokens.add(token_of(version))
            number = number_of_token(token_of(version))
            if number:
                self.claimed.numbered[number].add(version)

    def commit(self, version: str, at: int, seq: int) -> None:
        """A commit of a table's log made a version."""
        self._touch(version)
        self.claimed.versions[version].append((at, seq))

    def use(self, key: UseKey, at: int, method: Method, seq: int) -> None:
        """A run used an artifact."""
        claims = self.claimed.uses.setdefault(key, [])
        self._reuse(key, claims, [*claims, (at, method, seq)])
        self.claimed.uses_of[key[0]].add(key)
        if key[2]:
            self.claimed.uses_saying[key[2]].add(key)

    def output(self, run: str, version: str, said: str, at: int, seq: int) -> None:
        """A run made a version."""
        self._touch(version)
        self.claimed.versions[version].append((at, seq))
        self.claimed.outputs[run].setdefault(version, []).append((said, at, seq))
        self.claimed.makers[version].add(run)
        if said:
            self.claimed.outputs_saying[said].add(version)
            self._dirty_said.add(said)

    def forget(self, seq: int, uses: Iterable[UseKey], versions: Iterable[str]) -> None:
        """The claims of entry ``seq`` about these are withdrawn."""
        for key in uses:
            claims = self.claimed.uses.get(key, [])
            self._reuse(key, claims, [claim for claim in claims if claim[2] != seq])
        for version in versions:
            self._touch(version)
            made = self.claimed.versions[version]
            made[:] = [claim for claim in made if claim[1] != seq]
            for run in list(self.claimed.makers[version]):
                self._forget_output(run, version, seq)

    def _forget_output(self, run: str, version: str, seq: int) -> None:
        self._dirty_runs.add(run)
        claims = self.claimed.outputs[run][version]
        said = {claim[0] for claim in claims} - {""}
        claims[:] = [claim for claim in claims if claim[2] != seq]
        if not claims:
            del self.claimed.outputs[run][version]
            self.claimed.makers[version].discard(run)
        self._dirty_said |= said
        for text in said - self.claimed.said_of(version):
            self.claimed.outputs_saying[text].discard(version)
        number = number_of_token(token_of(version))
        if number in said and not self._still_says(version, number):
            self.claimed.outputs_saying[number].discard(version)

    def _still_says(self, version: str, said: str) -> bool:
        outputs, runs = self.claimed.outputs, self.claimed.makers[version]
        return any(text == said for run in runs for text, _, _ in outputs[run].get(version, ()))

    def _reuse(
        self,
        key: UseKey,
        before: list[tuple[int, Method, int]],
        after: list[tuple[int, Method, int]],
    ) -> None:
        had = min((claim[0] for claim in before), default=None)
        has = min((claim[0] for claim in after), default=None)
        for group in self._groups_of(key[1]):
            group.reuse(key, had, has)
        if after:
            self.claimed.uses[key] = after
        else:
            self.claimed.uses.pop(key, None)
            self.claimed.uses_of[key[0]].discard(key)
            self.claimed.uses_saying[key[2]].discard(key)
        self._dirty_uses.add(key)

    def _touch(self, version: str) -> None:
        if version not in self._dirty_versions:
            self._dirty_versions[version] = order_of(self.claimed, version)
            self._dirty_said |= self.claimed.said_of(version)
            self._dirty_runs |= self.claimed.makers.get(version, set())

    # --- what follows

    def settle(self, seq: int) -> list[DerivedRow]:
        """Bring derived edges to what the claims say from ``seq`` on; returns the rows touched."""
        owners: dict[Owner, None] = {}
        uses, placeholders = self._reached()
        for placeholder in placeholders:
            owners["tie", placeholder] = None
            for run in self.claimed.makers.get(placeholder, ()):
                uses |= self.claimed.uses_of.get(run, set())
        for key in uses:
            owners["use", *key] = None
        if len(self.members) > 1:
            owners |= {("star", token): None for token in self._dirty_tokens}
        self._dirty_uses, self._dirty_versions = set(), {}
        for dirty in (self._dirty_runs, self._dirty_said, self._dirty_tokens):
            dirty.clear()
        touched: list[DerivedRow] = []
        for owner in owners:
            touched += self._replace(owner, self._wanted(owner), seq)
        return touched

    def _reached(self) -> tuple[set[UseKey], set[str]]:
        """Uses and placeholders that the changes may have changed."""
        claimed, uses = self.claimed, set(self._dirty_uses)
        placeholders = {version for version in self._dirty_versions if is_placeholder(version)}
        said, runs = set(self._dirty_said), set(self._dirty_runs)
        changed: list[tuple[str, Order | None, Order | None]] = []
        for version, before in self._dirty_versions.items():
            after = order_of(claimed, version)
            changed.append((version, before, after))
            for group in self._groups_of(artifact_of(version)):
                group.reorder(before, after)
            said |= claimed.said_of(version)
            runs |= claimed.makers.get(version, set())
        for version, before, after in changed:
            uses |= self._resolved.get(version, set())
            for order in {before, after} - {None}:
                for group in self._groups_of(artifact_of(version)):
                    uses.update(group.window(order))  # type: ignore[arg-type]  # None was removed
        for text in said:
            uses |= claimed.uses_saying.get(text, set())
            placeholders |= set(filter(is_placeholder, claimed.outputs_saying.get(text, ())))
        for run in runs:
            uses |= claimed.uses_of.get(run, set())
            placeholders |= self._placeholders_of(run)
        return uses, placeholders

    def _placeholders_of(self, run: str) -> set[str]:
        token = run_token(run)
        possible = {with_version(member, token) for member in self.members}
        return possible & self.claimed.versions.keys()

    # --- the edges of one owner

    def _wanted(self, owner: Owner) -> set[Derived]:
        if owner[0] == "use":
            return self._of_use((owner[1], owner[2], owner[3]))
        return self._of_placeholder(owner[1]) if owner[0] == "tie" else self._of_token(owner[1])

    def _of_use(self, key: UseKey) -> set[Derived]:
        claims = self.claimed.uses.get(key)
        if not claims:
            return set()
        run, artifact, said = key
        at, method = min(claim[0] for claim in claims), min(claim[1] for claim in claims)
        pieces: list[Piece] = []
        for since, until, groups in self._segments:
            start = max(since, at)
            if start < until:
                pieces.append((*groups[artifact].resolve(key, at, method), start, until))
        return {
            Derived(EdgeType.USED, target, run, since, until, how, artifact, said)
            for target, how, since, until in _joined(pieces)
        }

    def _of_placeholder(self, version: str) -> set[Derived]:
        first = self.claimed.first_output(version)
        pieces: list[Piece] = []
        for since, until, groups in self._segments if first is not None else ():
            start = max(since, first or -FOREVER)
            twin = groups[artifact_of(version)].twin(version)
            if twin is not None and start < until:
                pieces.append((twin, Method.INFERRED, start, until))
        return {edge for piece in _joined(pieces) for edge in _both(version, piece)}

    def _of_token(self, token: str) -> set[Derived]:
        known = {
            member: version for member in self.members
            if (version := with_version(member, token) if token else member) == member
            or version in self.claimed.versions
        }  # fmt: skip
        pieces: dict[str, list[Piece]] = defaultdict(list)
        for since, until, groups in self._segments:
            for member, version in known.items():
                least = min(known[m] for m in groups[member].members if m in known)
                if least != version:
                    pieces[version].append((least, Method.DECLARED, since, until))
        return {
            edge
            for version, of_one in pieces.items()
            for piece in _joined(of_one)
            for edge in _both(version, piece)
        }

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
        self._shown[owner][row.edge] = row
        if owner[0] == "use":
            self._resolved[row.edge.up].add((owner[1], owner[2], owner[3]))


def _both(one: str, piece: Piece) -> list[Derived]:
    other, method, since, until = piece
    return [
        Derived(EdgeType.SAME_AS, up, down, since, until, method)
        for up, down in ((one, other), (other, one))
    ]


def _joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Pieces in order of time, those of one target that follow each other made one."""
    out: list[Piece] = []
    for target, method, since, until in pieces:
        if out and out[-1][:2] == (target, method) and out[-1][3] == since:
            out[-1] = (target, method, out[-1][2], until)
        else:
            out.append((target, method, since, until))
    return out
