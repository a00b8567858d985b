"""The memory backend: a list of entries, every read recomputed from them. The definition."""

from lineage.store.memory.store import MemoryStore

__all__ = ["MemoryStore"]
