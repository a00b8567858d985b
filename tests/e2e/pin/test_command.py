"""Pins and vacuums: the command, and what a model needs."""

from __future__ import annotations

from pathlib import Path

from lineage.model.changes import RunFinished, RunRef
from lineage.model.ids import run_id
from lineage.reproduce.pin import available_at, find_pin
from lineage.settings import load_settings
from lineage.wiring import open_workspace
from tests.e2e.pin.tables import Lineage, careless_vacuum, grown, rows, token


def test_pinning_a_model_keeps_what_it_was_made_from(tmp_path: Path, lineage: Lineage) -> None:
    table = grown(tmp_path / "features" / "tx")
    lineage.json("watch", "delta", table, "--once")
    model = lineage.trained(table, 1, tmp_path / "fraud.joblib")
    answer = lineage.json("pin", "model:fraud")
    assert [row["location"] for row in answer["pins"]] == [str(find_pin(table, token(table, 1)))]
    assert answer["unresolved"] == []
    wanted = rows(table, 1)
    careless_vacuum(table)
    assert rows(available_at(table, token(table, 1))) == wanted
    (listed,) = lineage.json("pin", "--list")["pins"]
    assert (listed["version"], listed["fault"]) == (answer["pins"][0]["version"], None)
    before = lineage.position()
    assert not lineage.json("pin", model)["pins"][0]["new"]
    assert lineage.position() == before  # nothing new: nothing recorded
    assert lineage.json("pin", "--remove", model)["removed"]
    assert lineage.json("pin", "--list")["pins"] == []
    assert find_pin(table, token(table, 1)) is None


def test_a_run_a_table_and_a_version_can_be_pinned(tmp_path: Path, lineage: Lineage) -> None:
    table = grown(tmp_path / "features" / "tx")
    lineage.json("watch", "delta", table, "--once")
    lineage.trained(table, 2, tmp_path / "fraud.joblib")
    run = run_id("local", "train", "fraud-2")
    assert lineage.json("pin", run)["pins"][0]["location"].endswith(token(table, 2))
    assert lineage.json("pin", "table:features/tx@0")["pins"][0]["location"].endswith(
        token(table, 0)
    )
    assert lineage.json("pin", table)["pins"][0]["location"].endswith(token(table, 3))


def test_what_used_no_table_has_nothing_to_pin(tmp_path: Path, lineage: Lineage) -> None:
    run = RunRef(namespace="local", job="j", run_id="r")
    with open_workspace(load_settings()) as ws:
        ws.recorder.record_changes(
            [RunFinished(event_at=1, run=run, state="COMPLETE")], source="t", actor=ws.actor
        )
    status, said = lineage.fault("pin", run_id("local", "j", "r"))
    assert status == 65
    assert "nothing to pin" in said
