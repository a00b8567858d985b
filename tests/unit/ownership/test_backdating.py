"""Ownership: backdating."""

from __future__ import annotations

import pytest

from lineage.model.canonical import FOREVER
from lineage.model.changes import (
    MemberAdded,
    MemberRemoved,
    OwnerAccepted,
    OwnerRetracted,
)
from lineage.model.changes import OwnerClaimed as Claimed
from lineage.ownership.changes import Terms, accept, claim, scope_target
from lineage.ownership.claims import Owners
from lineage.ownership.precedence import Status
from lineage.store.contract import View
from tests.unit.ownership.world import ANN, BOB, HOUR, T0, TX, World, refuses


def test_a_backdated_claim_needs_a_reason(world: World) -> None:
    with refuses("backdated-needs-reason"):
        claim(world.store, TX, "risk", Terms(since=T0 - HOUR), actor=ANN, now=T0)


def test_a_backdated_claim_is_marked_and_counts_with_a_second_person(world: World) -> None:
    then = T0 - 100 * HOUR
    before = world.store.head().seq
    world.claim(TX, "risk", since=then, reason="it was ours, the catalog forgot")
    (proposed,) = world.owner().claims
    assert (proposed.proposed, proposed.reason) == (True, "it was ours, the catalog forgot")
    assert b'"backdated":true' in list(world.store.entries())[-1].body
    assert world.owner(as_of=then).status is world.owner().status is Status.ORPHANED
    with refuses("needs-second-person"):
        accept(world.store, TX, "risk", actor=ANN, now=world.now)
    world.accept(TX, "risk", actor=BOB)
    for as_of in (then, world.now):
        assert world.owner(as_of=as_of).accepted
        assert world.owner(as_of=as_of, known_at=before).status is Status.ORPHANED
    assert world.owner(as_of=then - 1).status is Status.ORPHANED


def test_a_proposal_does_not_disturb_who_owns_it(world: World) -> None:
    world.claim(TX, "risk")
    world.accept(TX, "risk")
    world.claim(TX, "pricing", since=T0, reason="we think so")
    assert (world.owner().status, world.owner().team) == (Status.OWNED, "team:risk")


def test_a_withdrawn_proposal_leaves_nothing_to_accept(world: World) -> None:
    world.claim(TX, "risk", since=T0 - HOUR, reason="hm")
    world.retract(TX, "risk")
    with refuses("nothing-to-accept"):
        accept(world.store, TX, "risk", actor=BOB, now=world.now)
    assert world.owner(as_of=T0).claims == ()


def test_reaching_back_with_an_owned_claim_does_not_weaken_it(world: World) -> None:
    world.claim(TX, "risk")
    world.accept(TX, "risk")
    world.claim(TX, "risk", since=T0 - HOUR, reason="since ever")
    assert world.owner().accepted
    assert world.owner(as_of=T0).status is Status.ORPHANED


@pytest.mark.parametrize("since", [None, T0 - 100 * HOUR])
def test_a_false_event_time_does_not_backdate_alone(world: World, since: int | None) -> None:
    """Recorded now, said to be of last week: whoever writes to the ledger can say that."""
    said = T0 - 90 * HOUR
    world.record(Claimed(event_at=said, target=TX, team="team:risk", since=since))
    world.record(OwnerAccepted(event_at=said + 1, target=TX, team="team:risk", since=since))
    assert not world.owner(as_of=said + 2).accepted
    assert world.owner(as_of=said + 2).status is Status.ORPHANED


def test_an_acceptance_that_reaches_back_needs_a_second_person(world: World) -> None:
    world.claim(TX, "risk")
    claimed = world.now
    back = OwnerAccepted(event_at=world.later(), target=TX, team="team:risk", since=claimed)
    world.record(back)
    assert world.owner(as_of=claimed).status is Status.CLAIMED
    assert world.owner().accepted
    again = back.model_copy(update={"event_at": world.later()})
    world.record(again, actor=BOB)
    assert world.owner(as_of=claimed).accepted


def test_machines_may_deliver_late(world: World) -> None:
    said = T0 - 90 * HOUR
    world.record(Claimed(event_at=said, target=TX, team="team:risk", claim_source="codeowners:git"))
    assert world.owner(as_of=said).status is Status.CLAIMED


def test_a_retraction_of_any_source_is_seen(world: World) -> None:
    world.claim(TX, "risk", source="catalog:unity")
    world.record(OwnerRetracted(event_at=world.later(), target=TX, team="team:risk",
                                claim_source="catalog:unity"))  # fmt: skip
    assert world.owner().claims == ()


def test_claims_on_one_subject_are_read_without_its_scopes(world: World) -> None:
    world.claim(scope_target("s3://lake", "**"), "platform")
    world.claim(TX, "risk")
    view = View(world.store.head().seq, world.now)
    assert [c.team for c in Owners(world.store, view).on(TX)] == ["team:risk"]
    assert world.owner().claims[0].until == FOREVER


def test_a_proposal_for_a_time_that_has_passed_takes_a_second_person(world: World) -> None:
    start, end = T0 - 100 * HOUR, T0 - 50 * HOUR
    world.claim(TX, "risk", since=start, until=end, reason="it was ours until the move")
    with refuses("needs-second-person"):
        accept(world.store, TX, "risk", actor=ANN, now=world.now)
    world.accept(TX, "risk", actor=BOB)
    assert world.owner(as_of=start).accepted
    assert world.owner(as_of=end).status is world.owner().status is Status.ORPHANED


def test_what_a_team_owns_now_does_not_hide_its_proposal_for_the_past(world: World) -> None:
    world.claim(TX, "risk")
    world.accept(TX, "risk")
    then = T0 - 100 * HOUR
    world.claim(TX, "risk", since=then, reason="it always was")
    with refuses("needs-second-person"):
        accept(world.store, TX, "risk", actor=ANN, now=world.now)
    world.accept(TX, "risk", actor=BOB)
    assert world.owner(as_of=then).accepted
    with refuses("already-accepted"):
        accept(world.store, TX, "risk", actor=BOB, now=world.now)


def test_retracting_what_is_owned_now_leaves_the_proposal(world: World) -> None:
    world.claim(TX, "risk")
    world.accept(TX, "risk")
    then = T0 - 100 * HOUR
    world.claim(TX, "risk", since=then, reason="it always was")
    world.retract(TX, "risk")
    assert world.owner().status is Status.ORPHANED
    (proposal,) = world.owner(as_of=then).claims
    assert proposal.proposed
    world.retract(TX, "risk")
    assert not world.owner(as_of=then).claims


def test_only_a_member_accepts_where_members_are_recorded(world: World) -> None:
    world.claim(TX, "risk")
    world.record(MemberAdded(event_at=world.now, person="person:ann", team="team:risk"))
    with refuses("not-a-member") as refused:
        accept(world.store, TX, "risk", actor=BOB, now=world.later())
    assert refused.value.where["members"] == ["person:ann"]
    stand_in = accept(world.store, TX, "risk", actor=BOB, now=world.now, reason="Ann is away")
    assert stand_in.reason == "Ann is away"
    world.accept(TX, "risk", actor=ANN)
    assert world.owner().accepted
    # Who has left the team is no member.
    world.record(MemberRemoved(event_at=world.later(), person="person:ann", team="team:risk"))
    world.record(MemberAdded(event_at=world.now, person="person:bob", team="team:risk"))
    world.claim(scope_target("s3://lake", "**"), "risk")
    with refuses("not-a-member"):
        accept(world.store, scope_target("s3://lake", "**"), "risk", actor=ANN, now=world.later())
