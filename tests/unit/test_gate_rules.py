"""Gates: what denies, whom it names, and what a decision keeps."""

from __future__ import annotations

import json

import pytest

from lineage.errors import RefusedError, UnknownNameError
from lineage.model.canonical import canonical
from lineage.model.changes import (
    AliasDeclared,
    ArtifactDescribed,
    GapFacts,
    OwnerAccepted,
    OwnerClaimed,
    RunAbandoned,
    RunRef,
    Use,
    encode_change,
)
from lineage.model.ids import artifact_id, file_token, scope_id
from lineage.ownership.gate import Verdict
from lineage.ownership.policy import default_policy
from lineage.ownership.precedence import Status
from lineage.ownership.rules import RULES
from tests.gated import (
    ANN,
    COMMIT,
    FRAUD,
    MODEL,
    NOW,
    T0,
    TABLE,
    World,
    blocks,
    finished,
    output,
    owned,
    use,
)

# --- the default policy ---------------------------------------------------------------------------


def test_all_owned_complete_and_known_is_allowed() -> None:
    decision = owned().gate()
    assert decision.verdict is Verdict.ALLOW, blocks(decision)
    assert decision.blocking == ()
    assert {seen.id for seen in decision.evidence.artifacts} == {MODEL, TABLE}


def test_no_owner_denies_and_names_each_artifact_with_its_remedy() -> None:
    decision = World().gate()
    assert decision.verdict is Verdict.DENY
    assert blocks(decision) == {MODEL: "no owner", TABLE: "no owner"}
    found = {one.node: one for one in decision.blocking}
    assert found[MODEL].name == "fraud"
    assert found[TABLE].remedy.commands == (
        "lineage owners claim artifact:file,/lake/tx TEAM",
        "lineage owners accept artifact:file,/lake/tx TEAM",
    )


def test_a_claim_that_nobody_accepted_denies() -> None:
    scope = scope_id("file", "/lake/**")
    world = owned()
    world.record(OwnerClaimed(event_at=NOW - 9, target=scope, team="team:lake"))
    assert world.gate().verdict is Verdict.ALLOW, "the direct claim decides"
    other = World().own(MODEL)
    other.record(OwnerClaimed(event_at=NOW - 9, target=scope, team="team:lake"))
    decision = other.gate()
    assert decision.verdict is Verdict.DENY
    assert decision.blocking[0].remedy.commands == (
        "lineage owners accept --scope file '/lake/**' lake",
    )


def test_an_inferred_owner_denies_until_it_is_accepted() -> None:
    world = World().own(MODEL)
    inferred, team = "inferred:writer", "team:etl"
    world.record(OwnerClaimed(event_at=NOW - 9, target=TABLE, team=team, claim_source=inferred))
    decision = world.gate()
    assert decision.verdict is Verdict.DENY
    assert decision.blocking[0].remedy.commands == (
        "lineage owners accept artifact:file,/lake/tx etl --source inferred:writer",
    )
    world.record(OwnerAccepted(event_at=NOW - 8, target=TABLE, team=team, claim_source=inferred))
    assert world.gate().verdict is Verdict.ALLOW


def test_a_contest_denies() -> None:
    world = owned()
    world.record(
        OwnerClaimed(event_at=NOW - 5, target=TABLE, team="team:etl"),
        OwnerAccepted(event_at=NOW - 4, target=TABLE, team="team:etl"),
    )
    decision = world.gate()
    assert decision.verdict is Verdict.DENY
    assert blocks(decision) == {TABLE: "contested between etl and risk"}
    assert len(decision.blocking[0].remedy.commands) == 2


def test_a_claim_that_has_ended_denies() -> None:
    world = World().own(TABLE)
    world.record(
        OwnerClaimed(event_at=NOW - 20, target=MODEL, team="team:risk", until=NOW),
        OwnerAccepted(event_at=NOW - 10, target=MODEL, team="team:risk"),
    )
    assert world.gate().verdict is Verdict.DENY


def test_files_and_code_upstream_need_no_owner() -> None:
    uses = [use(), use("/data/a.csv", "file", file_token("b" * 64)),
            use("/src", "code", "git.1"), use("/venv", "environment", "env.1")]  # fmt: skip
    world = World(finished(uses=uses)).own(TABLE, MODEL)
    assert world.gate().verdict is Verdict.ALLOW


def test_what_nobody_has_described_may_be_a_table() -> None:
    world = World(finished(uses=[use(), use("/x", "", "v1")])).own(TABLE, MODEL)
    decision = world.gate()
    assert blocks(decision) == {artifact_id("file", "/x"): "no owner"}


def test_one_source_that_says_table_is_enough() -> None:
    world = World(finished(uses=[use(), use("/x", "file", "v1")])).own(TABLE, MODEL)
    assert world.gate().verdict is Verdict.ALLOW
    world.record(
        ArtifactDescribed(event_at=T0 - 5, namespace="file", name="/x", artifact_kind="table"),
        source="catalog",
    )
    assert world.gate().verdict is Verdict.DENY


def test_the_subject_needs_an_owner_whatever_its_kind() -> None:
    plain = output("/out/report.bin", "file")
    world = World(finished(outputs=[plain])).own(TABLE)
    subject = artifact_id("file", "/out/report.bin")
    assert blocks(world.gate(subject)) == {subject: "no owner"}


def test_an_alias_brings_its_owner_and_its_kind() -> None:
    world = World(finished(uses=[use(), use("/x", "file", "v1")])).own(TABLE, MODEL)
    plain, hive = artifact_id("file", "/x"), artifact_id("hive://w", "risk.x")
    world.record(
        ArtifactDescribed(event_at=T0, namespace="hive://w", name="risk.x", artifact_kind="table"),
        AliasDeclared(event_at=T0, a=min(plain, hive), b=max(plain, hive)),
    )
    decision = world.gate()
    assert [seen.ownership.status for seen in decision.evidence.artifacts].count(
        Status.ORPHANED
    ) == 1
    assert decision.verdict is Verdict.DENY
    assert world.own(hive).gate().verdict is Verdict.ALLOW


@pytest.mark.parametrize("state", ["FAIL", "ABORT"])
def test_a_run_that_did_not_complete_denies(state: str) -> None:
    decision = World(finished(state)).own(TABLE, MODEL).gate()
    assert decision.verdict is Verdict.DENY
    assert list(blocks(decision).values()) == [f"the run is {state}"]


def test_a_run_whose_end_is_contested_denies() -> None:
    world = owned()
    world.record(finished("FAIL"), source="other")
    assert list(blocks(world.gate()).values()) == ["the run is CONTESTED"]


def test_an_abandoned_run_denies_and_an_unheard_one_cannot_be_decided() -> None:
    writer = RunRef(namespace="local", job="etl", run_id="r0")
    made = COMMIT.model_copy(update={"run": writer})
    world = World(made, finished()).own(TABLE, MODEL)
    decision = world.gate()
    assert decision.verdict is Verdict.UNDECIDED
    assert list(blocks(decision).values()) == ["nothing says how the run ended"]
    world.record(RunAbandoned(event_at=T0 + 1, run=writer))
    assert world.gate().verdict is Verdict.DENY


def test_a_run_seen_under_two_ids_is_heard_under_both() -> None:
    twin = RunRef(namespace="spark", job="train", run_id="s1")
    world = owned()
    world.record(AliasDeclared(event_at=T0, a="run:local,train,r1", b="run:spark,train,s1"))
    world.record(finished("FAIL", run=twin, outputs=[], uses=[]))
    decision = world.gate()
    assert decision.verdict is Verdict.DENY
    assert [run.states for run in decision.evidence.runs] == [("COMPLETE", "FAIL")]


def test_a_denial_weighs_more_than_a_doubt() -> None:
    world = World(finished(gaps=[GapFacts(reason="static-child")]))
    decision = world.gate()
    assert decision.verdict is Verdict.DENY
    assert [one.outcome for one in decision.blocking] == ["fail", "fail", "undecided"]


# --- subjects and times ---------------------------------------------------------------------------


def test_an_artifact_means_its_latest_version() -> None:
    world = owned()
    again = RunRef(namespace="local", job="train", run_id="r2")
    late = output(letter="b").model_copy(update={"at": T0 + 40})
    world.record(finished("FAIL", run=again, outputs=[late]))
    assert world.gate(FRAUD).verdict is Verdict.ALLOW
    decision = world.gate(MODEL)
    assert decision.verdict is Verdict.DENY
    assert decision.subject == f"{MODEL}@{file_token('b' * 64)}"


def test_the_unknown_is_an_error_not_an_answer() -> None:
    with pytest.raises(UnknownNameError):
        owned().gate(artifact_id("file", "/nowhere"))
    with pytest.raises(RefusedError):
        owned().gate("run:local,train,r1")


def test_what_is_said_later_changes_no_decision_that_was_recorded() -> None:
    world = World()
    denied = world.gate()
    world.record(denied.change(actor=ANN, now=NOW))
    position = world.store.head().seq
    world.own(TABLE, MODEL)
    assert world.gate().verdict is Verdict.ALLOW
    (entry,) = [e for e in world.store.entries() if e.kind == "gate.decided"]
    body = json.loads(entry.body)
    assert (entry.seq, body["decision"], body["position"]) == (position, "deny", position - 1)
    assert body["evidence"]["sha256"] == denied.evidence.digest()
    assert [a["status"] for a in body["evidence"]["artifacts"]] == ["orphaned", "orphaned"]
    assert body["policy"]["sha256"] == default_policy("deploy").sha256
    assert {r["rule"] for r in body["reasons"]} == {f"{r.id}@{r.version}" for r in RULES.values()}
    assert encode_change(denied.change(actor=ANN, now=NOW)) == entry.body
    canonical(denied.as_dict())


# --- advice that can be followed ------------------------------------------------------------------


def test_the_advice_on_a_use_without_a_version_fits_what_was_used() -> None:
    orders = Use(namespace="postgres://db", name="shop.orders", artifact_kind="", at=T0 + 10)
    local = use("/lake/other", "table", "")
    world = World(finished(uses=[orders, local])).own(
        artifact_id("postgres://db", "shop.orders"), artifact_id("file", "/lake/other"), MODEL
    )
    found = {one.name: one for one in world.gate().blocking}
    assert sorted(found) == ["lake/other", "shop.orders"]
    assert "watch" not in found["shop.orders"].remedy.advice
    assert "datasetVersion" in found["shop.orders"].remedy.advice
    assert "`lineage watch delta /lake/other`" in found["lake/other"].remedy.advice
    assert found["shop.orders"].why == "which version of it train r1 used is not known"
    lenient = "{rule: evidence-complete, accept_unresolved: [shop.*, /lake/**]}"
    policy = f"version: 1\nactions: {{deploy: [{lenient}]}}"
    assert world.gate(policy=policy).verdict is Verdict.ALLOW
