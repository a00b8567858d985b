"""Gates asked about an artifact: which version is the latest, and where that is not known."""

from __future__ import annotations

import pytest

from lineage.model.changes import AliasDeclared, RunFinished, RunRef
from lineage.model.ids import artifact_id, delta_token, file_token
from lineage.ownership.gate import Verdict
from tests.gated import FRAUD, MODEL, T0, TABLE, World, blocks, finished, output, owned, use

OTHER = f"{MODEL}@{file_token('b' * 64)}"
LIVES_WITH_IT = "rule: evidence-complete, accept_unknown_origins: true"


def used_by_a_scorer(version: str, at: int, name: str = "/models/fraud.joblib") -> RunFinished:
    scored = use(name, "model", version).model_copy(update={"at": at})
    run = RunRef(namespace="local", job="score", run_id="s1")
    return finished(run=run, uses=[scored], outputs=[])


def test_a_version_that_nobody_saw_being_made_may_be_the_latest() -> None:
    """What would ship is what lies there, and a run has read something else there since."""
    world = owned()
    world.record(used_by_a_scorer(file_token("b" * 64), T0 + 50))
    decision = world.gate(MODEL)
    assert decision.verdict is Verdict.UNDECIDED
    assert blocks(decision) == {OTHER: "nobody recorded what made it"}
    assert world.gate(FRAUD).verdict is Verdict.ALLOW, "the version itself was asked about"
    policy = f"version: 1\nactions: {{deploy: [{{{LIVES_WITH_IT}}}]}}"
    assert world.gate(MODEL, policy=policy).verdict is Verdict.ALLOW


def test_a_version_that_was_used_before_the_latest_was_made_is_not_it() -> None:
    world = owned()
    world.record(used_by_a_scorer(file_token("b" * 64), T0 + 15))
    assert world.gate(MODEL).verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("number", "log", "verdict"),
    [(3, "t", Verdict.ALLOW), (9, "t", Verdict.UNDECIDED), (3, "new", Verdict.UNDECIDED)],
)
def test_a_smaller_number_of_one_log_is_earlier(number: int, log: str, verdict: Verdict) -> None:
    made = [output(kind="table").model_copy(update={"version": delta_token(5, "t")})]
    world = World(finished(outputs=made)).own(TABLE, MODEL)
    world.record(used_by_a_scorer(delta_token(number, log), T0 + 50))
    assert world.gate(MODEL).verdict is verdict


def test_what_was_made_under_another_name_is_dated() -> None:
    world = owned()
    hive = artifact_id("hive://w", "fraud")
    world.record(
        used_by_a_scorer(file_token("a" * 64), T0 + 50, "/mnt/fraud.joblib"),
        AliasDeclared(event_at=T0, a=MODEL, b=hive),
        AliasDeclared(event_at=T0, a=MODEL, b=artifact_id("file", "/mnt/fraud.joblib")),
    )
    assert world.gate(MODEL).verdict is Verdict.ALLOW


def test_another_name_since_ever_is_no_use_of_it() -> None:
    world = owned()
    twin = artifact_id("file", "/mnt/fraud.joblib")
    for name in ("/mnt/fraud.joblib", "/models/fraud.joblib"):
        world.record(used_by_a_scorer(file_token("b" * 64), T0 + 50, name))
    world.record(AliasDeclared(event_at=T0, a=MODEL, b=twin, since=0))
    assert world.gate(MODEL).verdict is Verdict.UNDECIDED
