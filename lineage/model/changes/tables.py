"""Changes of tables: commits of their logs, and pins that keep versions."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from lineage.model.changes.values import Change, Name, NodeId, RunRef, Schema, Text, Value

__all__ = ["FileAdd", "PinCreated", "PinRemoved", "TableCommitted"]


class FileAdd(Value):
    """A data file that a commit added (unquoted path, bytes), with the file of its deleted rows."""

    path: Name
    size: int = 0
    deletion_vector: Text = ""


class TableCommitted(Change):
    """One commit of a table's log. ``files_known`` False: too many files to list in an entry.

    ``table_id`` is the id in force from this commit on. Replacing a table in place changes it
    within one log: then ``log`` is the id that the log began with and ``previous_table_id`` the one
    of the version before; both are empty where they equal ``table_id``.
    """

    kind: Literal["table.committed"] = "table.committed"
    namespace: Name
    name: Name
    table_id: Name
    version: int = Field(ge=0)
    log: Text = ""
    previous_table_id: Text = ""
    operation: Text = ""
    carries: bool
    run: RunRef | None = None
    added: list[FileAdd] = []
    removed: list[Name] = []
    files_known: bool = True
    table_schema: Schema = Field(default="", description="schema JSON, on commits that set it")
    engine: Text = ""
    metrics: dict[str, Any] = {}
    parameters: dict[str, Any] = {}


class PinCreated(Change):
    """A table version was pinned: a clone at ``location`` keeps its files."""

    kind: Literal["pin.created"] = "pin.created"
    target: NodeId
    location: Name
    method: Literal["hardlink", "reflink", "copy"]
    files: int = 0
    bytes: int = 0
    bytes_copied: int = 0
    reason: Text = ""


class PinRemoved(Change):
    """A pin was given up."""

    kind: Literal["pin.removed"] = "pin.removed"
    target: NodeId
    location: Name
