"""A model trained on a table, as far as a test of gates lets it be known."""

from __future__ import annotations

from typing import Any

from lineage.model.changes import (
    Change,
    Output,
    OwnerAccepted,
    OwnerClaimed,
    RunFinished,
    RunRef,
    TableCommitted,
    Use,
)
from lineage.model.envelope import Actor
from lineage.model.ids import artifact_id, delta_token, file_token
from lineage.ownership.gate import Decision, decide
from lineage.ownership.policy import Policy, default_policy, parse_policy
from lineage.record.interpret import interpret
from lineage.record.recorder import Recorder
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
