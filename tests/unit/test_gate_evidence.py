"""Gates on incomplete evidence: what cannot be decided, and what a policy may live with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lineage.model.changes import (
    AliasDeclared,
    ArtifactDescribed,
    ArtifactRef,
    ArtifactRenamed,
    GapFacts,
    GapRecorded,
    Output,
    OwnerClaimed,
    RunAbandoned,
    RunRef,
)
from lineage.model.ids import artifact_id
from lineage.ownership.checks import (
    Outcome,
)
from lineage.ownership.gate import Verdict
from tests.gated import (
    COMMIT,
    FRAUD,
    MODEL,
    NOW,
    T0,
    TABLE,
    TRAIN,
    TX12,
    World,
    blocks,
    finished,
    owned,
    use,
)

# --- what is missing ----------------------------------------------------------------------------


def test_an_unresolved_use_cannot_be_decided() -> None:
    open_use = use("/other", "file", "")
    decision = World(finished(uses=[use(), open_use])).own(TABLE, MODEL).gate()
    assert decision.verdict is Verdict.UNDECIDED
    assert list(blocks(decision)) == [artifact_id("file", "/other")]


def test_a_gap_of_the_run_cannot_be_decided_unless_the_policy_lives_with_it() -> None:
    world = World(finished(gaps=[GapFacts(reason="static-child")])).own(TABLE, MODEL)
    assert world.gate().verdict is Verdict.UNDECIDED
    lenient = "actions: {deploy: [{rule: evidence-complete, accept_gaps: [static-child]}]}"
    assert world.gate(policy=f"version: 1\n{lenient}").verdict is Verdict.ALLOW


@pytest.mark.parametrize("touched", [TABLE, TX12, MODEL, FRAUD, "job:local,train"])
def test_a_gap_at_anything_upstream_cannot_be_decided(touched: str) -> None:
    world = owned()
    world.record(GapRecorded(event_at=NOW + 5, gap_source="delta", reason="cleaned-log",
                             touches=[touched]))  # fmt: skip
    assert world.gate().verdict is Verdict.UNDECIDED


def test_a_gap_elsewhere_does_not_matter() -> None:
    world = owned()
    elsewhere = artifact_id("file", "/elsewhere")
    world.record(GapRecorded(event_at=T0, gap_source="x", reason="lost", touches=[elsewhere]))
    world.record(GapRecorded(event_at=T0, gap_source="kafka", reason="lost"))
    assert world.gate().verdict is Verdict.ALLOW


def test_a_gap_of_a_whole_source_touches_what_the_source_said() -> None:
    world = owned()
    world.record(GapRecorded(event_at=T0, gap_source="test", reason="lost"))
    assert world.gate().verdict is Verdict.UNDECIDED


def test_a_gap_of_a_source_that_made_no_edge_touches_what_it_said() -> None:
    """The first commit of a table comes from nothing: who told of it shows on no edge."""
    world = owned()
    delta = COMMIT.model_copy(update={"name": "/lake/b"})
    world.record(delta, source="delta")
    world.own(artifact_id("file", "/lake/b"))
    world.record(finished(uses=[use(), use("/lake/b")]), source="other")
    assert world.gate().verdict is Verdict.ALLOW
    world.record(GapRecorded(event_at=T0, gap_source="delta", reason="lost"))
    assert world.gate().verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("source", ["catalog", "sweeper", "mover", "codeowners"])
def test_a_gap_of_a_source_touches_whatever_it_said(source: str) -> None:
    """What it lost may be that the run failed after all, or that the team gave the table back."""
    world = owned().own(artifact_id("file", "/lake/old"))
    said: dict[str, Any] = {
        "catalog": ArtifactDescribed(event_at=T0, namespace="file", name="/lake/tx",
                                     artifact_kind="table"),
        "sweeper": RunAbandoned(event_at=T0 + 25, run=TRAIN),
        "mover": ArtifactRenamed(event_at=T0 + 1, before=ref("/lake/old"), after=ref("/lake/tx"),
                                 version=TX12.partition("@")[2]),
        "codeowners": OwnerClaimed(event_at=NOW - 9, target=TABLE, team="team:risk",
                                   claim_source="codeowners:x"),
    }  # fmt: skip
    world.record(said[source], source=source)
    assert world.gate().verdict is Verdict.ALLOW
    world.record(GapRecorded(event_at=T0, gap_source=source, reason="lost"))
    assert world.gate().verdict is Verdict.UNDECIDED


def ref(name: str) -> ArtifactRef:
    return ArtifactRef(namespace="file", name=name)


def test_a_gap_at_another_name_of_the_job_touches_its_run() -> None:
    world = owned()
    world.record(
        AliasDeclared(event_at=T0, a="job:local,train", b="job:spark,train"),
        GapRecorded(event_at=T0, gap_source="x", reason="lost", touches=["job:spark,train"]),
    )
    assert world.gate().verdict is Verdict.UNDECIDED


def test_more_upstream_than_the_limit_cannot_be_decided() -> None:
    world = owned()
    decision = world.gate(
        policy="version: 1\nlimit: 2\nactions: {deploy: [{rule: evidence-complete}]}"
    )
    assert decision.verdict is Verdict.UNDECIDED
    assert decision.evidence.truncated


def test_nothing_known_of_how_it_was_made_cannot_be_decided() -> None:
    world = World(ArtifactDescribed(event_at=T0, namespace="file", name="/m.pkl")).own(
        artifact_id("file", "/m.pkl")
    )
    assert world.gate(artifact_id("file", "/m.pkl")).verdict is Verdict.UNDECIDED


# --- versions whose making nobody recorded --------------------------------------------------------


def unwatched() -> World:
    """A model trained on a table whose log nobody read."""
    world = World(finished(uses=[use("/lake/customers", version="3.00000000")]))
    return world.own(artifact_id("file", "/lake/customers"), MODEL)


CUSTOMERS3 = artifact_id("file", "/lake/customers", "3.00000000")


def test_a_table_that_nobody_saw_being_made_cannot_be_decided() -> None:
    decision = unwatched().gate()
    assert decision.verdict is Verdict.UNDECIDED
    (one,) = decision.blocking
    assert (one.node, one.name) == (CUSTOMERS3, "lake/customers@3")
    assert one.why == "nobody recorded what made it"
    assert "`lineage watch delta /lake/customers`" in one.remedy.advice
    assert decision.evidence.as_dict()["unknown_origins"] == [CUSTOMERS3]


def test_a_recorded_commit_or_run_is_an_origin() -> None:
    world = unwatched()
    run = RunRef(namespace="local", job="etl", run_id="e1")
    made = Output(namespace="file", name="/lake/customers", artifact_kind="table",
                  version="3.00000000", at=T0 + 1)  # fmt: skip
    world.record(finished(run=run, uses=[], outputs=[made]))
    assert world.gate().verdict is Verdict.ALLOW


def test_what_made_it_under_another_name_is_an_origin() -> None:
    world = unwatched()
    plain, hive = artifact_id("file", "/lake/customers"), artifact_id("hive://w", "customers")
    run = RunRef(namespace="local", job="etl", run_id="e1")
    made = Output(namespace="hive://w", name="customers", artifact_kind="table",
                  version="3.00000000", at=T0 + 1)  # fmt: skip
    world.record(finished(run=run, uses=[], outputs=[made]))
    assert world.gate().verdict is Verdict.UNDECIDED
    world.record(AliasDeclared(event_at=T0, a=min(plain, hive), b=max(plain, hive)))
    assert world.gate().verdict is Verdict.ALLOW


@pytest.mark.parametrize("kind", ["file", "code", "environment", "dataset"])
def test_what_is_not_made_needs_no_origin(kind: str) -> None:
    world = World(finished(uses=[use(), use("/x", kind, "v1")]))
    assert world.own(TABLE, MODEL, artifact_id("file", "/x")).gate().verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("accepted", "verdict"),
    [
        ('["/lake/**"]', Verdict.ALLOW),
        ('["artifact:file,/lake/customers"]', Verdict.ALLOW),
        ("true", Verdict.ALLOW),
        ("false", Verdict.UNDECIDED),
        ("[]", Verdict.UNDECIDED),
        ('["/lake/*/x"]', Verdict.UNDECIDED),
    ],
)
def test_a_policy_may_live_with_unknown_origins(accepted: str, verdict: Verdict) -> None:
    rule = f"{{rule: evidence-complete, accept_unknown_origins: {accepted}}}"
    policy = f"version: 1\nactions: {{deploy: [{rule}]}}"
    assert unwatched().gate(policy=policy).verdict is verdict


# --- no policy allows on half of the truth --------------------------------------------------------

RUNS_ONLY = "version: 1\nactions: {deploy: [{rule: run-complete}]}"
PASSED_BY = """version: 1
actions: {deploy: {any: [{rule: run-complete}, {rule: evidence-complete, accept_gaps: [lost]}]}}"""
CUT = RUNS_ONLY.replace("version: 1", "version: 1\nlimit: 2")


def touched_by_a_gap() -> World:
    world = owned()
    world.record(GapRecorded(event_at=T0, gap_source="x", reason="lost", touches=[TABLE]))
    return world


def used_something_unresolved() -> World:
    return World(finished(uses=[use(), use("/other", "file", "")])).own(TABLE, MODEL)


def read_a_table_of_unknown_origin() -> World:
    return unwatched()


@pytest.mark.parametrize("policy", [RUNS_ONLY, PASSED_BY])
@pytest.mark.parametrize(
    "world", [touched_by_a_gap, used_something_unresolved, read_a_table_of_unknown_origin]
)
def test_no_policy_allows_on_incomplete_evidence(world: Callable[[], World], policy: str) -> None:
    decision = world().gate(policy=policy)
    assert decision.verdict is Verdict.UNDECIDED
    assert {one.outcome for one in decision.blocking} == {Outcome.UNDECIDED}


@pytest.mark.parametrize("policy", [CUT, PASSED_BY.replace("version: 1", "version: 1\nlimit: 2")])
def test_no_policy_allows_on_a_walk_that_was_cut(policy: str) -> None:
    decision = owned().gate(policy=policy)
    assert (decision.verdict, decision.evidence.truncated) == (Verdict.UNDECIDED, True)


@pytest.mark.parametrize("policy", [RUNS_ONLY, PASSED_BY])
def test_any_policy_allows_on_complete_evidence(policy: str) -> None:
    decision = owned().gate(policy=policy)
    assert decision.verdict is Verdict.ALLOW
    assert "evidence-complete@" in str(decision.as_dict()["reasons"]), "it was asked, and says so"


@pytest.mark.parametrize(
    "around",
    ["{rule}", "{{all: [{{rule: run-complete}}, {rule}]}}",
     "{{all: [{{all: [{rule}]}}, {{rule: run-complete}}]}}"],
)  # fmt: skip
def test_what_a_policy_lives_with_counts_where_every_allow_passes_it(around: str) -> None:
    rule = around.format(rule="{rule: evidence-complete, accept_gaps: [lost]}")
    policy = f"version: 1\nactions: {{deploy: {rule}}}"
    assert touched_by_a_gap().gate(policy=policy).verdict is Verdict.ALLOW


@pytest.mark.parametrize("policy", [RUNS_ONLY, "version: 1\nactions: {deploy: []}", ""])
def test_a_denial_is_a_denial_whatever_is_missing(policy: str) -> None:
    failed = finished("FAIL", gaps=[GapFacts(reason="static-child")])
    decision = World(failed).gate(policy=policy)
    assert decision.verdict is Verdict.DENY
