"""What decisions and corrections mean: gates, verdicts, retractions, redactions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lineage.model.changes import (
    AuditAccessed,
    ClaimRetracted,
    EntryRedacted,
    GateDecided,
    RedactionProposed,
    RedactionRuled,
    ReproductionFinished,
    SealKeyAdded,
    kind_of,
)
from lineage.model.claims import Claims, EntryRef, Method, Redaction
from lineage.model.ids import service_id
from lineage.record.interpret.claiming import attribute

REDACTIONS = service_id("lineage", "redactions")
"""What proposals and rules of redaction are recorded of."""
PROPOSED, RULED = "proposed", "people"


def gate(body: Any) -> Claims:
    """``gate.decided``: the latest decision of an action shows on its subject."""
    change = GateDecided.model_validate(body)
    facts = {"decision": change.decision, "position": change.position}
    op = attribute(change.subject, f"gate.{change.action}", facts, change.event_at, Method.OBSERVED)
    return Claims(states=(op,))


def reproduction(body: Any) -> Claims:
    """``reproduction.finished``: the latest verdict shows on what was reproduced."""
    change = ReproductionFinished.model_validate(body)
    facts = {"verdict": change.verdict, "isolation": change.isolation}
    op = attribute(change.subject, "reproduction", facts, change.event_at, Method.OBSERVED)
    return Claims(states=(op,), mentions=(change.run,))


def retraction(body: Any) -> Claims:
    """``claim.retracted``: the claims of an entry, here or yet to come, are invisible."""
    change = ClaimRetracted.model_validate(body)
    return Claims(retracts=(EntryRef(change.source, change.event_id),))


def redaction(body: Any) -> Claims:
    """``entry.redacted``: body and salt of an entry give way to a stub."""
    change = EntryRedacted.model_validate(body)
    target = EntryRef(change.source, change.event_id)
    return Claims(redacts=(Redaction(target, change.stub.encode()),))


def seal_key(body: Any) -> Claims:
    """``seal.key_added``: about the ledger itself, so it says nothing of the graph."""
    SealKeyAdded.model_validate(body)
    return Claims()


def proposed(body: Any) -> Claims:
    """``redaction.proposed``: to be found again, by the evidence of an attribute."""
    change = RedactionProposed.model_validate(body)
    facts = {"targets": len(change.targets), "people": change.people}
    op = attribute(REDACTIONS, PROPOSED, facts, change.event_at, Method.DECLARED)
    return Claims(states=(op,))


def ruled(body: Any) -> Claims:
    """``redaction.ruled``: how many people a redaction takes from here on."""
    change = RedactionRuled.model_validate(body)
    op = attribute(REDACTIONS, RULED, change.people, change.event_at, Method.DECLARED)
    return Claims(states=(op,))


def accessed(body: Any) -> Claims:
    """``audit.accessed``: of the audit log, so it says nothing of the graph."""
    AuditAccessed.model_validate(body)
    return Claims()


KINDS: dict[tuple[str, int], Callable[[Any], Claims]] = {
    (kind_of(GateDecided), 1): gate,
    (kind_of(ReproductionFinished), 1): reproduction,
    (kind_of(ClaimRetracted), 1): retraction,
    (kind_of(EntryRedacted), 1): redaction,
    (kind_of(SealKeyAdded), 1): seal_key,
    (kind_of(AuditAccessed), 1): accessed,
    (kind_of(RedactionProposed), 1): proposed,
    (kind_of(RedactionRuled), 1): ruled,
}
