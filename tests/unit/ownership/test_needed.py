"""Ownership: what needs an owner."""

from __future__ import annotations

from lineage.model.canonical import micros
from lineage.model.changes import (
    RunFinished,
    RunRef,
    Use,
)
from lineage.model.ids import artifact_id, file_token
from lineage.ownership.kinds import scan_owned
from lineage.record.recorder import Incoming
from lineage.store.contract import LATEST, View
from tests.unit.ownership.world import ANN, HOUR, T0, TX, World


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
