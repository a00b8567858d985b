"""The one change of the audit log: who was given what of the ledger, and why."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lineage.model.changes.values import Change, Text

__all__ = ["AuditAccessed"]


class AuditAccessed(Change):
    """Bodies of entries were handed out. In the audit log, which is a ledger of its own."""

    kind: Literal["audit.accessed"] = "audit.accessed"
    what: Literal["archive", "backup", "body", "export", "graphql", "proof", "rebuild"]
    position: int = Field(ge=0, description="where the ledger ended")
    ranges: list[tuple[int, int]] = Field(default=[], description="first and last of entries")
    place: Text = Field(default="", description="where it was written, if to a place")
    purpose: Text = Field(default="", description="why, as whoever asked says")
