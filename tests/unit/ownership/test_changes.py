"""Ownership: changes."""

from __future__ import annotations

import pytest

from lineage.model.changes import (
    AliasDeclared,
)
from lineage.model.ids import artifact_id
from lineage.ownership.changes import Terms, accept, claim, retract, scope_target, team_of
from lineage.ownership.precedence import Status
from lineage.store.contract import LATEST
from tests.unit.ownership.world import ANN, BOB, HOUR, T0, TX, World, refuses


@pytest.mark.parametrize("name", ["", "  ", "a|b", "person:ann", "team:", "team:a b", "run:x"])
def test_only_a_team_with_a_name_can_answer(world: World, name: str) -> None:
    with refuses("bad-team"):
        claim(world.store, TX, name, actor=ANN, now=T0)


def test_a_team_is_named_with_or_without_its_class() -> None:
    assert team_of("risk") == team_of("team:risk") == "team:risk"
    assert team_of("risk team") == "team:risk%20team"


@pytest.mark.parametrize("target", ["person:ann", "team:risk", "service:x,y"])
def test_people_and_teams_are_not_owned(world: World, target: str) -> None:
    with refuses("not-ownable"):
        claim(world.store, target, "risk", actor=ANN, now=T0)


@pytest.mark.parametrize(("namespace", "name"), [("", "x"), ("x", ""), ("x", "a" * 2_000)])
def test_a_pattern_has_two_readable_parts(namespace: str, name: str) -> None:
    with refuses("not-ownable"):
        scope_target(namespace, name)


def test_a_pattern_is_spelt_as_names_are() -> None:
    assert scope_target("s3a://lake/", "features/**") == scope_target("s3://lake", "features/**")


def test_a_claim_ends_after_it_begins(world: World) -> None:
    with refuses("bad-interval"):
        claim(world.store, TX, "risk", Terms(until=T0), actor=ANN, now=T0)


def test_accepting_or_retracting_what_is_not_claimed_is_told(world: World) -> None:
    with refuses("nothing-to-accept"):
        accept(world.store, TX, "risk", actor=ANN, now=world.now)
    with refuses("nothing-to-retract"):
        retract(world.store, TX, "risk", actor=ANN, now=world.now)


def test_accepting_twice_is_told(world: World) -> None:
    world.claim(TX, "risk")
    world.accept(TX, "risk")
    with refuses("already-accepted"):
        world.accept(TX, "risk")


def test_the_hint_names_the_scope_that_can_be_accepted(world: World) -> None:
    world.claim(scope_target("s3://lake", "**"), "risk")
    with refuses("nothing-to-accept") as refused:
        accept(world.store, TX, "risk", actor=ANN, now=world.now)
    assert "lineage owners accept --scope s3://lake '**' team:risk" in refused.value.hint


def test_a_team_with_claims_from_several_sources_says_which(world: World) -> None:
    world.claim(TX, "risk", source="contract:a")
    world.claim(TX, "risk", source="explicit")
    with refuses("several-claims"):
        accept(world.store, TX, "risk", actor=ANN, now=world.now)
    world.accept(TX, "risk", source="explicit")
    assert world.owner().accepted


def test_an_alias_can_be_accepted_under_its_other_name(world: World) -> None:
    hive = artifact_id("hive://warehouse", "risk.tx")
    world.claim(hive, "risk")
    world.record(AliasDeclared(event_at=world.later(), a=min(TX, hive), b=max(TX, hive)))
    world.accept(TX, "risk")
    assert world.owner(hive).accepted


def test_claiming_again_keeps_the_acceptance(world: World) -> None:
    world.claim(TX, "risk")
    world.accept(TX, "risk")
    world.claim(TX, "risk", actor=BOB)
    assert world.owner().accepted


def test_a_retraction_ends_it_and_the_past_stays(world: World) -> None:
    world.claim(TX, "risk")
    world.accept(TX, "risk")
    owned = world.now
    world.retract(TX, "risk")
    assert world.owner().status is Status.ORPHANED
    assert world.owner(as_of=owned).accepted
    world.claim(TX, "risk")
    assert world.owner().status is Status.CLAIMED, "an acceptance does not outlive its claim"


def test_a_clock_behind_that_of_the_claim_still_accepts_retracts_and_claims(world: World) -> None:
    world.claim(TX, "risk")
    behind = world.now - HOUR // 2
    world.record(accept(world.store, TX, "risk", actor=BOB, now=behind), actor=BOB)
    assert world.owner(as_of=LATEST).accepted
    world.record(retract(world.store, TX, "risk", actor=BOB, now=behind), actor=BOB)
    assert world.owner(as_of=LATEST).status is Status.ORPHANED
    world.record(claim(world.store, TX, "risk", actor=BOB, now=behind), actor=BOB)
    assert world.owner(as_of=LATEST).status is Status.CLAIMED
