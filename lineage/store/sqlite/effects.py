"""Derived edges of one entry, by looking at all that its changes can have changed.

A change of a version reaches: the uses that resolve to it; later uses that resolve to the version
before it, or to none; uses and outputs that say its number; the runs that made it, which do not
read what they wrote, and their placeholders. Everything else stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable

from lineage.model.canonical import FOREVER
from lineage.model.claims import EdgeType, Method
from lineage.model.ids import artifact_of, number_of_token, run_token, token_of, with_version
from lineage.model.resolution import is_placeholder
from lineage.store.sqlite.changes import UseKey, VersionChange
from lineage.store.sqlite.components import Artifact, Components, Group
from lineage.store.sqlite.connection import Row
from lineage.store.sqlite.derivation import OPEN_USE, RESOLVED_USE, Derivation
from lineage.store.sqlite.facts import Candidate, Facts
from lineage.store.sqlite.names import Names

__all__ = ["Effects"]

_SAME_AS = int(EdgeType.SAME_AS)
_USE = int(OPEN_USE)
_INFERRED = int(Method.INFERRED)
Piece = tuple[int, int, int, int]
"""A target over a stretch of valid time: (target, method, since, until)."""


class Effects:
    """Works out and writes what follows from changes. Everything must have been flushed."""

    def __init__(
        self, names: Names, components: Components, derivation: Derivation, facts: Facts
    ) -> None:
        self._names = names
        self._components = components
        self._derivation = derivation
        self._facts = facts

    def _artifact(self, number: int) -> Artifact:
        return self._components.artifact(number, fresh=self._names.new_here(number))

    def settle(
        self, uses: dict[UseKey, None], versions: dict[int, VersionChange], seq: int
    ) -> None:
        """Resolve these uses, and all that the changes of these versions reach."""
        placeholders: dict[int, None] = {}
        for number, change in versions.items():
            artifact = self._artifact(change.artifact)
            if artifact.aliased and change.new:
                self._tie(token_of(change.urn), artifact, seq)
            uses |= dict.fromkeys(self._facts.resolved_to(number, -FOREVER))
            for run in change.runs | self._facts.makers(number):
                uses |= dict.fromkeys(self._facts.uses_of(run, artifact.members))
                placeholders |= dict.fromkeys(self._placeholders_of(run, artifact.members))
            saying = self._saying(change, artifact.members)
            uses |= dict.fromkeys(key for key in saying if isinstance(key, tuple))
            placeholders |= dict.fromkeys(p for p in saying if isinstance(p, int))
        for placeholder in placeholders:
            artifact = self._tie_placeholder(placeholder, seq)
            for run in self._facts.makers(placeholder):
                uses |= dict.fromkeys(self._facts.uses_of(run, artifact.members))
        for number, change in sorted(versions.items(), key=self._order):
            uses |= dict.fromkeys(self._later_uses(number, change, uses, seq))
        for key in uses:
            self._resolve(key, seq)

    def _order(self, item: tuple[int, VersionChange]) -> tuple[int, int, str]:
        number, change = item
        return Candidate(number, change.urn, self._names.made(number)).order()

    def _saying(self, change: VersionChange, members: Group) -> list[UseKey | int]:
        """Uses, and placeholders, that say a number which the version has or is said to have."""
        number = number_of_token(token_of(change.urn))
        return [
            (down, up, said) if kind == _USE else down
            for said in change.said | ({number} if number else set())
            for kind, down, up in self._facts.sayings(members, said)
        ]

    def _placeholders_of(self, run: int, members: Group) -> Iterable[int]:
        token = run_token(self._facts.urn(run))
        for member in members:
            number = self._names.find(with_version(self._facts.urn(member), token))
            if number is not None:
                yield number

    def _later_uses(
        self, number: int, change: VersionChange, looked_at: dict[UseKey, None], seq: int
    ) -> list[UseKey]:
        """Uses after a version was made that resolve to the one before it, or to none.

        They mean this one now. Those that have to be looked at one by one are returned.
        """
        version = Candidate(number, change.urn, self._names.made(number))
        artifact = self._artifact(change.artifact)
        last_use = max(self._artifact(member).last_use for member in artifact.members)
        if version.made is None or version.made >= last_use:
            return []
        found: list[UseKey] = []
        for group in {segment.group(change.artifact) for segment in artifact.segments}:
            before = self._facts.latest(group, version.order(), set())
            if before is not None:
                for run in self._not_reading(before, group):
                    found += self._facts.uses_of(run, artifact.members)
            if not artifact.aliased:
                self._move(version, before, {*looked_at, *found}, change.artifact, seq)
                continue
            for target in (*group, *([before.number] if before else ())):
                found += self._facts.resolved_to(target, version.made)
        return found

    def _move(
        self,
        version: Candidate,
        before: Candidate | None,
        looked_at: set[UseKey],
        artifact: int,
        seq: int,
    ) -> None:
        """Resolve to a version what resolved to the one before it only for being the last."""
        made = version.made or 0
        moved = [row for key, row in self._facts.moving(artifact, made) if key not in looked_at]
        if before is not None:
            said = self._facts.said_of(before)
            moved += [
                row
                for key, row in self._facts.moving(before.number, made)
                if key not in looked_at and row[5] == _INFERRED and key[2] not in said
            ]
        self._derivation.move(moved, version.number, seq)

    def _not_reading(self, version: Candidate, group: Group) -> set[int]:
        """Runs that may have made a version themselves, also under a placeholder."""
        runs = self._facts.makers(version.number)
        placeholders = [p for run in runs for p in self._placeholders_of(run, group)]
        said = number_of_token(token_of(version.urn))
        if said:
            sayings = self._facts.sayings(group, said)
            placeholders += [down for kind, down, _ in sayings if kind != _USE]
        return runs.union(*(self._facts.makers(placeholder) for placeholder in placeholders))

    # --- one use

    def _resolve(self, key: UseKey, seq: int) -> None:
        run, used, said = key
        note = self._names.note(said, "")
        claim = self._facts.use(key)
        pieces: list[Piece] = []
        if claim is not None:
            at, method = claim
            for segment in self._artifact(used).segments:
                start = max(segment.since, at)
                if start < segment.until:
                    target, how = self._target(key, at, method, segment.group(used))
                    pieces.append((target, how, start, segment.until))
        wanted = [
            (run, RESOLVED_USE, target, since, _open(until), how, used, note)
            for target, how, since, until in _joined(pieces)
        ]
        self._derivation.replace(self._facts.of_use(key, note), wanted, seq)

    def _target(self, key: UseKey, at: int, method: int, group: Group) -> tuple[int, int]:
        """What :func:`lineage.model.resolution.resolve` says, looking only where it matters."""
        run, used, said = key
        own = self._own(run, group)
        if said:
            numbered = [c for c in self._facts.numbered(group, said) if c.number not in own]
            matches = numbered or [
                c for c in self._facts.said_to_be(group, said) if c.number not in own
            ]
            if len({token_of(match.urn) for match in matches}) == 1:
                name = self._facts.urn(used)
                best = min(matches, key=lambda m: (artifact_of(m.urn) != name, m.urn))
                return best.number, method
        earlier = self._facts.latest(group, (at, -FOREVER, ""), own)
        if earlier is not None:
            return earlier.number, _INFERRED
        return used, method

    def _own(self, run: int, group: Group) -> set[int]:
        """What a run made itself, and what its placeholders stand for."""
        made = self._facts.made_by(run, group)
        own = {candidate.number for candidate, _ in made}
        for candidate, _ in made:
            if is_placeholder(candidate.urn):
                twin = self._twin(candidate, group)
                if twin is not None:
                    own.add(twin)
        return own

    # --- equivalences

    def _twin(self, placeholder: Candidate, group: Group) -> int | None:
        """What :func:`lineage.model.resolution.twins` says of one placeholder."""
        token = token_of(placeholder.urn)
        for run in self._facts.makers(placeholder.number):
            if run_token(self._facts.urn(run)) != token:
                continue
            made = self._facts.made_by(run, group)
            said = {said for c, said in made if said and c.number == placeholder.number}
            matches = {c.number for one in said for c in self._facts.numbered(group, one)}
            if len(matches) == 1:
                return matches.pop()
            concrete = [c for c, _ in made if not is_placeholder(c.urn)]
            if concrete:
                return max(concrete, key=Candidate.order).number
        return None

    def _tie_placeholder(self, number: int, seq: int) -> Artifact:
        """Bring the equivalence of a placeholder up to date; returns its artifact."""
        urn = self._facts.urn(number)
        own = self._names.node(artifact_of(urn))
        artifact = self._artifact(own)
        claimed = self._facts.first_claimed(number)
        pieces: list[Piece] = []
        for segment in artifact.segments if claimed is not None else ():
            start = max(segment.since, claimed or -FOREVER)
            twin = self._twin(Candidate(number, urn, None), segment.group(own))
            if twin is not None and start < segment.until:
                pieces.append((twin, _INFERRED, start, segment.until))
        wanted = [row for piece in _joined(pieces) for row in _both(number, piece)]
        self._derivation.replace(self._facts.same(number, Method.INFERRED), wanted, seq)
        return artifact

    def _tie(self, token: str, artifact: Artifact, seq: int) -> None:
        """Bring the equivalence of one version under several names up to date."""
        known = {
            member: (urn, number) for member in artifact.members
            if (number := self._names.find(urn := f"{self._facts.urn(member)}@{token}")) is not None
        }  # fmt: skip
        pieces: dict[int, list[Piece]] = {}
        for segment in artifact.segments:
            for member, (_, number) in known.items():
                least = min(known[m] for m in segment.group(member) if m in known)[1]
                if least != number:
                    piece = (least, int(Method.DECLARED), segment.since, segment.until)
                    pieces.setdefault(number, []).append(piece)
        wanted = [
            row for n, of_one in pieces.items() for p in _joined(of_one) for row in _both(n, p)
        ]
        had = {row for _, n in known.values() for row in self._facts.same(n, Method.DECLARED)}
        self._derivation.replace(had, wanted, seq)


def _both(number: int, piece: Piece) -> list[Row]:
    other, method, since, until = piece
    return [
        (down, _SAME_AS, up, since, _open(until), method, None, None)
        for down, up in ((number, other), (other, number))
    ]


def _open(until: int) -> int | None:
    return None if until == FOREVER else until


def _joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Pieces in order of time, those of one target that follow each other made one."""
    out: list[Piece] = []
    for target, method, since, until in pieces:
        if out and out[-1][:2] == (target, method) and out[-1][3] == since:
            out[-1] = (target, method, out[-1][2], until)
        else:
            out.append((target, method, since, until))
    return out
