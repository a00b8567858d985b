"""The finished entry fits into what a service takes, and says what was left out."""

from __future__ import annotations

import json

from lineage.capture.run.commandline import EntryPoint
from lineage.capture.run.launch import Ended
from lineage.capture.run.plan import Plan, new_run_id
from lineage.capture.run.report import LARGEST, Facts, finished_item, started_item
from lineage.model.changes import parse_change


def plan() -> Plan:
    return Plan(
        run_id=new_run_id(1), namespace="n", job="j", command=["c"], cwd="/", host="h",
        entry=EntryPoint(), root="", started_at=1,
    )  # fmt: skip


def test_run_ids_are_uuids_of_version_7_that_sort_by_time() -> None:
    import uuid

    ids = [new_run_id(n) for n in (1, 2, 1_800_000_000_000)]
    assert ids == sorted(ids)
    for one in ids:
        assert uuid.UUID(one).version == 7
        assert uuid.UUID(one).variant == uuid.RFC_4122
    assert len({new_run_id(1) for _ in range(1000)}) == 1000


def test_a_command_of_any_length_fits() -> None:
    long = plan()
    long.command = ["cat", *(f"/{n}/{'x' * 200}" for n in range(50_000))]
    item = started_item(long, person=None, hardware={})
    assert len(item.body) <= LARGEST
    assert json.loads(item.body)["command"][-1] == "..."


def test_gaps_without_end_fit() -> None:
    facts = Facts()
    for n in range(10_000):
        facts.gap("static-child", f"/{n}" * 3000)
    item = finished_item(plan(), Ended(0, None), 2, facts)
    assert len(item.body) <= LARGEST
    assert json.loads(item.body)["gaps"]


def test_an_entry_that_is_too_large_loses_details_first() -> None:
    use = {"namespace": "file", "artifact_kind": "table", "at": 1, "version": "1.abc"}
    uses = [{**use, "name": f"/t{n}", "files": ["f" * 100] * 1000} for n in range(60)]
    item = finished_item(plan(), Ended(0, None), 2, Facts(uses=uses))
    body = json.loads(item.body)
    parse_change(body)
    assert len(item.body) <= LARGEST
    assert len(body["uses"]) == 60
    assert [gap["reason"] for gap in body["gaps"]] == ["record-shortened"]


def test_an_entry_that_is_still_too_large_loses_inputs() -> None:
    use = {"namespace": "file", "artifact_kind": "file", "at": 1}
    uses = [{**use, "name": f"/{n}/" + "x" * 4000} for n in range(3000)]
    item = finished_item(plan(), Ended(None, 9), 2, Facts(uses=uses))
    assert len(item.body) <= LARGEST
    assert 0 < len(json.loads(item.body)["uses"]) < 3000
    assert json.loads(item.body)["state"] == "ABORT"
