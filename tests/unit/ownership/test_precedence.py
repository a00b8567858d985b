"""Ownership: precedence."""

from __future__ import annotations

import pytest

from lineage.model.changes import (
    AliasDeclared,
)
from lineage.model.ids import artifact_id, job_id, run_id
from lineage.ownership.changes import scope_target
from lineage.ownership.precedence import Rank, Status, rank_of
from lineage.record.recorder import Incoming
from lineage.store.contract import LATEST
from tests.unit.ownership.world import ANN, HOUR, T0, TX, World


def test_nothing_claimed_is_orphaned(world: World) -> None:
    assert world.owner().status is Status.ORPHANED


def test_an_accepted_claim_owns_and_a_version_is_owned_as_its_artifact(world: World) -> None:
    world.claim(TX, "risk")
    assert world.owner().status is Status.CLAIMED
    world.accept(TX, "risk")
    for node in (TX, f"{TX}@12.00000000"):
        owner = world.owner(node)
        assert (owner.status, owner.team, owner.source) == (Status.OWNED, "team:risk", "explicit")
        assert owner.accepted
        assert owner.through == TX


def test_a_run_is_owned_as_its_job(world: World) -> None:
    world.claim(run_id("prod", "train", "r1"), "ml")
    assert world.owner(job_id("prod", "train")).team == "team:ml"
    assert world.owner(run_id("prod", "train", "r2")).team == "team:ml"


@pytest.mark.parametrize(
    ("source", "rank"),
    [
        ("explicit", Rank.EXPLICIT),
        ("contract:odcs", Rank.CONTRACT),
        ("codeowners:git", Rank.CODEOWNERS),
        ("catalog:unity", Rank.CATALOG),
        ("openlineage:dbt", Rank.CATALOG),
        ("inherited", Rank.INHERITED),
        ("inferred:last-writer", Rank.INFERRED),
        ("whatever", Rank.CATALOG),
        ("Explicit", Rank.CATALOG),
        ("explicitly:me", Rank.CATALOG),
    ],
)
def test_the_source_of_a_claim_gives_its_rank(source: str, rank: Rank) -> None:
    assert rank_of(source) is rank


def test_the_higher_rank_decides_even_where_only_the_lower_accepted(world: World) -> None:
    world.claim(TX, "guess", source="inferred:writer")
    world.accept(TX, "guess")
    assert world.owner().status is Status.OWNED
    world.claim(TX, "lake", source="codeowners:git")
    assert (world.owner().status, world.owner().team) == (Status.CLAIMED, "team:lake")


def test_a_direct_claim_beats_a_scope_of_its_rank_but_not_of_a_higher(world: World) -> None:
    wide = scope_target("s3://lake", "**")
    world.claim(wide, "platform", source="contract:a")
    world.claim(TX, "risk", source="contract:b")
    assert world.owner().team == "team:risk"
    world.claim(wide, "board")
    owner = world.owner()
    assert (owner.team, owner.through) == ("team:board", wide)


def test_the_more_specific_scope_decides(world: World) -> None:
    world.claim(scope_target("s3://lake", "**"), "platform")
    world.claim(scope_target("s3://lake", "features/*"), "features")
    world.claim(scope_target("s3://lake", "labels/*"), "labels")
    assert world.owner().team == "team:features"
    assert {c.team for c in world.owner().claims} == {"team:features", "team:platform"}


def test_equal_claims_of_two_teams_are_contested(world: World) -> None:
    world.claim(TX, "risk")
    world.accept(TX, "risk")
    world.claim(TX, "pricing")
    owner = world.owner()
    assert (owner.status, owner.team, owner.accepted) == (Status.CONTESTED, "", False)
    assert {c.team for c in owner.deciding()} == {"team:risk", "team:pricing"}
    world.retract(TX, "pricing")
    assert world.owner().status is Status.OWNED


def test_one_team_from_two_sources_of_one_rank_is_no_contest(world: World) -> None:
    world.claim(TX, "risk", source="contract:a")
    world.claim(TX, "risk", source="contract:b")
    world.accept(TX, "risk", source="contract:b")
    assert (world.owner().status, world.owner().source) == (Status.OWNED, "contract:b")


def test_aliases_share_their_claims_from_when_they_are_one(world: World) -> None:
    hive = artifact_id("hive://warehouse", "risk.tx")
    world.claim(hive, "risk")
    before = world.now
    low, high = sorted((TX, hive))
    world.record(AliasDeclared(event_at=world.later(), a=low, b=high, inferred=True))
    assert world.owner().status is Status.ORPHANED
    world.record(AliasDeclared(event_at=world.later(), a=low, b=high))
    assert (world.owner().team, world.owner().through) == ("team:risk", hive)
    assert world.owner().members == (low, high)
    assert world.owner(as_of=before).status is Status.ORPHANED


def test_two_owned_names_that_become_one_are_contested(world: World) -> None:
    hive = artifact_id("hive://warehouse", "risk.tx")
    world.claim(hive, "risk")
    world.claim(TX, "lake")
    world.record(AliasDeclared(event_at=world.later(), a=min(TX, hive), b=max(TX, hive)))
    assert world.owner().status is Status.CONTESTED


def test_a_claim_holds_between_its_times(world: World) -> None:
    start = world.now + 10 * HOUR
    world.claim(TX, "risk", since=start, until=start + HOUR)
    assert world.owner().status is Status.ORPHANED
    assert world.owner(as_of=start).team == "team:risk"
    assert world.owner(as_of=start + HOUR).status is Status.ORPHANED


def test_a_producer_cannot_raise_its_rank_by_the_name_of_a_team(world: World) -> None:
    body = (
        b'{"eventTime":"2026-11-20T00:00:00Z","producer":"https://x.example","dataset":'
        b'{"namespace":"s3://lake","name":"features/tx","facets":{"ownership":{"owners":'
        b'[{"name":"evil|explicit"},{"name":"x|contract:y"}]}}}}'
    )
    world.recorder.record([Incoming("openlineage.dataset", 1, "openlineage:x", body, T0)], ANN)
    assert {c.rank for c in world.owner(as_of=LATEST).claims} == {Rank.CATALOG}
