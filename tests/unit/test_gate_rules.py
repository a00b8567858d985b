"""Policies and gates: what denies, what cannot be decided, and what a decision keeps."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from typing_extensions import override

from lineage.errors import PolicyError, RefusedError, UnknownNameError
from lineage.model.canonical import canonical
from lineage.model.changes import (
    AliasDeclared,
    ArtifactDescribed,
    Change,
    GapFacts,
    GapRecorded,
    Output,
    OwnerAccepted,
    OwnerClaimed,
    RunAbandoned,
    RunFinished,
    RunRef,
    TableCommitted,
    Use,
    encode_change,
)
from lineage.model.envelope import Actor
from lineage.model.ids import artifact_id, delta_token, file_token, scope_id
from lineage.ownership.checks import (
    AllOf,
    AnyOf,
    Blocking,
    Check,
    Outcome,
    Rule,
    source_digest,
)
from lineage.ownership.evidence import Evidence
from lineage.ownership.gate import Decision, Verdict, decide
from lineage.ownership.policy import Policy, default_policy, parse_policy
from lineage.ownership.precedence import Status
from lineage.ownership.rules import RULES
from lineage.record.interpret import interpret
from lineage.record.recorder import Recorder
from lineage.store.contract import View
from lineage.store.memory.store import MemoryStore

T0 = 1_795_000_000_000_000
NOW = T0 + 1_000_000_000
ANN = Actor("person:ann")
TABLE = artifact_id("file", "/lake/tx")
TX12 = f"{TABLE}@{delta_token(0, 'tx-id')}"
MODEL = artifact_id("file", "/models/fraud.joblib")
FRAUD = f"{MODEL}@{file_token('a' * 64)}"
TRAIN = RunRef(namespace="local", job="train", run_id="r1")


def use(name: str = "/lake/tx", kind: str = "table", version: str | None = None) -> Use:
    token = TX12.partition("@")[2] if version is None else version
    return Use(namespace="file", name=name, artifact_kind=kind, version=token, at=T0 + 10)


def output(name: str = "/models/fraud.joblib", kind: str = "model", letter: str = "a") -> Output:
    return Output(namespace="file", name=name, artifact_kind=kind,
                  version=file_token(letter * 64), at=T0 + 20)  # fmt: skip


def finished(state: Any = "COMPLETE", **fields: Any) -> RunFinished:
    fields = {"run": TRAIN, "uses": [use()], "outputs": [output()], **fields}
    return RunFinished(event_at=T0 + 30, state=state, **fields)


COMMIT = TableCommitted(event_at=T0, namespace="file", name="/lake/tx", table_id="tx-id",
                        version=0, carries=False)  # fmt: skip


class World:
    """A model trained on a table, as far as a test lets it be known."""

    def __init__(self, *changes: Change) -> None:
        self.store = MemoryStore(interpret, clock=lambda: NOW)
        self.recorder = Recorder(self.store, key=b"k" * 32)
        self.record(COMMIT, *(changes or (finished(),)))

    def record(self, *changes: Change, source: str = "test") -> None:
        self.recorder.record_changes(changes, source=source, actor=ANN)

    def own(self, *targets: str) -> World:
        for target in targets:
            self.record(
                OwnerClaimed(event_at=NOW - 20, target=target, team="team:risk"),
                OwnerAccepted(event_at=NOW - 10, target=target, team="team:risk"),
            )
        return self

    def gate(self, subject: str = FRAUD, policy: Policy | str = "") -> Decision:
        if isinstance(policy, str):
            parsed = parse_policy(policy.encode(), "deploy") if policy else default_policy("deploy")
        else:
            parsed = policy
        return decide(self.store, subject, parsed, now=NOW)


def owned() -> World:
    return World().own(TABLE, MODEL)


def blocks(decision: Decision) -> dict[str, str]:
    return {one.node: one.why for one in decision.blocking}


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


def test_a_denial_weighs_more_than_a_doubt() -> None:
    world = World(finished(gaps=[GapFacts(reason="static-child")]))
    decision = world.gate()
    assert decision.verdict is Verdict.DENY
    assert [one.outcome for one in decision.blocking] == ["fail", "fail", "undecided"]


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


# --- rules and policies ---------------------------------------------------------------------------

EVIDENCE = Evidence("deploy", FRAUD, 1, NOW)


@dataclass(frozen=True)
class Says(Rule):
    id: ClassVar[str] = "says"
    version: ClassVar[int] = 1
    outcome: Outcome = Outcome.PASS

    @override
    def blocking(self, evidence: Evidence) -> Iterable[Blocking]:
        if self.outcome is not Outcome.PASS:
            yield Blocking(evidence.subject, "x", "said so", self.outcome)


@dataclass(frozen=True)
class Breaks(Rule):
    id: ClassVar[str] = "breaks"
    version: ClassVar[int] = 1

    @override
    def blocking(self, evidence: Evidence) -> Iterable[Blocking]:
        raise ZeroDivisionError


PASS, FAIL, UNSURE = Says(), Says(Outcome.FAIL), Says(Outcome.UNDECIDED)


@pytest.mark.parametrize(
    ("check", "outcome"),
    [
        (AllOf((PASS, PASS)), Outcome.PASS),
        (AllOf((PASS, UNSURE)), Outcome.UNDECIDED),
        (AllOf((UNSURE, FAIL)), Outcome.FAIL),
        (AnyOf((FAIL, PASS, UNSURE)), Outcome.PASS),
        (AnyOf((FAIL, UNSURE)), Outcome.UNDECIDED),
        (AnyOf((FAIL, FAIL)), Outcome.FAIL),
        (AllOf((PASS, AnyOf((PASS, FAIL)))), Outcome.PASS),
        (AllOf((PASS, AllOf(()))), Outcome.FAIL),
        (AllOf((PASS, Breaks())), Outcome.UNDECIDED),
        (AnyOf((FAIL, Breaks())), Outcome.UNDECIDED),
    ],
)
def test_rules_are_put_together_so_that_doubt_never_allows(check: Check, outcome: Outcome) -> None:
    assert check.check(EVIDENCE).outcome is outcome


@pytest.mark.parametrize("check", [AllOf(()), AnyOf(())])
def test_a_policy_of_nothing_denies(check: Check) -> None:
    """In logic "all of nothing" is true. Here it is a policy that lost its rules in an edit, and
    what was written to keep things out must not let everything in."""
    assert check.check(EVIDENCE).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version: 1\nactions:",
        "version: 1\nactions: {deploy: }",
        "version: 1\nactions: {deploy: {}}",
        "version: 1\nactions: {deploy: []}",
        "version: 1\nactions: {deploy: {all: []}}",
        "version: 1\nactions: {deploy: {any: }}",
        "version: 1\nactions: {deploy: {all: [{rule: run-complete}, {all: []}]}}",
    ],
)
def test_an_empty_policy_denies_what_the_default_allows(text: str) -> None:
    policy = parse_policy(text.encode(), "deploy")
    assert owned().gate(policy=policy).verdict is Verdict.DENY


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("version: 1\nactions: {deploy: [{rule: owner-acepted}]}", "owner-accepted"),
        ("version: 1\nactions: {deploy: [{rule: [run-complete]}]}", "no rule"),
        ("version: 1\nactions: {deploy: [{rule: run-complete, kinds: [model]}]}", "kinds"),
        ("version: 1\nactions: {deploy: [{rule: owner-accepted, kinds: model}]}", "list of texts"),
        ("version: 1\nactions: {deploy: [{rule: owner-accepted, kinds: [no]}]}", "list of texts"),
        ("version: 1\nactions: {deploy: {all: [], any: []}}", "neither"),
        ("version: 1\nactions: {deploy: {not: []}}", "neither"),
        ("version: 1\nactions: {deploy: {all: 1}}", "not a list"),
        ("version: 1\nactions: {deploy: deny}", "not a mapping"),
        ("version: 1\nactions: {publish: []}", "publish"),
        ("version: 2\nactions: {deploy: []}", "version"),
        ("actions: {deploy: []}", "version"),
        ("version: 1\nlimit: many\nactions: {deploy: []}", "limit"),
        ("version: 1\nlimit: 0\nactions: {deploy: []}", "limit"),
        ("version: 1\nlimit: yes\nactions: {deploy: []}", "limit"),
        ("version: 1\nrules: []\nactions: {deploy: []}", "rules"),
        ("version: 1\nactions: {deploy: []}\nactions: {deploy: []}", "twice"),
        ("version: 1\nactions: {deploy: [], 'deploy': []}", "twice"),
        ("version: 1\nactions: {deploy: [{rule: run-complete, rule: run-complete}]}", "twice"),
        ("version: 1\na: &a [1]\nb: *a", "anchor"),
        ("version: 1\nactions: *a", "alias"),
        ("version: 1\nactions: &a {deploy: []}", "anchor"),
        ("version: 1\nactions: {deploy: [{<<: {rule: run-complete}}]}", "merge key"),
        ("version: 1\nactions: {deploy: [{rule: run-complete, <<: {rule: x}}]}", "merge key"),
        ("<<: {version: 1}\nactions: {deploy: []}", "merge key"),
        ("version: 1\nactions: {<<: [{deploy: []}, {deploy: []}]}", "merge key"),
        ("version: 1\nactions: {deploy: !!map {all: []}}", "tag"),
        ("version: 1\nactions: {deploy: [{rule: ! run-complete}]}", "tag"),
        ("version: 1\nactions: {deploy: [], yes: []}", "no text"),
        ("version: 1\nactions: {deploy: [], 1: []}", "no text"),
        ("version: 1\nactions: {deploy: [], [a]: []}", "no text"),
        ("version: 1\nactions: {deploy: [], ~: []}", "no text"),
        ("version: 1\nactions: {deploy: [{rule: run-complete}], publish: [{rule: x}]}", "no rule"),
        ("version: 1\nactions: {deploy: []}\n---\nversion: 1", "not YAML"),
        ("version: yes\nactions: {deploy: []}", "version"),
        ("version: 1.0\nactions: {deploy: []}", "version"),
        ("- rule: run-complete", "not a mapping"),
        ("{", "not YAML"),
        ("[" * 5_000, "deeper"),
        ("\x00", "not YAML"),
        ("!!python/object/apply:os.system ['true']", "tag"),
        ("a" * ((1 << 20) + 1), "bytes"),
    ],
)  # fmt: skip
def test_a_policy_that_is_not_understood_is_refused(text: str, says: str) -> None:
    with pytest.raises(PolicyError) as refused:
        parse_policy(text.encode(), "deploy")
    assert says in f"{refused.value.message} {refused.value.hint}"
    assert refused.value.code == "bad-policy"


def test_a_policy_that_would_blow_up_is_refused_before_it_does() -> None:
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    with pytest.raises(PolicyError, match=r"anchor \(line 1\)"):
        parse_policy(f"a0: &a0 [lol]\n{laughs}".encode(), "deploy")


def test_deep_nesting_is_refused() -> None:
    text = "version: 1\nactions: {deploy: " + "{all: [" * 30 + "]}" * 30 + "}"
    with pytest.raises(PolicyError, match="deeper"):
        parse_policy(text.encode(), "deploy")


def test_a_parameter_takes_effect_and_shows_in_the_digest() -> None:
    only_models = "version: 1\nactions: {deploy: [{rule: owner-accepted, kinds: [model]}]}"
    world = World().own(MODEL)
    assert world.gate(policy=only_models).verdict is Verdict.ALLOW
    one, two = (parse_policy(t.encode(), "deploy") for t in (only_models, only_models + " # x"))
    other = parse_policy(only_models.replace("model", "table").encode(), "deploy")
    assert one.sha256 == two.sha256 != other.sha256


DIGESTS = {
    "evidence-complete@2": "fed996dc31ea253d",
    "owner-accepted@2": "4556253efc83051a",
    "run-complete@1": "7cffc6c3c473bba8",
}


def test_a_rule_that_changes_takes_a_new_version() -> None:
    """Decisions log id, version and digest. If this fails, raise ``version`` of the rule whose
    source changed, then write the new digest here."""
    assert {
        f"{rule.id}@{rule.version}": source_digest(rule)[:16] for rule in RULES.values()
    } == DIGESTS


def test_rules_see_evidence_only() -> None:
    """Nothing in a rule's source reaches for a store, a clock or a file."""
    for rule in RULES.values():
        source = inspect.getsource(rule)
        assert not any(word in source for word in ("store", "time.", "open(", "import"))


def test_evidence_cannot_be_changed_by_a_rule() -> None:
    evidence = owned().gate().evidence
    with pytest.raises(AttributeError):
        evidence.truncated = True  # type: ignore[misc]  # frozen: that is the point
    assert evidence.position == View(evidence.position).position


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
