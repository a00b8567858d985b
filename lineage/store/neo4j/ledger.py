"""Entries as nodes: reading the ledger back."""

from __future__ import annotations

from lineage.model.claims import EntryRef
from lineage.model.merkle import Frontier
from lineage.store.contract import Head, StoredEntry
from lineage.store.neo4j.envelopes import ENTRY, entry_of
from lineage.store.neo4j.reading import Reading
from lineage.store.neo4j.refs import ref_of
from lineage.store.neo4j.statements import Statements

__all__ = ["counts", "entries_after", "entries_between", "find", "head", "position_at"]

_HEAD = "MATCH (h:Head {id: 'main'}) RETURN h.seq, h.recorded_at, h.frontier"
_COUNTS = "MATCH (h:Head {id: 'main'}) RETURN h.seq, h.nodes, h.edges, h.states"
_ENTRIES = f"""MATCH (e:Entry) WHERE e.seq > $after AND e.seq <= $after + $limit
RETURN {ENTRY} ORDER BY e.seq"""


def head(reading: Reading) -> Head:
    """The end of the ledger."""
    ((seq, at, frontier),) = reading.rows(_HEAD)
    return Head(seq, at, Frontier.of_bytes(bytes(frontier or b"")))


def counts(reading: Reading) -> dict[str, int]:
    """Numbers of entries, nodes, edges and states."""
    ((entries, nodes, edges, states),) = reading.rows(_COUNTS)
    return {"entries": entries, "nodes": nodes, "edges": edges, "states": states}


def entries_after(reading: Reading, after: int, limit: int) -> list[StoredEntry]:
    """Up to ``limit`` entries with seq > ``after``: numbers have no gaps."""
    return [entry_of(row) for row in reading.rows(_ENTRIES, after=after, limit=limit)]


def entries_between(statements: Statements, after: int, last: int) -> list[StoredEntry]:
    """Entries from ``after`` + 1 to ``last``, inside a transaction."""
    return [entry_of(row) for row in statements.rows(_ENTRIES, after=after, limit=last - after)]


def find(reading: Reading, source: str, event_id: str) -> int | None:
    """The seq of an entry by its source's event id."""
    ref = ref_of(EntryRef(source, event_id))
    for (seq,) in reading.rows("MATCH (e:Entry {ref: $ref}) RETURN e.seq", ref=ref):
        return int(seq)
    return None


def position_at(reading: Reading, recorded_at: int) -> int:
    """The last seq recorded at or before a time: recorded times never go back."""
    low, high = 0, head(reading).seq
    while low < high:
        middle = (low + high + 1) // 2
        query = "MATCH (e:Entry {seq: $seq}) RETURN e.recorded_at"
        ((at,),) = reading.rows(query, seq=middle)
        if at <= recorded_at:
            low = middle
        else:
            high = middle - 1
    return low
