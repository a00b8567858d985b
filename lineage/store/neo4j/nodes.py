"""Reads of nodes: pages in order, versions, search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice

from lineage.model.canonical import FOREVER
from lineage.model.ids import ARTIFACT, artifact_of, class_of, token_of
from lineage.model.resolution import Version, by_artifact
from lineage.store.contract import Hit
from lineage.store.neo4j.documents import pack, searchable
from lineage.store.neo4j.reading import KNOWN, Reading
from lineage.store.neo4j.state_reads import attributes
from lineage.store.search import rank_of

__all__ = ["made_by", "page", "search", "versions"]

_BATCH = 500
_CLASSES = ("artifact", "job", "person", "run", "scope", "service", "team")
_OF_CLASS = """MATCH (n:Node) WHERE n.id > $after AND n.id STARTS WITH $start AND n.first <= $P
RETURN n.id ORDER BY n.id LIMIT $limit"""
_ARTIFACTS = """MATCH (n:Artifact) WHERE n.id > $after AND n.first <= $P
RETURN n.id ORDER BY n.id LIMIT $limit"""
_OF_KIND = """MATCH (k:KindSaid) WHERE k.value = $value AND k.id > $after
RETURN k.id ORDER BY k.id LIMIT $limit"""
_MADE = f"""UNWIND $ids AS id MATCH (:Node {{id: id}})<-[:VERSION_OF]-(v) WHERE v.first <= $P
RETURN v.id,
  reduce(least = $open, at IN COLLECT {{ MATCH ()-[r:GENERATED]->(v) WHERE {KNOWN} RETURN r.vf }}
    | CASE WHEN at < least THEN at ELSE least END),
  reduce(least = $open, at IN COLLECT {{ MATCH (v)-[r:COMMIT_OF]->() WHERE {KNOWN} RETURN r.vf }}
    | CASE WHEN at < least THEN at ELSE least END)"""
_TERMS = """MATCH (t:Term) WHERE t.text STARTS WITH $text MATCH (t)-[:OF]->(n)
WHERE n.first <= $P WITH DISTINCT n.id AS id WHERE id > $after RETURN id"""
_RUNS = """MATCH (n:Node) WHERE n.name STARTS WITH $text AND n.first <= $P AND n.id > $after
RETURN n.id"""


# --- pages


def page(
    reading: Reading,
    *,
    classes: Sequence[str],
    kinds: Sequence[str],
    versions: bool,
    after: str,
    limit: int,
) -> list[str]:
    """Ids in ASCII order after ``after``."""
    wanted = [c for c in _CLASSES if not classes or c in classes]
    if not kinds:
        streams = [_ids(reading, c, after, versions=versions) for c in wanted]
        return list(islice(merge(*streams), max(limit, 0)))
    values = {f'"{kind}"' for kind in kinds}
    candidates = _with_versions if versions else _alone
    found = candidates(reading, _distinct(merge(*(_said(reading, v) for v in values))))
    ids = (i for i in found if i > after and class_of(i) in wanted)
    return list(islice(_shown_as(reading, ids, values), max(limit, 0)))


def _ids(reading: Reading, cls: str, after: str, *, versions: bool) -> Iterator[str]:
    start = f"{cls}:"
    query = _ARTIFACTS if cls == ARTIFACT and not versions else _OF_CLASS
    at = max(after, start)
    while True:
        rows = reading.rows(query, start=start, after=at, limit=_BATCH)
        for (node,) in rows:
            yield node
        if len(rows) < _BATCH:
            return
        at = rows[-1][0]


def _said(reading: Reading, value: str) -> Iterator[str]:
    at = ""
    while True:
        rows = reading.rows(_OF_KIND, value=pack(value), after=at, limit=_BATCH)
        for (node,) in rows:
            yield node
        if len(rows) < _BATCH:
            return
        at = rows[-1][0]


def _alone(reading: Reading, ids: Iterable[str]) -> Iterator[str]:
    waiting = (node for node in ids if not token_of(node))
    while batch := list(islice(waiting, _BATCH)):
        known = reading.known(batch)
        yield from (node for node in batch if node in known)


def _with_versions(reading: Reading, ids: Iterable[str]) -> Iterator[str]:
    """Each with its versions, in the order of ids: other ids may stand between."""
    everything: list[str] = []
    for node in _alone(reading, ids):
        everything += [node, *(version for version, _ in made_by(reading, [node], ever=True))]
    yield from sorted(everything)


def _shown_as(reading: Reading, ids: Iterator[str], values: set[str]) -> Iterator[str]:
    while batch := list(islice(ids, _BATCH)):
        shown = attributes(reading, list({artifact_of(node) for node in batch}))
        for node in batch:
            kind = shown.get(artifact_of(node), {}).get("kind")
            if kind is not None and kind.value in values:
                yield node


def _distinct(ordered: Iterable[str]) -> Iterator[str]:
    last = None
    for item in ordered:
        if item != last:
            yield item
        last = item


# --- versions


def made_by(
    reading: Reading, artifacts: Sequence[str], *, ever: bool = False
) -> list[tuple[str, int | None]]:
    """Versions made up to the valid time (or ever), with when."""
    found = []
    for version, generated, committed in reading.rows(_MADE, ids=list(artifacts)):
        least = min(generated, committed)
        made = None if least == FOREVER else least
        if made is None or ever or made <= reading.as_of:
            found.append((version, made))
    return found


def versions(reading: Reading, artifacts: Sequence[str]) -> dict[str, list[tuple[str, int | None]]]:
    """Versions of artifacts, oldest first."""
    asked = [artifact for artifact in artifacts if artifact.isascii()]
    return by_artifact(Version(*row) for row in made_by(reading, asked))


# --- search


def search(
    reading: Reading, text: str, *, classes: Sequence[str], after: Hit | None, limit: int
) -> list[Hit]:
    """Exact names, then prefixes of names, then prefixes of tokens."""
    wanted = text.casefold()
    if not wanted:
        return []
    rows = reading.rows(_TERMS, text=searchable(wanted), after="")
    rows += reading.rows(_RUNS, text=searchable(wanted), after="")
    hits = [
        Hit(node, rank)
        for node in {node for (node,) in rows}
        if (not classes or class_of(node) in classes)
        and (rank := rank_of(node, wanted)) is not None
    ]
    hits.sort(key=lambda hit: (hit.rank, hit.id))
    if after is not None:
        hits = [hit for hit in hits if (hit.rank, hit.id) > (after.rank, after.id)]
    return hits[:limit]
