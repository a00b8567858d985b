"""Which ids are one thing, and which version a use without one meant: the definitions.

All functions are pure: they take what is visible at a position and know nothing of positions.
Backends keep derived edges equal to :func:`derive` in their own, faster ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lineage.model.canonical import FOREVER
from lineage.model.claims import EdgeType, Method
from lineage.model.ids import (
    PLACEHOLDER,
    artifact_of,
    number_of_token,
    run_token,
    token_of,
    with_version,
)

__all__ = [
    "DerivedEdge",
    "Output",
    "Use",
    "Version",
    "by_artifact",
    "components",
    "derive",
    "is_placeholder",
    "resolve",
    "twins",
    "version_order",
]

_PLACEHOLDER = with_version("", PLACEHOLDER)


@dataclass(frozen=True, slots=True)
class Version:
    """A version of an artifact, and the least event time of what made it (None: unknown)."""

    id: str
    made_at: int | None


@dataclass(frozen=True, slots=True)
class Use:
    """A use without a version token: of ``artifact`` by ``run``, from its least event time."""

    run: str
    artifact: str
    said: str
    at: int
    method: Method


@dataclass(frozen=True, slots=True)
class Output:
    """A GENERATED claim: ``said`` is the bare number its producer named, or empty."""

    run: str
    version: str
    said: str
    at: int


@dataclass(frozen=True, slots=True)
class DerivedEdge:
    """An edge that follows from claims by a rule, over ``[since, until)`` of valid time.

    ``use`` is the use that a USED edge resolves: (artifact, said).
    """

    type: EdgeType
    up: str
    down: str
    since: int
    until: int
    method: Method
    use: tuple[str, str] | None = None


def is_placeholder(version: str) -> bool:
    """Whether a version stands for 'what this run wrote': its producer named no version."""
    return _PLACEHOLDER in version


def components(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Connected components: each id that occurs in a pair -> the smallest id of its component."""
    parent: dict[str, str] = {}

    def find(item: str) -> str:
        while (above := parent.setdefault(item, item)) != item:
            parent[item] = parent[above]
            item = parent[item]
        return item

    for one, other in pairs:
        low, high = sorted((find(one), find(other)))
        parent[high] = low
    return {item: find(item) for item in list(parent)}


def derive(
    artifacts: Sequence[str],
    aliases: Sequence[tuple[str, str, int, int]],
    versions: Sequence[Version],
    uses: Sequence[Use],
    outputs: Sequence[Output],
) -> frozenset[DerivedEdge]:
    """All derived edges of one alias component (usually a single artifact).

    ``aliases`` are ``(a, b, since, until)`` where the equivalence is on. Representatives are the
    smallest ids; among the versions that members have under one token, the smallest known id.
    A use resolves to the version said if exactly one matches, else to the latest version made
    before it (inferred), else stays on the artifact.
    """
    edges: set[DerivedEdge] = set()
    points = sorted({-FOREVER, *(p for a in aliases for p in a[2:] if p < FOREVER)})
    for index, point in enumerate(points):
        until = points[index + 1] if index + 1 < len(points) else FOREVER
        classes = components((a, b) for a, b, since, end in aliases if since <= point < end)
        members: dict[str, list[str]] = {}
        for artifact in artifacts:
            members.setdefault(classes.get(artifact, artifact), []).append(artifact)
        for group in members.values():
            inside = frozenset(group)
            own = [v for v in versions if artifact_of(v.id) in inside]
            made = [o for o in outputs if artifact_of(o.version) in inside]
            edges |= _stars(group, own, point, until)
            twin_of = twins(own, made)
            edges |= _placeholders(twin_of, made, point, until)
            asked = [u for u in uses if u.artifact in inside]
            edges |= _resolved(asked, own, made, twin_of, (point, until))
    return _joined(edges)


def _stars(
    group: Sequence[str], versions: Sequence[Version], since: int, until: int
) -> set[DerivedEdge]:
    """Each id of a class tied to the smallest: the artifacts, and per token their versions."""
    classes: dict[str, list[str]] = {"": list(group)}
    for version in versions:
        classes.setdefault(token_of(version.id), []).append(version.id)
    edges: set[DerivedEdge] = set()
    for ids in classes.values():
        representative = min(ids)
        for other in ids:
            if other != representative:
                edges |= _both(other, representative, since, until, Method.DECLARED)
    return edges


def _both(one: str, other: str, since: int, until: int, method: Method) -> set[DerivedEdge]:
    return {
        DerivedEdge(EdgeType.SAME_AS, one, other, since, until, method),
        DerivedEdge(EdgeType.SAME_AS, other, one, since, until, method),
    }


def twins(versions: Sequence[Version], outputs: Sequence[Output]) -> dict[str, str]:
    """Placeholder -> the version it stands for, where that can be told.

    'What run R wrote' is the version it said, or else the latest that R is known to have made.
    """
    found: dict[str, str] = {}
    real = [v for v in versions if not is_placeholder(v.id)]
    by_run: dict[str, list[Output]] = {}
    for output in outputs:
        by_run.setdefault(output.run, []).append(output)
    for run, made in by_run.items():
        concrete = {o.version for o in made if not is_placeholder(o.version)}
        for placeholder in {o.version for o in made if token_of(o.version) == run_token(run)}:
            said = {o.said for o in made if o.version == placeholder and o.said}
            matches = {v.id for v in real if number_of_token(token_of(v.id)) in said}
            if len(matches) == 1:
                found[placeholder] = matches.pop()
            elif concrete:
                found[placeholder] = max(
                    (v for v in real if v.id in concrete), key=version_order
                ).id
    return found


def _placeholders(
    twin_of: Mapping[str, str], outputs: Sequence[Output], since: int, until: int
) -> set[DerivedEdge]:
    edges: set[DerivedEdge] = set()
    for placeholder, target in twin_of.items():
        start = max(since, min(o.at for o in outputs if o.version == placeholder))
        if start < until:
            edges |= _both(placeholder, target, start, until, Method.INFERRED)
    return edges


def version_order(version: Version) -> tuple[int, int, str]:
    """Order of versions: when they were made (unknown first), their number, their id."""
    number = number_of_token(token_of(version.id))
    made = -FOREVER if version.made_at is None else version.made_at
    return (made, int(number) if number else -1, version.id)


def by_artifact(versions: Iterable[Version]) -> dict[str, list[tuple[str, int | None]]]:
    """Versions with when they were made, by their artifact, in order."""
    found: dict[str, list[tuple[str, int | None]]] = {}
    for version in sorted(versions, key=version_order):
        found.setdefault(artifact_of(version.id), []).append((version.id, version.made_at))
    return found


def _resolved(
    uses: Sequence[Use],
    versions: Sequence[Version],
    outputs: Sequence[Output],
    twin_of: Mapping[str, str],
    span: tuple[int, int],
) -> set[DerivedEdge]:
    edges: set[DerivedEdge] = set()
    said_of: dict[str, set[str]] = {}
    made_by: dict[str, set[str]] = {}
    for output in outputs:
        made_by.setdefault(output.run, set()).add(output.version)
        if output.version in twin_of:
            made_by[output.run].add(twin_of[output.version])
        if output.said:
            said_of.setdefault(output.version, set()).add(output.said)
    since, until = span
    for use in uses:
        start = max(since, use.at)
        if start < until:
            own = made_by.get(use.run, set())
            target, method = resolve(use, (v for v in versions if v.id not in own), said_of)
            of = (use.artifact, use.said)
            edges.add(DerivedEdge(EdgeType.USED, target, use.run, start, until, method, of))
    return edges


def resolve(
    use: Use, versions: Iterable[Version], said_of: Mapping[str, set[str]]
) -> tuple[str, Method]:
    """The version a use means and how we know: the artifact itself where it stays unresolved.

    ``versions`` are those of the artifact (and its aliases) that the run did not make itself: a run
    that reads and writes one table did not read what it wrote.
    """
    candidates = list(versions)
    if use.said:
        numbered = [v.id for v in candidates if number_of_token(token_of(v.id)) == use.said]
        matches = numbered or [v.id for v in candidates if use.said in said_of.get(v.id, ())]
        if len({token_of(match) for match in matches}) == 1:
            # Under aliases one version has several ids: take the one of the name that was used.
            return min(matches, key=lambda m: (artifact_of(m) != use.artifact, m)), use.method
    earlier = [v for v in candidates if v.made_at is not None and v.made_at < use.at]
    if earlier:
        return max(earlier, key=version_order).id, Method.INFERRED
    return use.artifact, use.method


def _joined(edges: set[DerivedEdge]) -> frozenset[DerivedEdge]:
    """Adjacent intervals of one edge made one."""
    by_edge: dict[DerivedEdge, list[DerivedEdge]] = {}
    for edge in edges:
        by_edge.setdefault(replace(edge, since=0, until=0), []).append(edge)
    out: set[DerivedEdge] = set()
    for pieces in by_edge.values():
        pieces.sort(key=lambda piece: piece.since)
        last = pieces[0]
        for piece in pieces[1:]:
            if piece.since <= last.until:
                last = replace(last, until=max(last.until, piece.until))
            else:
                out.add(last)
                last = piece
        out.add(last)
    return frozenset(out)
