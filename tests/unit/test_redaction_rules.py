"""The rule about redactions is an entry: nothing that is recorded gets around it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineage.errors import RefusedError
from lineage.model.changes import (
    ClaimRetracted,
    EntryRedacted,
    PersonDescribed,
    RedactionProposed,
    RedactionRuled,
    RedactionTarget,
)
from lineage.model.changes.values import Change
from lineage.model.envelope import Actor
from lineage.record.recorder import Recorder
from lineage.record.redact.rules import check_redactions, people_needed, proposals
from lineage.store.contract import Store, StoredEntry
from tests.stores import new_store

ANN, BOB = Actor("person:ann"), Actor("person:bob")
ROBOT = Actor("service:lineage,bearer-token", "token")
STUB = '{"event_at":1,"kind":"person.described","person":"person:x","v":1}'

pytestmark = pytest.mark.both_stores


class Desk:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.recorder = Recorder(store, key=b"k" * 32)
        self.say(PersonDescribed(event_at=1, person="person:x", attributes={"name": "X"}), ANN)

    def say(self, change: Change, actor: Actor) -> StoredEntry:
        (receipt,) = self.recorder.record_changes([change], source="s", actor=actor)
        return next(self.store.entries(receipt.seq - 1, 1))

    @property
    def target(self) -> StoredEntry:
        return next(self.store.entries())

    def two(self) -> StoredEntry:
        return self.say(RedactionRuled(event_at=2, people=2, reason="policy", by="ann"), ANN)

    def propose(self, actor: Actor, *, stub: str = STUB) -> str:
        digest = hashlib.sha256(stub.encode()).hexdigest()
        target = RedactionTarget(
            source=self.target.source, event_id=self.target.event_id, stub_sha256=digest
        )
        change = RedactionProposed(event_at=3, targets=[target], reason="r", by=actor.id)
        return self.say(change, actor).event_id

    def redact(self, actor: Actor, proposal: str = "", *, stub: str = STUB) -> None:
        target = self.target
        self.say(
            EntryRedacted(
                event_at=4, source=target.source, event_id=target.event_id, stub=stub,
                reason="r", by=actor.id, proposal=proposal,
            ),
            actor,
        )  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with new_store(tmp_path / "store") as store:
        yield Desk(store)


def _refused(code: str) -> pytest.RaisesExc[RefusedError]:
    return pytest.RaisesExc(RefusedError, check=lambda fault: fault.code == code)


NEEDS = "redaction-needs-approval"


def test_without_a_rule_one_person_redacts(desk: Desk) -> None:
    assert people_needed(desk.store) == 1
    desk.redact(ANN)
    assert desk.target.salt is None


def test_two_people_propose_and_approve(desk: Desk) -> None:
    desk.two()
    proposal = desk.propose(ANN)
    assert [each.done(desk.store) for each in proposals(desk.store)] == [False]
    desk.redact(BOB, proposal)
    assert desk.target.body == STUB.encode()
    assert [each.done(desk.store) for each in proposals(desk.store)] == [True]


def test_what_is_not_approved_is_refused(desk: Desk) -> None:
    desk.two()
    proposal, by_robot = desk.propose(ANN), desk.propose(ROBOT)
    other = STUB.replace("}", ',"attributes":{"name":"other"}}')
    for actor, named, stub in (
        (BOB, "", STUB), (BOB, "nothing", STUB), (ANN, proposal, STUB), (ROBOT, proposal, STUB),
        (BOB, proposal, other), (BOB, by_robot, STUB),
    ):  # fmt: skip
        with _refused(NEEDS):
            desk.redact(actor, named, stub=stub)
    assert desk.target.salt is not None


def test_a_withdrawn_proposal_cannot_be_approved(desk: Desk) -> None:
    desk.two()
    proposal = desk.propose(ANN)
    desk.say(ClaimRetracted(event_at=5, source="s", event_id=proposal), ANN)
    with _refused(NEEDS):
        desk.redact(BOB, proposal)


def test_going_back_to_one_person_takes_two(desk: Desk) -> None:
    desk.two()
    with _refused(NEEDS):
        desk.say(RedactionRuled(event_at=5, people=1, reason="r", by="x"), ANN)
    asked = RedactionProposed(event_at=5, people=1, reason="alone", by="x")
    proposal = desk.say(asked, ANN).event_id
    ruled = RedactionRuled(event_at=6, people=1, reason="alone", by="x", proposal=proposal)
    with _refused(NEEDS):
        desk.say(ruled, ANN)
    desk.say(ruled, BOB)
    desk.redact(ANN)
    assert desk.target.salt is None


def test_a_rule_is_neither_retracted_nor_redacted(desk: Desk) -> None:
    rule = desk.two()
    with _refused("not-redactable"):
        desk.say(ClaimRetracted(event_at=5, source="s", event_id=rule.event_id), ANN)
    proposal = desk.propose(ANN)
    for event_id in (rule.event_id, proposal):
        with _refused("not-redactable"):
            desk.say(
                EntryRedacted(
                    event_at=6, source="s", event_id=event_id, stub="{}", reason="r", by="x"
                ),
                BOB,
            )
    assert people_needed(desk.store) == 2


def test_a_key_is_not_redacted_before_it_is_recorded(desk: Desk) -> None:
    early = EntryRedacted(
        event_at=6, source="lineage:seal", event_id="key-1", stub="{}", reason="r", by="x"
    )
    with _refused("not-redactable"):
        desk.say(early, BOB)


def test_what_others_say_of_the_same_node_is_no_rule(desk: Desk) -> None:
    desk.two()
    desk.say(
        PersonDescribed(
            event_at=9, person="service:lineage,redactions", attributes={"people": 1}
        ),
        ANN,
    )  # fmt: skip
    assert people_needed(desk.store) == 2


def test_a_rule_holds_within_what_is_recorded_together(desk: Desk) -> None:
    ruled = RedactionRuled(event_at=2, people=2, reason="policy", by="ann")
    target = desk.target
    redacted = EntryRedacted(
        event_at=4, source=target.source, event_id=target.event_id, stub=STUB, reason="r", by="a"
    )
    with _refused(NEEDS):
        desk.recorder.record_changes([ruled, redacted], source="s", actor=ANN)
    assert desk.store.head().seq == 1


def test_a_ledger_is_read_again_without_asking(desk: Desk, tmp_path: Path) -> None:
    """What is in it was judged when it was recorded."""
    desk.two()
    desk.redact(BOB, desk.propose(ANN))
    check_redactions(desk.store, [])
