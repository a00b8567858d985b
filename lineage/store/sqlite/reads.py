"""Every read of the contract, of a reading: what ``ReadingStore`` asks."""

from lineage.store.sqlite.edges import edges, evidence
from lineage.store.sqlite.nodes import nodes, page, search, versions
from lineage.store.sqlite.reading import Reading
from lineage.store.sqlite.state_reads import history, state_evidence, states
from lineage.store.sqlite.walk import walk

__all__ = [
    "edges", "evidence", "history", "known", "nodes", "page", "search", "state_evidence", "states",
    "versions", "walk",
]  # fmt: skip

known = Reading.numbers
