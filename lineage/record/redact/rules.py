"""Who may redact: the rule that a store recorded of itself, and proposals that wait for approval.

The rule is an entry, so no setting of a process gets around it, and it is asked of every redaction
that is to be recorded, whatever way it comes in. Where it says two people, one proposes (with
the digest of every stub) and another, by their actors, records the redactions that name the
proposal. Going back to one person takes two. Entries that are rules or proposals are not redacted,
rules are not retracted. What is read of a ledger again (rebuild, restore) was judged then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from lineage.errors import RefusedError
from lineage.model.canonical import parse_json
from lineage.model.changes import (
    EntryRedacted,
    RedactionProposed,
    RedactionRuled,
    SealKeyAdded,
    kind_of,
)
from lineage.model.claims import Claims, EntryRef, StateType
from lineage.model.envelope import Actor
from lineage.record.interpret.governance import PROPOSED, REDACTIONS, RULED
from lineage.record.redact.names import names_of
from lineage.store.contract import NewEntry, Store, StoredEntry

__all__ = ["Proposal", "check_redactions", "entry_at", "people_needed", "proposals"]

_RULED, _PROPOSED = kind_of(RedactionRuled), kind_of(RedactionProposed)
_KEY, _KEYS = kind_of(SealKeyAdded), "lineage:seal"
"""Kind and source of the keys of checkpoints (``record.seal.keys``, which needs a recorder)."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal as recorded: its place, who made it, and what it asks for."""

    entry: StoredEntry
    change: RedactionProposed

    @property
    def id(self) -> str:
        """Its event id, by which it is approved."""
        return self.entry.event_id

    @property
    def stubs(self) -> dict[EntryRef, str]:
        """What is to be redacted, with the digest of the stub (hex)."""
        return {EntryRef(t.source, t.event_id): t.stub_sha256 for t in self.change.targets}

    def done(self, store: Store) -> bool:
        """Whether all that it asks for came to be."""
        if self.change.people is not None:
            return people_needed(store) == self.change.people
        return all(_has_stub(store, ref, digest) for ref, digest in self.stubs.items())


def _has_stub(store: Store, ref: EntryRef, digest: str) -> bool:
    entry = entry_at(store, ref)
    if entry is None or entry.salt is not None:
        return False
    return hashlib.sha256(entry.body).hexdigest() == digest


def entry_at(store: Store, ref: EntryRef) -> StoredEntry | None:
    """The entry of a reference, if it is there."""
    seq = store.find(ref.source, ref.event_id)
    return None if seq is None else next(store.entries(seq - 1, 1))


def people_needed(store: Store) -> int:
    """How many people a redaction takes: 1 or 2."""
    return _people(_recorded(store, RULED, _RULED))


def _people(ruled: Sequence[StoredEntry]) -> int:
    return RedactionRuled.model_validate(parse_json(ruled[-1].body)).people if ruled else 1


def proposals(store: Store) -> list[Proposal]:
    """Every proposal that was not retracted, in order, approved or not."""
    return [
        Proposal(entry, RedactionProposed.model_validate(parse_json(entry.body)))
        for entry in _recorded(store, PROPOSED, _PROPOSED)
    ]


def _recorded(store: Store, attribute: str, kind: str) -> list[StoredEntry]:
    """Entries of a kind by the evidence of their attribute: others may have said it as well."""
    position = store.head().seq
    found = store.state_evidence(REDACTIONS, StateType.ATTRIBUTE, attribute, position)
    entries = [next(store.entries(each.seq - 1, 1)) for each in found]
    return [entry for entry in entries if entry.kind == kind]


def check_redactions(store: Store, entries: Sequence[NewEntry]) -> None:
    """Raise ``RefusedError`` where one of ``entries`` may not be recorded.

    ``redaction-needs-approval``: without a second person; ``not-redactable``: what would take a
    rule away.
    """
    asked = [e for e in entries if e.claims.redacts or e.claims.retracts or e.kind == _RULED]
    if not asked:
        return
    ruled = _recorded(store, RULED, _RULED)
    rules, people = {(e.source, e.event_id) for e in ruled}, _people(ruled)
    for entry in asked:
        for ref in entry.claims.retracts:
            if (ref.source, ref.event_id) in rules:
                names_of(_RULED)  # raises
        if entry.claims.redacts:
            _check_targets(store, entry.claims)
        if people > 1 and (entry.claims.redacts or entry.kind == _RULED):
            _check_approved(store, entry)
        if entry.kind == _RULED:
            people = RedactionRuled.model_validate(parse_json(entry.body)).people


def _check_targets(store: Store, claims: Claims) -> None:
    for redaction in claims.redacts:
        target = entry_at(store, redaction.target)
        if target is not None:
            names_of(target.kind)
        elif redaction.target.source == _KEYS:
            names_of(_KEY)  # a key that is recorded later would be its stub


def _check_approved(store: Store, entry: NewEntry) -> None:
    value = parse_json(entry.body)
    if entry.kind == _RULED:
        ruled = RedactionRuled.model_validate(value)
        if ruled.people > 1:
            return
        proposal = _approved(store, ruled.proposal, entry.actor)
        if proposal.change.people != ruled.people:
            raise _needs_approval("the proposal that it names asks for something else")
        return
    redacted = EntryRedacted.model_validate(value)
    proposal = _approved(store, redacted.proposal, entry.actor)
    digest = hashlib.sha256(redacted.stub.encode()).hexdigest()
    if proposal.stubs.get(EntryRef(redacted.source, redacted.event_id)) != digest:
        raise _needs_approval("the proposal that it names asks for other entries, or another stub")


def _approved(store: Store, wanted: str, actor: Actor) -> Proposal:
    found = [each for each in proposals(store) if each.id == wanted]
    if not wanted or not found:
        raise _needs_approval("this store wants redactions proposed first")
    proposer = found[-1].entry.actor.id
    if actor.id == proposer:
        raise _needs_approval("who proposed it cannot approve it")
    if not all(who.startswith("person:") for who in (actor.id, proposer)):
        raise _needs_approval("a redaction is proposed and approved by people")
    return found[-1]


def _needs_approval(why: str) -> RefusedError:
    return RefusedError(
        f"a redaction takes two people here: {why}",
        code="redaction-needs-approval",
        hint="one asks by `lineage redact`, another approves by `lineage redactions approve`",
    )
