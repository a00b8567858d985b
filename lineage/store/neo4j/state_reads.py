"""Reads of states: what a subject's node holds, filtered by both times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lineage.model.claims import Method, StateType
from lineage.store.contract import Attribute, Evidence, Node, StateValue
from lineage.store.neo4j.documents import SHOWN, load_subject, said_in
from lineage.store.neo4j.reading import Reading
from lineage.store.neo4j.writes import object_key

__all__ = ["attributes", "history", "nodes", "state_evidence", "states"]

_SHOWN = f"UNWIND $ids AS id MATCH (n:Node {{id: id}}) RETURN n.id, {SHOWN}"
_OF_OBJECTS = f"""UNWIND $types AS type UNWIND $keys AS key
MATCH (:Object {{type: type, key: key}})<-[:HOLDS]-(n) WITH DISTINCT n RETURN n.id, {SHOWN}"""
_OF_TYPES = f"""UNWIND $types AS type MATCH (o:Object {{type: type}}) WHERE o.key IS NOT NULL
MATCH (o)<-[:HOLDS]-(n) WITH DISTINCT n RETURN n.id, {SHOWN}"""
_ALL = f"""MATCH (n:Node) WHERE n.shown IS NOT NULL OR n.said IS NOT NULL
RETURN n.id, {SHOWN}"""
_SAID = """MATCH (n:Node {id: $id}) WITH n, n.said AS said
RETURN [said] + COLLECT { MATCH (n)-[:SAID]->(s) RETURN s.ops }"""
_UNINDEXED = {StateType.ATTRIBUTE, StateType.RUN_STATE}


def _values(
    reading: Reading, node: str, shown: str | None, said: str | None
) -> Iterator[StateValue]:
    """Everything that a node's states show at the position."""
    for (kind, obj, source), key in load_subject(shown, said).keys.items():
        for row in (*key.past, *key.rows):
            if row.rf <= reading.position < row.rt:
                yield StateValue(
                    node, kind, obj, row.value, row.since, row.until, row.method, source
                )


def _holding(reading: Reading, values: Iterable[StateValue]) -> Iterator[StateValue]:
    return (value for value in values if value.since <= reading.as_of < value.until)


def states(
    reading: Reading,
    *,
    subjects: Sequence[str] | None,
    types: Sequence[StateType],
    objects: Sequence[str] | None,
) -> list[StateValue]:
    """States that show, by whichever of subject and object is given."""
    kinds = set(types or StateType)
    asked = [int(kind) for kind in kinds]
    if subjects is not None:
        rows = reading.rows(_SHOWN, ids=[s for s in dict.fromkeys(subjects) if s.isascii()])
    elif kinds & _UNINDEXED:
        rows = reading.rows(_ALL)
    elif objects is not None:
        keys = list({object_key(kind, obj) for kind in kinds for obj in objects})
        rows = reading.rows(_OF_OBJECTS, types=asked, keys=keys)
    else:
        rows = reading.rows(_OF_TYPES, types=asked)
    wanted = None if objects is None else set(objects)
    found = [
        value
        for row in rows
        for value in _holding(reading, _values(reading, *row))
        if value.type in kinds and (wanted is None or value.object in wanted)
    ]
    return sorted(found, key=_by_key)


def _by_key(value: StateValue) -> tuple[str, int, str, str, int]:
    return (value.subject, value.type, value.object, value.source, value.since)


def history(reading: Reading, subject: str, kind: StateType) -> list[StateValue]:
    """All intervals of a subject's states."""
    found = [
        value
        for row in reading.rows(_SHOWN, ids=[subject] if subject.isascii() else [])
        for value in _values(reading, *row)
        if value.type is kind
    ]
    return sorted(found, key=_by_key)


def state_evidence(reading: Reading, subject: str, kind: StateType, obj: str) -> list[Evidence]:
    """Entries with operations on a state."""
    found = [
        Evidence(said.seq, said.op.source, said.op.method, said.op.at, detail=said.op.value)
        for (texts,) in reading.rows(_SAID, id=subject if subject.isascii() else "")
        for (of_kind, of_object, _), said in said_in(texts)
        if (of_kind, of_object) == (kind, obj) and said.seq <= reading.position < said.dead
    ]
    return sorted(found, key=lambda claim: (claim.seq, claim.at, claim.detail, claim.method))


# --- nodes with their attributes


def attributes(reading: Reading, ids: Sequence[str]) -> dict[str, dict[str, Attribute]]:
    """By node and name: the strongest claim's value."""
    shown: dict[str, dict[str, Attribute]] = {}
    for row in reading.rows(_SHOWN, ids=list(ids)):
        node = row[0]
        for value in _holding(reading, _values(reading, *row)):
            if value.type is StateType.ATTRIBUTE:
                of_node = shown.setdefault(node, {})
                new = Attribute(value.value, value.method, value.source, value.since)
                had = of_node.get(value.object)
                if had is None or _strength(new) < _strength(had):
                    of_node[value.object] = new
    return shown


def _strength(attribute: Attribute) -> tuple[Method, int, str]:
    return (attribute.method, -attribute.since, attribute.source)


def nodes(reading: Reading, ids: Sequence[str]) -> list[Node]:
    """Known nodes with their attributes, in the order asked for."""
    first = reading.known(ids)
    shown = attributes(reading, list(first))
    return [Node(node, first[node], shown.get(node, {})) for node in ids if node in first]
