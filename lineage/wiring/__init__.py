"""The only place that picks concrete parts: a store by its URL, and what stands around it."""

from __future__ import annotations

from lineage.record.identity import copy_key, local_actor, store_key
from lineage.wiring.copies import copyable, erasing_places, noted_copy
from lineage.wiring.stores import (
    migrate_store,
    open_source,
    open_store,
    require_key,
    scratch_store,
)
from lineage.wiring.workspace import (
    Workspace,
    open_accepting,
    open_audit_sealing,
    open_sealing,
    open_workspace,
)

__all__ = [
    "Workspace", "copy_key", "copyable", "erasing_places", "local_actor", "migrate_store",
    "noted_copy", "open_accepting", "open_audit_sealing", "open_sealing", "open_source",
    "open_store", "open_workspace", "require_key", "scratch_store", "store_key",
]  # fmt: skip
