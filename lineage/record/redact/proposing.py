"""Two people: what one asks for, and what another approves of it."""

from __future__ import annotations

import hashlib
from typing import Literal

from lineage.errors import RefusedError, UnknownNameError
from lineage.model.changes import RedactionProposed, RedactionRuled, RedactionTarget
from lineage.model.claims import EntryRef
from lineage.record.recorder import Recorder
from lineage.record.redact.erase import SOURCE, Order
from lineage.record.redact.people import Tick
from lineage.record.redact.plan import Plan, plan_entries, plan_person
from lineage.record.redact.rules import Proposal, entry_at, people_needed, proposals
from lineage.store.blobs import BlobStore
from lineage.store.contract import Store

__all__ = ["find_proposal", "plan_of", "propose", "rule"]


def propose(recorder: Recorder, plan: Plan, order: Order) -> Proposal:
    """Record that somebody asks for what a plan says."""
    targets = [
        RedactionTarget(
            source=target.ref.source, event_id=target.ref.event_id,
            stub_sha256=hashlib.sha256(target.stub).hexdigest(),
        )
        for target in plan.new
    ]  # fmt: skip
    change = RedactionProposed(
        event_at=order.at, targets=targets, person=plan.person or None, reason=order.reason,
        by=order.actor.id,
    )  # fmt: skip
    return _propose(recorder, change, order)


def rule(recorder: Recorder, people: int, order: Order) -> Proposal | None:
    """Let redactions take so many people from here on; a proposal where that takes a second one."""
    count: Literal[1, 2] = 2 if people > 1 else 1
    before = people_needed(recorder.store)
    if before == count and not order.proposal:
        return None
    if before > count and not order.proposal:
        change = RedactionProposed(
            event_at=order.at, people=count, reason=order.reason, by=order.actor.id
        )
        return _propose(recorder, change, order)
    ruled = RedactionRuled(
        event_at=order.at, people=count, reason=order.reason, by=order.actor.id,
        proposal=order.proposal,
    )  # fmt: skip
    recorder.record_changes([ruled], source=SOURCE, actor=order.actor)
    return None


def _propose(recorder: Recorder, change: RedactionProposed, order: Order) -> Proposal:
    (receipt,) = recorder.record_changes([change], source=SOURCE, actor=order.actor)
    return Proposal(next(recorder.store.entries(receipt.seq - 1, 1)), change)


def find_proposal(store: Store, text: str) -> Proposal:
    """A proposal by its event id or the beginning of it. Raises ``UnknownNameError``."""
    found = [each for each in proposals(store) if text and each.id.startswith(text)]
    if len(found) != 1:
        raise UnknownNameError(
            f"{'more than one' if found else 'no'} proposal {text!r}",
            hint="`lineage redactions list` shows those that wait",
        )
    return found[0]


def plan_of(store: Store, blobs: BlobStore, proposal: Proposal, tick: Tick) -> Plan:
    """What a proposal asks for, worked out again: the digests of all stubs are those proposed.

    Raises ``RefusedError`` (``redaction-needs-approval``) where they are not any more.
    """
    if proposal.change.person is not None:
        plan = plan_person(store, blobs, proposal.change.person, tick=tick)
        plan.targets = [target for target in plan.targets if target.ref in proposal.stubs]
    else:
        found = [entry for ref in proposal.stubs if (entry := entry_at(store, ref)) is not None]
        plan = plan_entries(store, blobs, [entry.seq for entry in found], tick)
    made = {t.ref: hashlib.sha256(t.stub).hexdigest() for t in plan.targets}
    done = {ref for ref in proposal.stubs if _redacted(store, ref)}
    if any(made.get(ref) != digest for ref, digest in proposal.stubs.items() if ref not in done):
        raise RefusedError(
            "what would be left of these entries is not what was proposed: the ledger has changed",
            code="redaction-needs-approval",
            hint="propose it again",
        )
    return plan


def _redacted(store: Store, ref: EntryRef) -> bool:
    entry = entry_at(store, ref)
    return entry is not None and entry.salt is None
