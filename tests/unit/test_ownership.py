"""Ownership: who answers for what, under which claim, and what a change of it must obey."""

from __future__ import annotations

from typing import Any

import pytest

from lineage.errors import OwnershipError
from lineage.model.canonical import FOREVER, micros
from lineage.model.changes import (
    AliasDeclared,
    ArtifactDescribed,
    Change,
    MemberAdded,
    MemberRemoved,
    OwnerAccepted,
    OwnerRetracted,
    RunFinished,
    RunRef,
    Use,
)
from lineage.model.changes import OwnerClaimed as Claimed
from lineage.model.envelope import Actor
from lineage.model.ids import artifact_id, file_token, job_id, parse_id, run_id, scope_id
from lineage.ownership.changes import Terms, accept, claim, retract, scope_target, team_of
from lineage.ownership.claims import Owners, ownership_of
from lineage.ownership.kinds import scan_owned
from lineage.ownership.patterns import Pattern, scope_of
from lineage.ownership.precedence import Ownership, Rank, Status, rank_of
from lineage.record.interpret import interpret
from lineage.record.recorder import Incoming, Recorder
from lineage.store.contract import LATEST, View
from lineage.store.memory.store import MemoryStore

HOUR = 3_600_000_000
T0 = 1_795_000_000_000_000
ANN, BOB = Actor("person:ann"), Actor("person:bob")
TX = artifact_id("s3://lake", "features/tx")


class World:
    """A store whose clock the test turns."""

    def __init__(self) -> None:
        self.now = T0
        self.store = MemoryStore(interpret, clock=lambda: self.now)
        self.recorder = Recorder(self.store, key=b"k" * 32)
        self.record(ArtifactDescribed(event_at=T0, namespace="s3://lake", name="features/tx"))

    def record(self, *changes: Change, actor: Actor = ANN) -> None:
        self.recorder.record_changes(changes, source="test", actor=actor)

    def later(self, by: int = HOUR) -> int:
        self.now += by
        return self.now

    def claim(self, target: str, team: str, actor: Actor = ANN, **terms: Any) -> None:
        now = self.later()
        self.record(
            claim(self.store, target, team, Terms(**terms), actor=actor, now=now), actor=actor
        )

    def accept(self, target: str, team: str, actor: Actor = ANN, source: str = "") -> None:
        now = self.later()
        self.record(
            accept(self.store, target, team, actor=actor, now=now, source=source), actor=actor
        )

    def retract(self, target: str, team: str, actor: Actor = ANN, source: str = "") -> None:
        now = self.later()
        self.record(
            retract(self.store, target, team, actor=actor, now=now, source=source), actor=actor
        )

    def owner(
        self, node: str = TX, as_of: int | None = None, known_at: int | None = None
    ) -> Ownership:
        position = self.store.head().seq if known_at is None else known_at
        view = View(position, self.now if as_of is None else as_of)
        return ownership_of(self.store, [node], view)[node]


@pytest.fixture
def world() -> World:
    return World()


# --- patterns -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("features/*", "features/tx", True),
        ("features/*", "features/", True),
        ("features/*", "features/a/b", False),
        ("features/**", "features/a/b", True),
        ("features/**", "features", False),
        ("**/tx", "a/b/tx", True),
        ("**/tx", "tx", False),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "a/b", False),
        ("t?", "tx", True),
        ("t?", "t/", False),
        ("t?", "t", False),
        ("*", "", True),
        ("*", "s3://lake", False),
        ("**", "s3://lake", True),
        ("****", "a/b", True),
        ("tx", "TX", False),
        ("t[xy]", "tx", False),
        ("t[xy]", "t[xy]", True),
        ("a.b", "axb", False),
        ("*.csv", "a\nb.csv", True),
        ("naïve*", "naïveté", True),
        ("*a*b*", "xxaxxbxx", True),
        ("*a*b*", "xxbxxaxx", False),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_a_pattern_matches_the_whole_text(pattern: str, text: str, matches: bool) -> None:
    assert Pattern(pattern).matches(text) is matches


def test_a_hostile_pattern_costs_no_more_than_another() -> None:
    hostile = Pattern("**a" * 200 + "b")
    assert not hostile.matches("a" * 2_000)


def test_a_scope_matches_versions_as_their_artifact_and_decoded_names() -> None:
    scope = scope_of(scope_id("s3://lake", "naïve data/**"))
    assert scope.matches(parse_id(artifact_id("s3://lake", "naïve data/x", "12.00000000")))
    assert not scope.matches(parse_id(artifact_id("s3://other", "naïve data/x")))
    assert not scope.matches(parse_id(job_id("s3://lake", "naïve data/x")))


def test_a_shortened_name_is_matched_only_where_every_continuation_is() -> None:
    long = artifact_id("s3://lake", "features/" + "é" * 1_000)
    assert "~" in long
    assert scope_of(scope_id("s3://lake", "features/**")).matches(parse_id(long))
    assert not scope_of(scope_id("s3://lake", "features/*")).matches(parse_id(long))
    assert not scope_of(scope_id("s3://lake", "**é")).matches(parse_id(long))


def test_a_narrower_scope_is_more_specific() -> None:
    ordered = [
        ("s3://lake", "features/tx"),
        ("s3://lake", "features/tx/*"),
        ("s3://lake", "features/t?"),
        ("s3://lake", "features/*.delta"),
        ("s3://lake", "features/*"),
        ("s3://lake", "features/**"),
        ("s3://lake", "**"),
        ("s3://*", "features/tx"),
        ("**", "features/tx"),
        ("**", "*"),
        ("**", "**"),
    ]
    keys = [scope_of(scope_id(*pair)).specificity for pair in ordered]
    # The deeper path has the longer literal prefix; all others fall.
    assert sorted(keys, reverse=True) == [keys[1], keys[0], *keys[2:]]
    assert len(set(keys)) == len(keys)


# --- precedence -----------------------------------------------------------------------------------


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


# --- changes --------------------------------------------------------------------------------------


def _refused(code: str) -> Any:
    return pytest.raises(OwnershipError, check=lambda fault: fault.code == code)


@pytest.mark.parametrize("name", ["", "  ", "a|b", "person:ann", "team:", "team:a b", "run:x"])
def test_only_a_team_with_a_name_can_answer(world: World, name: str) -> None:
    with _refused("bad-team"):
        claim(world.store, TX, name, actor=ANN, now=T0)


def test_a_team_is_named_with_or_without_its_class() -> None:
    assert team_of("risk") == team_of("team:risk") == "team:risk"
    assert team_of("risk team") == "team:risk%20team"


@pytest.mark.parametrize("target", ["person:ann", "team:risk", "service:x,y"])
def test_people_and_teams_are_not_owned(world: World, target: str) -> None:
    with _refused("not-ownable"):
        claim(world.store, target, "risk", actor=ANN, now=T0)


@pytest.mark.parametrize(("namespace", "name"), [("", "x"), ("x", ""), ("x", "a" * 2_000)])
def test_a_pattern_has_two_readable_parts(namespace: str, name: str) -> None:
    with _refused("not-ownable"):
        scope_target(namespace, name)


def test_a_pattern_is_spelt_as_names_are() -> None:
    assert scope_target("s3a://lake/", "features/**") == scope_target("s3://lake", "features/**")


def test_a_claim_ends_after_it_begins(world: World) -> None:
    with _refused("bad-interval"):
        claim(world.store, TX, "risk", Terms(until=T0), actor=ANN, now=T0)


def test_accepting_or_retracting_what_is_not_claimed_is_told(world: World) -> None:
    with _refused("nothing-to-accept"):
        accept(world.store, TX, "risk", actor=ANN, now=world.now)
    with _refused("nothing-to-retract"):
        retract(world.store, TX, "risk", actor=ANN, now=world.now)


def test_accepting_twice_is_told(world: World) -> None:
    world.claim(TX, "risk")
    world.accept(TX, "risk")
    with _refused("already-accepted"):
        world.accept(TX, "risk")


def test_the_hint_names_the_scope_that_can_be_accepted(world: World) -> None:
    world.claim(scope_target("s3://lake", "**"), "risk")
    with _refused("nothing-to-accept") as refused:
        accept(world.store, TX, "risk", actor=ANN, now=world.now)
    assert "lineage owners accept --scope s3://lake '**' team:risk" in refused.value.hint


def test_a_team_with_claims_from_several_sources_says_which(world: World) -> None:
    world.claim(TX, "risk", source="contract:a")
    world.claim(TX, "risk", source="explicit")
    with _refused("several-claims"):
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


# --- backdating -----------------------------------------------------------------------------------


def test_a_backdated_claim_needs_a_reason(world: World) -> None:
    with _refused("backdated-needs-reason"):
        claim(world.store, TX, "risk", Terms(since=T0 - HOUR), actor=ANN, now=T0)


def test_a_backdated_claim_is_marked_and_counts_with_a_second_person(world: World) -> None:
    then = T0 - 100 * HOUR
    before = world.store.head().seq
    world.claim(TX, "risk", since=then, reason="it was ours, the catalog forgot")
    (proposed,) = world.owner().claims
    assert (proposed.proposed, proposed.reason) == (True, "it was ours, the catalog forgot")
    assert b'"backdated":true' in list(world.store.entries())[-1].body
    assert world.owner(as_of=then).status is world.owner().status is Status.ORPHANED
    with _refused("needs-second-person"):
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
    with _refused("nothing-to-accept"):
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
    with _refused("needs-second-person"):
        accept(world.store, TX, "risk", actor=ANN, now=world.now)
    world.accept(TX, "risk", actor=BOB)
    assert world.owner(as_of=start).accepted
    assert world.owner(as_of=end).status is world.owner().status is Status.ORPHANED


def test_what_a_team_owns_now_does_not_hide_its_proposal_for_the_past(world: World) -> None:
    world.claim(TX, "risk")
    world.accept(TX, "risk")
    then = T0 - 100 * HOUR
    world.claim(TX, "risk", since=then, reason="it always was")
    with _refused("needs-second-person"):
        accept(world.store, TX, "risk", actor=ANN, now=world.now)
    world.accept(TX, "risk", actor=BOB)
    assert world.owner(as_of=then).accepted
    with _refused("already-accepted"):
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
    with _refused("not-a-member") as refused:
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
    with _refused("not-a-member"):
        accept(world.store, scope_target("s3://lake", "**"), "risk", actor=ANN, now=world.later())


# --- what needs an owner --------------------------------------------------------------------------


def listed(world: World, as_of: int | None = None) -> list[str]:
    view = View(world.store.head().seq, world.now if as_of is None else as_of)
    return [each.node for _, some in scan_owned(world.store, view) for each in some]


def test_what_nobody_described_needs_an_owner_and_files_do_not(world: World) -> None:
    plain = Use(namespace="file", name="/a.csv", version=file_token("a" * 64), at=T0)
    table = plain.model_copy(update={"name": "/lake/t", "artifact_kind": "table"})
    code = plain.model_copy(update={"name": "/src", "artifact_kind": "code"})
    run = RunRef(namespace="local", job="j", run_id="r")
    world.record(RunFinished(event_at=T0, run=run, state="COMPLETE", uses=[plain, table, code]))
    assert listed(world) == [artifact_id("file", "/lake/t"), TX]


def test_what_was_not_there_yet_is_not_listed(world: World) -> None:
    plain = Use(namespace="file", name="/a.csv", version=file_token("a" * 64), at=T0 + HOUR)
    world.record(RunFinished(event_at=T0 + HOUR, run=RunRef(namespace="l", job="j", run_id="r"),
                             state="COMPLETE", uses=[plain]))  # fmt: skip
    body = (
        b'{"eventTime":"2026-11-20T00:00:00Z","eventType":"COMPLETE","run":{"runId":"r9"},'
        b'"job":{"namespace":"etl","name":"n"},"inputs":[{"namespace":"pg://db","name":"t"}],'
        b'"producer":"https://x.example"}'
    )
    at = micros("2026-11-20T00:00:00Z", "")
    world.recorder.record([Incoming("openlineage.run", 1, "openlineage:x", body, at)], ANN)
    used = artifact_id("pg://db", "t")
    assert used in listed(world, as_of=LATEST)
    assert used in listed(world, as_of=at)
    # The other was only ever named: when it began nobody said.
    assert listed(world, as_of=at - 1) == listed(world, as_of=0) == [TX]
