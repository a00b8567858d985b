"""Changes about the record itself: what it may lack, and what was taken back of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lineage.errors import BadNoteError
from lineage.model.changes.values import Change, JsonText, Name, NodeId, Sha256, Text, Value
from lineage.model.keys import PublicKey

__all__ = [
    "ClaimRetracted",
    "EntryRedacted",
    "GapRecorded",
    "RedactionProposed",
    "RedactionRuled",
    "RedactionTarget",
    "SealKeyAdded",
]


def _public_key(text: str) -> str:
    try:
        PublicKey.of_text(text)
    except BadNoteError as fault:
        raise ValueError(fault.message) from fault
    return text


PublicKeyText = Annotated[Name, AfterValidator(_public_key)]
"""A key that checks checkpoints: ``name+id+base64`` (C2SP signed-note)."""


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
    proposal: Text = Field(default="", description="event id of the proposal that it approves")


class RedactionTarget(Value):
    """An entry to be redacted, and what its stub is to be."""

    source: Name
    event_id: Name
    stub_sha256: Sha256


class RedactionProposed(Change):
    """Somebody asks that entries be redacted, or (``people``) that the rule for it be another.

    It has no effect until somebody else approves it.
    """

    kind: Literal["redaction.proposed"] = "redaction.proposed"
    targets: list[RedactionTarget] = []
    person: NodeId | None = Field(default=None, description="who is to be erased from them")
    people: Literal[1, 2] | None = None
    reason: Name
    by: Name


class RedactionRuled(Change):
    """From here on a redaction takes so many ``people``: one asks, another one approves."""

    kind: Literal["redaction.ruled"] = "redaction.ruled"
    people: Literal[1, 2]
    reason: Name
    by: Name
    proposal: Text = Field(default="", description="event id of the proposal that it approves")


class SealKeyAdded(Change):
    """Checkpoints are signed by this key from here on, instead of ``replaces`` if there was one.

    The key's name is the origin: the name of the log. Another name than before says that this is
    another log, which ``reason`` explains: entries that the one before it had sealed were lost.
    """

    kind: Literal["seal.key_added"] = "seal.key_added"
    key: PublicKeyText
    replaces: Text = ""
    reason: Text = ""
