"""A small world: a table that grew, a model trained on it, and who answers for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lineage.model.changes import (
    BlobRef,
    Change,
    CodeFacts,
    EnvironmentFacts,
    FileAdd,
    GapFacts,
    MemberAdded,
    Output,
    OwnerAccepted,
    OwnerClaimed,
    RunFinished,
    RunRef,
    RunStarted,
    TableCommitted,
    TeamDescribed,
    Use,
    UserFacts,
)
from lineage.model.envelope import Actor
from lineage.model.ids import (
    artifact_id,
    delta_token,
    file_token,
    job_id,
    person_id,
    run_id,
    scope_id,
    team_id,
)
from lineage.record.interpret import interpret
from lineage.record.recorder import Recorder
from lineage.store.contract import Store
from lineage.store.memory import MemoryStore

HOUR = 3_600_000_000
T0 = 1_790_000_000_000_000
"""2026-09-21T14:13:20Z, in microseconds."""
NAMESPACE = "local://laptop"
TABLE_ID = "0b1c2d3e-0000-4000-8000-000000000001"
SHA = "ab12cd34" * 8

TX = artifact_id("file", "/lake/features/tx")
RAW = artifact_id("file", "/lake/raw.csv")
MODEL = artifact_id("file", "/models/churn.joblib")
CODE = artifact_id("file", "/src/train")
CHURN = f"{MODEL}@{file_token(SHA)}"
TRAIN_JOB = job_id(NAMESPACE, "train.py")
TRAIN = run_id(NAMESPACE, "train.py", "01936893-9751-7a91-a2a0-a51101a3970c")
PERSON = person_id("p1")
RISK, DATA = team_id("risk"), team_id("data")
LAKE = scope_id("file", "/lake/**")
ACTOR = Actor("person:tester", "test")


def tx(version: int) -> str:
    """A version of the table."""
    return f"{TX}@{delta_token(version, TABLE_ID)}"


def load(version: int) -> str:
    """The run that made a version of the table."""
    return run_id(NAMESPACE, "load.py", f"load-{version}")


def table_changes() -> list[Change]:
    """Five commits: 0, 1, 2 append, 3 overwrites everything, 4 appends."""
    changes: list[Change] = []
    live: list[str] = []
    for version in range(5):
        at = T0 + version * HOUR
        run = RunRef(namespace=NAMESPACE, job="load.py", run_id=f"load-{version}")
        added = f"part-{version}.parquet"
        removed = live if version == 3 else []
        changes.append(RunFinished(
            event_at=at, run=run, state="COMPLETE", exit_code=0, started_at=at - 60_000_000,
            uses=[Use(namespace="file", name="/lake/raw.csv", version=file_token(f"{version:064x}"),
                      at=at - 50_000_000)],
        ))  # fmt: skip
        changes.append(TableCommitted(
            event_at=at, namespace="file", name="/lake/features/tx", table_id=TABLE_ID,
            version=version, operation="WRITE", carries=version != 3, run=run,
            added=[FileAdd(path=added, size=10)], removed=removed,
            table_schema='{"type":"struct","fields":[{"name":"amount","type":"double"}]}'
            if version == 0 else "",
        ))  # fmt: skip
        live = [added] if version == 3 else [*live, added]
    return changes


def training_changes() -> list[Change]:
    """A run that reads version 2 of the table and writes the model."""
    at = T0 + 10 * HOUR
    run = RunRef(namespace=NAMESPACE, job="train.py", run_id="01936893-9751-7a91-a2a0-a51101a3970c")
    return [
        RunStarted(
            event_at=at, run=run, command=["python", "train.py", "--depth", "3"], cwd="/src",
            host="laptop", user=UserFacts(person=PERSON, name="Ada"), parameters={"depth": "3"},
        ),
        RunFinished(
            event_at=at + HOUR, run=run, state="COMPLETE", exit_code=0, started_at=at,
            code=CodeFacts(
                repository="https://example.test/churn.git", commit="c0ffee" * 6 + "c0ff",
                branch="main", dirty=True, diff=BlobRef(sha256="d1" * 32, size=321),
            ),
            environment=EnvironmentFacts(
                digest="e4" * 32, interpreter="CPython", version="3.11.7", platform="linux-x86_64"
            ),
            uses=[
                Use(namespace="file", name="/lake/features/tx", artifact_kind="table",
                    version=delta_token(2, TABLE_ID), at=at + 1),
                Use(namespace="file", name="/src/train", artifact_kind="code",
                    version=file_token("c0" * 32), at=at),
            ],
            outputs=[Output(namespace="file", name="/models/churn.joblib", artifact_kind="model",
                            version=file_token(SHA), at=at + HOUR - 1)],
        ),
    ]  # fmt: skip


def people_changes() -> list[Change]:
    """Two teams; one owns the lake by a scope and accepted, one is said to own the model."""
    at = T0 + 20 * HOUR
    return [
        TeamDescribed(event_at=at, team=RISK, attributes={"email": "risk@example.test"}),
        MemberAdded(event_at=at, person=PERSON, team=RISK),
        OwnerClaimed(event_at=at, target=LAKE, team=DATA),
        OwnerAccepted(event_at=at + 1, target=LAKE, team=DATA),
        OwnerClaimed(event_at=at, target=MODEL, team=RISK),
    ]


def gap_changes() -> list[Change]:
    """A run that used something nobody knows a version of, and that may have missed more."""
    at = T0 + 30 * HOUR
    run = RunRef(namespace=NAMESPACE, job="report.py", run_id="r1")
    return [
        RunFinished(
            event_at=at, run=run, state="COMPLETE", exit_code=0,
            uses=[Use(namespace="postgres://db", name="public.people", at=at, method="declared")],
            outputs=[Output(namespace="file", name="/out/report.csv", version=file_token("e1" * 32),
                            at=at)],
            gaps=[GapFacts(reason="static-child", detail="a child could not be watched")],
        ),
    ]  # fmt: skip


REPORT = f"{artifact_id('file', '/out/report.csv')}@{file_token('e1' * 32)}"
REPORT_RUN = run_id(NAMESPACE, "report.py", "r1")
PEOPLE = artifact_id("postgres://db", "public.people")


class World:
    """A store with a recorder, and a clock that moves a second with every entry."""

    def __init__(self, make: Callable[[Callable[[], int]], Store] | None = None) -> None:
        self.now = T0 + 100 * HOUR
        self.store = make(self.tick) if make else MemoryStore(interpret, clock=self.tick)
        self.recorder = Recorder(self.store, key=b"k" * 32)

    def tick(self) -> int:
        """The time, a second later than the last time asked."""
        self.now += 1_000_000
        return self.now

    def add(self, changes: Sequence[Change]) -> list[int]:
        """Record changes; their seqs."""
        receipts = self.recorder.record_changes(changes, source="test", actor=ACTOR)
        return [receipt.seq for receipt in receipts]


def small_world(**made: Any) -> World:
    """Everything above, recorded in that order."""
    world = World(**made)
    for changes in (table_changes(), training_changes(), people_changes(), gap_changes()):
        world.add(changes)
    return world
