"""Changes about the record itself: what it may lack, and what was taken back of it."""

from __future__ import annotations

from typing import Literal

from lineage.model.changes.values import Change, JsonText, Name, NodeId, Text

__all__ = ["ClaimRetracted", "EntryRedacted", "GapRecorded"]


class GapRecorded(Change):
    """A stretch of a source that may have been lost; ``touches`` are ids it makes incomplete."""

    kind: Literal["gap.recorded"] = "gap.recorded"
    gap_source: Name
    from_position: Text = ""
    to_position: Text = ""
    reason: Name
    touches: list[NodeId] = []


class ClaimRetracted(Change):
    """The claims of an entry are invisible from here on. The entry may arrive later."""

    kind: Literal["claim.retracted"] = "claim.retracted"
    source: Name
    event_id: Name
    reason: Text = ""
    by: Text = ""


class EntryRedacted(Change):
    """Body and salt of an entry are replaced by ``stub`` (JSON text) for good; its leaf stays."""

    kind: Literal["entry.redacted"] = "entry.redacted"
    source: Name
    event_id: Name
    stub: JsonText
    reason: Name
    by: Name
