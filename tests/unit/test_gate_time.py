"""Gates and time: what is dated later than now is seen, or in the way, and never passed over."""

from __future__ import annotations

from typing import Any

import pytest

from lineage.model.canonical import micros
from lineage.model.changes import (
    AliasDeclared,
    AliasWithdrawn,
    ArtifactDescribed,
    Change,
    OwnerAccepted,
    OwnerClaimed,
    OwnerRetracted,
    RunAbandoned,
    RunRef,
    RunStarted,
)
from lineage.model.envelope import Actor
from lineage.model.ids import artifact_id, file_token, scope_id
from lineage.ownership.ahead import CLOCK_SKEW
from lineage.ownership.changes import retract
from lineage.ownership.checks import Outcome
from lineage.ownership.gate import Decision, Verdict
from lineage.record.recorder import Incoming
from tests.gated import (
    ANN,
    COMMIT,
    FRAUD,
    MODEL,
    NOW,
    T0,
    TABLE,
    TRAIN,
    World,
    finished,
    output,
    owned,
    use,
)

FAR = micros("9999-01-01T00:00:00Z")
SECOND = 1_000_000
RUN = "run:local,train,r1"
SCOPE = scope_id("file", "/models/**")
OWNERS_ONLY = "version: 1\nactions: {deploy: [{rule: owner-accepted}]}"


def ended(state: Any, at: int, **fields: Any) -> Change:
    fields = {"uses": [], "outputs": [], **fields}
    return finished(state, **fields).model_copy(update={"event_at": at})


def openlineage(event_type: str, at: str) -> Incoming:
    body = f"""{{"eventType": "{event_type}", "eventTime": "{at}", "producer": "https://x",
        "run": {{"runId": "r1"}}, "job": {{"namespace": "local", "name": "train"}}}}"""
    return Incoming("openlineage.run", 1, "spark", body.encode(), micros(at))


def ahead(decision: Decision) -> set[tuple[str, int]]:
    return {(each.node, each.at) for each in decision.evidence.ahead}


# --- what is dated later than now is in the way ---------------------------------------------------

RETRACTED = OwnerRetracted(event_at=FAR, target=MODEL, team="team:risk")
STRANGER = AliasDeclared(event_at=FAR, a=MODEL, b=artifact_id("hive://w", "fraud"))


LATER: dict[str, tuple[Change, str]] = {
    "failed": (ended("FAIL", FAR), RUN),
    "aborted": (ended("ABORT", FAR), RUN),
    "completed": (ended("COMPLETE", FAR), RUN),
    "started": (RunStarted(event_at=FAR, run=TRAIN, command=["train"]), RUN),
    "abandoned": (RunAbandoned(event_at=FAR, run=TRAIN), RUN),
    "retracted": (RETRACTED, MODEL),
    "contested": (OwnerClaimed(event_at=FAR, target=TABLE, team="team:other"), TABLE),
    "claimed for a while": (
        OwnerClaimed(event_at=FAR, target=MODEL, team="team:x", until=FAR + SECOND), MODEL
    ),
    "claimed by scope": (OwnerClaimed(event_at=FAR, target=SCOPE, team="team:x"), SCOPE),
    "another name": (STRANGER, MODEL),
    "another name of the run": (AliasDeclared(event_at=FAR, a=RUN, b="run:spark,train,s1"), RUN),
    "described": (
        ArtifactDescribed(event_at=FAR, namespace="file", name="/lake/tx", artifact_kind="file"),
        TABLE,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LATER)
@pytest.mark.parametrize("policy", ["", OWNERS_ONLY], ids=["default", "owners only"])
def test_what_is_dated_later_than_now_cannot_be_decided_over(case: str, policy: str) -> None:
    change, node = LATER[case]
    world = owned()
    assert world.gate(policy=policy).verdict is Verdict.ALLOW
    world.record(change)
    decision = world.gate(policy=policy)
    assert decision.verdict is Verdict.UNDECIDED
    (one,) = decision.blocking
    assert (one.node, one.outcome) == (node, Outcome.UNDECIDED)
    assert "dated 9999-01-01T00:00:00" in one.why
    assert [(a["node"], a["at"]) for a in decision.evidence.as_dict()["ahead"]] == [(node, FAR)]


@pytest.mark.parametrize("event_type", ["RUNNING", "OTHER", "FAIL", "START"])
def test_so_it_is_with_events_of_openlineage(event_type: str) -> None:
    world = owned()
    world.recorder.record([openlineage(event_type, "9999-01-01T00:00:00Z")], actor=ANN)
    decision = world.gate()
    assert decision.verdict is Verdict.UNDECIDED
    assert ahead(decision) == {(RUN, FAR)}


def test_a_use_of_the_future_hides_nothing_upstream() -> None:
    late = use("/lake/secret", "table", "1.00000000").model_copy(update={"at": FAR})
    decision = World(finished(uses=[use(), late])).own(TABLE, MODEL).gate()
    assert decision.verdict is Verdict.UNDECIDED
    assert ahead(decision) == {(RUN, FAR)}
    assert "/lake/secret" in decision.blocking[0].why


def test_a_second_maker_of_the_future_is_named() -> None:
    world = owned()
    other = RunRef(namespace="local", job="train", run_id="r9")
    late = output().model_copy(update={"at": FAR})
    world.record(finished(run=other, uses=[], outputs=[late]))
    assert ahead(world.gate()) == {(FRAUD, FAR)}


def test_a_first_commit_of_the_future_is_named() -> None:
    first = COMMIT.model_copy(update={"event_at": FAR, "name": "/lake/b"})
    world = World(first, finished(uses=[use("/lake/b")]))
    decision = world.own(artifact_id("file", "/lake/b"), MODEL).gate()
    assert decision.verdict is Verdict.UNDECIDED
    assert {at for _, at in ahead(decision)} == {FAR}


def test_the_latest_version_may_be_one_of_the_future() -> None:
    world = owned()
    late = output(letter="b").model_copy(update={"at": FAR})
    run = RunRef(namespace="local", job="train", run_id="r2")
    world.record(finished(run=run, outputs=[late]))
    assert world.gate(FRAUD).verdict is Verdict.ALLOW
    decision = world.gate(MODEL)
    assert decision.verdict is Verdict.UNDECIDED
    assert ahead(decision) == {(f"{MODEL}@{file_token('b' * 64)}", FAR)}


def test_an_alias_that_the_future_withdraws_is_named() -> None:
    twin = artifact_id("hive://w", "fraud")
    world = World().own(TABLE, twin)
    world.record(AliasDeclared(event_at=T0, a=MODEL, b=twin))
    assert world.gate().verdict is Verdict.ALLOW
    world.record(AliasWithdrawn(event_at=FAR, a=MODEL, b=twin))
    assert world.gate().verdict is Verdict.UNDECIDED


def test_a_denial_stays_a_denial() -> None:
    world = World(finished("FAIL")).own(TABLE, MODEL)
    world.record(ended("COMPLETE", FAR))
    decision = world.gate()
    assert decision.verdict is Verdict.DENY
    assert [one.outcome for one in decision.blocking] == ["fail", "undecided"]


def test_many_events_of_the_future_are_named_once() -> None:
    world = owned()
    world.record(*(RunAbandoned(event_at=FAR + n, run=TRAIN) for n in range(20)))
    assert ahead(world.gate()) == {(RUN, FAR)}


def test_the_future_elsewhere_does_not_matter() -> None:
    world = owned()
    reader = RunRef(namespace="local", job="score", run_id="s1")
    later = use().model_copy(update={"at": FAR})
    world.record(
        ended("FAIL", FAR, run=reader, uses=[later]),
        OwnerClaimed(event_at=FAR, target=artifact_id("file", "/elsewhere"), team="team:x"),
    )
    assert world.gate().verdict is Verdict.ALLOW


# --- what is said of the future on purpose is not -------------------------------------------------


@pytest.mark.parametrize("later", [NOW + SECOND, FAR])
def test_what_is_planned_today_is_in_nobodys_way(later: int) -> None:
    world = owned()
    world.record(
        OwnerClaimed(event_at=NOW - 5, target=TABLE, team="team:next", since=later),
        OwnerRetracted(event_at=NOW - 4, target=TABLE, team="team:risk", since=later),
        OwnerClaimed(event_at=NOW - 3, target=SCOPE, team="team:all", since=later, until=later + 1),
        AliasDeclared(event_at=NOW - 2, a=MODEL, b=artifact_id("hive://w", "fraud"), since=later),
    )
    decision = world.gate()
    assert (decision.verdict, decision.evidence.as_of) == (Verdict.ALLOW, NOW)


def test_a_claim_of_the_future_that_was_retracted_is_gone() -> None:
    world = owned()
    world.record(OwnerClaimed(event_at=FAR, target=MODEL, team="team:x"))
    assert world.gate().verdict is Verdict.UNDECIDED
    undone = retract(world.store, MODEL, "x", actor=ANN, now=NOW)
    assert undone.event_at > FAR
    world.record(undone)
    assert world.gate().verdict is Verdict.ALLOW


# --- a clock that is a little ahead is believed ---------------------------------------------------


@pytest.mark.parametrize("skew", [1, 30 * SECOND, CLOCK_SKEW])
def test_a_run_of_a_host_whose_clock_is_a_little_ahead_does_not_block(skew: int) -> None:
    at = NOW + skew
    made = [output().model_copy(update={"at": at - 1})]
    read = [use().model_copy(update={"at": at - 2})]
    world = World(ended("COMPLETE", at, uses=read, outputs=made)).own(TABLE, MODEL)
    decision = world.gate()
    assert decision.verdict is Verdict.ALLOW
    assert (decision.evidence.as_of, len(decision.evidence.runs)) == (at, 1)
    assert world.gate(MODEL).subject == FRAUD


@pytest.mark.parametrize(
    "change",
    [ended("FAIL", NOW + CLOCK_SKEW), RETRACTED.model_copy(update={"event_at": NOW + SECOND})],
)
def test_what_a_clock_a_little_ahead_tells_is_seen(change: Change) -> None:
    world = owned()
    world.record(change)
    assert world.gate().verdict is Verdict.DENY


def test_an_acceptance_by_a_clock_a_little_ahead_counts() -> None:
    world = World().own(TABLE)
    world.record(
        OwnerClaimed(event_at=NOW + SECOND, target=MODEL, team="team:risk"),
        OwnerAccepted(event_at=NOW + 2 * SECOND, target=MODEL, team="team:risk"),
    )
    assert world.gate().verdict is Verdict.ALLOW


def test_a_clock_that_is_further_ahead_is_wrong() -> None:
    world = owned()
    world.record(ended("FAIL", NOW + CLOCK_SKEW + 1))
    assert world.gate().verdict is Verdict.UNDECIDED


def test_both_clocks_at_once() -> None:
    """What is a little ahead moves now; what is dated beyond stays in the way."""
    world = owned()
    world.record(RunAbandoned(event_at=NOW + SECOND, run=TRAIN), ended("FAIL", FAR))
    decision = world.gate()
    assert decision.verdict is Verdict.UNDECIDED
    assert (decision.evidence.as_of, ahead(decision)) == (NOW + SECOND, {(RUN, FAR)})


def test_a_claim_seen_now_though_dated_later_takes_a_second_person() -> None:
    """Its author says that it holds since today; it counts as anything backdated does."""
    world = World().own(TABLE)
    world.record(
        OwnerClaimed(event_at=FAR, target=MODEL, team="team:risk", since=NOW - 9),
        OwnerAccepted(event_at=FAR + 1, target=MODEL, team="team:risk", since=NOW - 9),
    )
    assert world.gate().verdict is Verdict.DENY
    accepted = OwnerAccepted(event_at=FAR + 2, target=MODEL, team="team:risk", since=NOW - 9)
    world.recorder.record_changes([accepted], source="test", actor=Actor("person:bob"))
    assert world.gate().verdict is Verdict.ALLOW
