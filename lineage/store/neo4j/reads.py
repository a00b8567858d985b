"""Every read of the contract, of a reading: what ``ReadingStore`` asks."""

from lineage.store.neo4j.edges import edges, evidence
from lineage.store.neo4j.nodes import page, search, versions
from lineage.store.neo4j.reading import Reading
from lineage.store.neo4j.state_reads import history, nodes, state_evidence, states
from lineage.store.neo4j.walk import walk

__all__ = [
    "edges", "evidence", "history", "known", "nodes", "page", "search", "state_evidence", "states",
    "versions", "walk",
]  # fmt: skip

known = Reading.known
