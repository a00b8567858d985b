"""Reads of nodes: known ones, listings, versions, search."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from lineage.model.claims import StateType
from lineage.model.ids import ARTIFACT
from lineage.model.resolution import Version, by_artifact
from lineage.store.contract import Attribute, Hit, Node
from lineage.store.search import rank_of
from lineage.store.sqlite.reading import KNOWN, Reading
from lineage.store.sqlite.state_reads import states
from lineage.store.sqlite.texts import pack_text

__all__ = ["made_by", "nodes", "page", "search", "versions"]

_BATCH = 200
_AFTER_ALL = ";"
"""Follows the colon of a class in ASCII: ``run;`` is after every run."""


def nodes(reading: Reading, ids: Sequence[str]) -> list[Node]:
    """Known nodes with what shows of their attributes."""
    numbers = reading.numbers(ids)
    sql = "SELECT n.urn, n.first FROM json_each(:ids) j CROSS JOIN node n ON n.id = j.value"
    first: dict[str, int] = dict(reading.rows(sql, ids=str(list(numbers.values()))))
    shown = attributes(reading, list(numbers))
    return [Node(urn, first[urn], shown.get(urn, {})) for urn in ids if urn in numbers]


def attributes(reading: Reading, ids: Sequence[str]) -> dict[str, dict[str, Attribute]]:
    """What shows of the attributes of each id: the strongest claim."""
    shown: dict[str, dict[str, Attribute]] = {}
    for state in states(reading, subjects=ids, types=[StateType.ATTRIBUTE], objects=None):
        attribute = Attribute(state.value, state.method, state.source, state.since)
        of_node = shown.setdefault(state.subject, {})
        had = of_node.get(state.object)
        if had is None or _strength(attribute) < _strength(had):
            of_node[state.object] = attribute
    return shown


def _strength(attribute: Attribute) -> tuple[int, int, str]:
    return (attribute.method, -attribute.since, attribute.source)


# --- listings


def page(
    reading: Reading,
    *,
    classes: Sequence[str],
    kinds: Sequence[str],
    versions: bool,
    after: str,
    limit: int,
) -> list[str]:
    """Ids in order after ``after``."""
    if kinds:
        found = _of_kinds(reading, classes, kinds, after, versions=versions)
    elif classes:
        spans = [(f"{cls}:", f"{cls}{_AFTER_ALL}") for cls in sorted(set(classes))]
        found = _in_spans(reading, spans, after, versions=versions)
    else:
        found = _in_spans(reading, [("", "\x7f")], after, versions=versions)
    return list(islice(found, limit))


def _in_spans(
    reading: Reading, spans: Sequence[tuple[str, str]], after: str, *, versions: bool
) -> Iterator[str]:
    """Ids of ``[start, end)`` ranges. Artifacts without versions have an index of their own."""
    first, last = f"{ARTIFACT}:", f"{ARTIFACT}{_AFTER_ALL}"
    for start, end in spans:
        if versions or end <= first or start >= last:
            yield from _range(reading, "", start, end, after)
        else:
            yield from _range(reading, "", start, first, after)
            yield from _range(reading, _BARE, max(start, first), min(end, last), after)
            yield from _range(reading, "", last, end, after)


_BARE = """AND n.parent IS NULL AND n.urn >= 'artifact:' AND n.urn < 'artifact;'"""


def _range(reading: Reading, extra: str, start: str, end: str, after: str) -> Iterator[str]:
    index = "INDEXED BY node_artifact" if extra else ""
    sql = f"""SELECT n.urn FROM node n {index} WHERE n.urn > :after AND n.urn >= :start
        AND n.urn < :end AND n.first <= :P {extra} ORDER BY n.urn LIMIT {_BATCH}"""
    while start < end:
        rows = reading.rows(sql, after=after, start=start, end=end)
        for (urn,) in rows:
            after = urn
            yield urn
        if len(rows) < _BATCH:
            return


def _of_kinds(
    reading: Reading, classes: Sequence[str], kinds: Sequence[str], after: str, *, versions: bool
) -> Iterator[str]:
    """Candidates by every kind ever said, in order; then what shows at the view decides."""
    wanted = {f'"{kind}"' for kind in kinds}
    # A version may come after ids that its artifact comes before: then all have to be looked at.
    start = "" if versions else after
    candidates = heapq.merge(*(_said(reading, value, start) for value in sorted(wanted)))
    found = _shown_as(reading, _distinct(candidates), wanted)
    if classes:
        found = (urn for urn in found if urn.partition(":")[0] in classes)
    if not versions:
        return found
    every = [urn for artifact in found for urn in (artifact, *_versions_of(reading, artifact))]
    return iter(sorted(urn for urn in every if urn > after))


def _versions_of(reading: Reading, artifact: str) -> Iterator[str]:
    return _range(reading, "", f"{artifact}@", f"{artifact}A", "")


def _shown_as(reading: Reading, ids: Iterator[str], kinds: set[str]) -> Iterator[str]:
    while batch := list(islice(ids, _BATCH)):
        shown = attributes(reading, batch)
        for urn in batch:
            kind = shown.get(urn, {}).get("kind")
            if kind is not None and kind.value in kinds:
                yield urn


def _said(reading: Reading, value: str, after: str) -> Iterator[str]:
    sql = f"""SELECT urn FROM kind_said WHERE value = :value AND urn > :after
        ORDER BY urn LIMIT {_BATCH}"""
    while True:
        rows = reading.rows(sql, value=pack_text(value), after=after)
        for (urn,) in rows:
            after = urn
            if "@" not in urn:
                yield urn
        if len(rows) < _BATCH:
            return


def _distinct(ordered: Iterable[str]) -> Iterator[str]:
    last = None
    for item in ordered:
        if item != last:
            yield item
        last = item


# --- versions

_MADE = f"""SELECT v.urn, v.id,
  (SELECT min(e.vf) FROM edge e WHERE e.dn = v.id AND e.type = 2 AND {KNOWN}),
  (SELECT min(e.at) FROM tcommit e WHERE e.ver = v.id AND {KNOWN})
FROM json_each(:ids) j CROSS JOIN node v ON v.parent = j.value WHERE v.first <= :P"""


def made_by(reading: Reading, artifacts: Sequence[int]) -> list[tuple[str, int, int | None]]:
    """Versions made up to the valid time: (id, number, when)."""
    found = []
    for urn, number, generated, committed in reading.query(_MADE, ids=str(list(artifacts))):
        made = min((t for t in (generated, committed) if t is not None), default=None)
        if made is None or made <= reading.as_of:
            found.append((urn, number, made))
    return found


def versions(reading: Reading, artifacts: Sequence[str]) -> dict[str, list[tuple[str, int | None]]]:
    """Versions of artifacts, oldest first."""
    numbers = reading.numbers(artifacts).values()
    return by_artifact(Version(urn, made) for urn, _, made in made_by(reading, list(numbers)))


# --- search

_TERMS = """SELECT DISTINCT n.urn FROM term t CROSS JOIN node n ON n.id = t.node
WHERE t.text >= :low AND t.text < :high AND t.kind = :kind AND n.first <= :P
AND n.urn > :after ORDER BY n.urn LIMIT :limit"""


def search(
    reading: Reading, text: str, *, classes: Sequence[str], after: Hit | None, limit: int
) -> list[Hit]:
    """Exact names, then prefixes of names, then prefixes of tokens."""
    wanted = text.casefold()
    start = after or Hit("", 0)
    hits = (
        Hit(urn, rank)
        for rank in range(start.rank, 3)
        for urn in _ranked(reading, wanted, rank, start.id if rank == start.rank else "")
        if not classes or urn.partition(":")[0] in classes
    )
    return list(islice(hits, limit)) if wanted else []


def _ranked(reading: Reading, wanted: str, rank: int, after: str) -> Iterator[str]:
    low = wanted.encode("utf-8", "surrogatepass")
    high = low + b"\x00" if rank == 0 else low[:-1] + bytes([low[-1] + 1])
    bounds = {"low": low, "high": high, "kind": 1 if rank == 2 else 0, "limit": _BATCH}
    while True:
        rows = reading.rows(_TERMS, after=after, **bounds)
        for (urn,) in rows:
            after = urn
            if rank_of(urn, wanted) == rank:
                yield urn
        if len(rows) < _BATCH:
            return
