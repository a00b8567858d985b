"""The SQLite backend: one file, ledger and graph in one transaction. The embedded default."""

from lineage.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
