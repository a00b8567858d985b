"""A store in Neo4j: the ledger and the graph of a team, for any number of processes."""

from lineage.store.neo4j.store import Neo4jStore

__all__ = ["Neo4jStore"]
