"""Pins and vacuums: vacuum."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lineage.errors import (
    SourceUnavailableError,
    VacuumRefusedError,
    VersionLostError,
)
from lineage.model.ids import artifact_id, run_id, with_version
from lineage.reproduce.delta import (
    live_files,
    lost_reason,
    missing_files,
)
from lineage.reproduce.pin import available_at, find_pin, pin_version, pins_of
from lineage.settings import load_settings
from lineage.store.contract import View
from lineage.wiring import open_workspace
from tests.delta_tables import grow, sample, version_of
from tests.e2e.pin.tables import Lineage, grown, rows, token


def used_table(tmp_path: Path, lineage: Lineage) -> Path:
    """Four versions, of which a run used 1 and another 2."""
    table = grown(tmp_path / "features" / "tx")
    lineage.json("watch", "delta", table, "--once")
    lineage.trained(table, 1, tmp_path / "fraud.joblib")
    lineage.trained(table, 2, tmp_path / "churn.joblib")
    return table


def test_a_dry_run_names_what_would_be_lost(tmp_path: Path, lineage: Lineage) -> None:
    table = used_table(tmp_path, lineage)
    lineage.json("pin", "model:fraud")
    plan = lineage.json("vacuum", table, "--retention-hours", "0")
    assert (plan["applied"], plan["below_retention"], plan["files"]) == (False, True, 6)
    first, second = plan["affected"]
    assert first["pin"] == str(find_pin(table, token(table, 1)))
    assert second["pin"] is None
    assert second["runs"] == [run_id("local", "train", "churn-2")]
    assert [name.rpartition("/")[2].partition("@")[0] for name in second["products"]] == [
        "churn.joblib"
    ]
    assert second["files"] == [path for path, _ in live_files(table, 2)]
    assert all(missing_files(table, version) == [] for version in range(4))
    assert lineage.json("vacuum", table)["files"] == 0  # all within the table's own retention


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("seed", [2, 5, 11])
def test_a_plan_foretells_exactly_what_is_lost(
    tmp_path: Path, lineage: Lineage, seed: int, full: bool
) -> None:
    table = tmp_path / "features" / "tx"
    grow(table, seed, 12)
    lineage.json("watch", "delta", table, "--once")
    latest = version_of(table)
    for version in range(latest + 1):
        lineage.trained(table, version, tmp_path / f"m{version}.joblib")
    every = {token(table, version) for version in range(latest + 1)}
    pinned = token(table, latest // 2)
    pin_version(table, pinned)
    more = ("--full",) if full else ()
    plan = lineage.json("vacuum", table, "--retention-hours", "0", *more)
    foretold = {row["version"].rpartition("@")[2] for row in plan["affected"]}
    assert foretold
    lineage.json("vacuum", table, "--retention-hours", "0", "--apply", "--force", *more)
    assert {one for one in every if lost_reason(table, one)} == foretold
    readable = set()
    for one in every:
        try:
            available_at(table, one)
            readable.add(one)
        except VersionLostError:
            continue
    assert readable == every - {
        row["version"].rpartition("@")[2] for row in plan["affected"] if not row["pin"]
    }
    assert pinned in readable


def test_a_vacuum_refuses_to_lose_what_a_run_used(tmp_path: Path, lineage: Lineage) -> None:
    table = used_table(tmp_path, lineage)
    status, said = lineage.fault("vacuum", table, "--retention-hours", "0", "--apply")
    assert status == 1
    assert "vacuum-refused" in said
    assert all(missing_files(table, version) == [] for version in range(4))


def test_pin_first_keeps_them(tmp_path: Path, lineage: Lineage) -> None:
    table = used_table(tmp_path, lineage)
    wanted = {version: rows(table, version) for version in (1, 2)}
    options = ("--retention-hours", "0", "--apply", "--pin-first")
    done = lineage.json("vacuum", table, *options)
    assert (done["applied"], done["files"]) == (True, 6)
    assert missing_files(table, 1)
    for version, contents in wanted.items():
        assert rows(available_at(table, token(table, version))) == contents
    assert lost_reason(table, token(table, 0))
    assert [row["fault"] for row in lineage.json("pin", "--list")["pins"]] == [None, None]


def test_force_loses_them_and_says_so(tmp_path: Path, lineage: Lineage) -> None:
    table = used_table(tmp_path, lineage)
    options = ("--retention-hours", "0", "--apply", "--force")
    done = lineage.json("vacuum", table, *options)
    assert [row["pin"] for row in done["affected"]] == [None, None]
    assert lost_reason(table, token(table, 1))
    again = lineage.json("vacuum", table, "--retention-hours", "0")
    assert len(again["lost_before"]) == 2
    with pytest.raises(VersionLostError) as caught:
        available_at(table, token(table, 2))
    assert len(caught.value.where["files"]) == 2


def test_versions_said_to_be_kept_are_kept(tmp_path: Path, lineage: Lineage) -> None:
    table = used_table(tmp_path, lineage)
    plan = lineage.json("vacuum", table, "--retention-hours", "0", "--keep", "2")
    assert [row["version"].rpartition("@")[2] for row in plan["affected"]] == [token(table, 1)]


def test_a_vacuum_leaves_the_log_alone(tmp_path: Path, lineage: Lineage) -> None:
    """deltalake cleans expired logs after a commit: recorded versions would not open any more."""
    table = used_table(tmp_path, lineage)
    for commit in (table / "_delta_log").iterdir():
        os.utime(commit, (1, 1))
    DeltaTable(table, version=3).create_checkpoint()
    lineage.json("vacuum", table, "--retention-hours", "0", "--apply", "--pin-first")
    kept = {path.name for path in (table / "_delta_log").glob("*.json")}
    assert {f"{version:020d}.json" for version in range(6)} <= kept
    assert [DeltaTable(table, version=version).version() for version in range(6)] == [*range(6)]
    assert len(pins_of(table)) == len(list((tmp_path / "features/.lineage-pins/tx").iterdir()))


def test_a_full_vacuum_of_deletion_vectors_is_refused(tmp_path: Path, lineage: Lineage) -> None:
    """deltalake 1.6.6 would delete the vectors that are in use."""
    table = sample("table-with-dv-small", tmp_path)
    for more in ((), ("--apply", "--force")):
        status, said = lineage.fault("vacuum", table, "--full", *more)
        assert status == 1
        assert "deletion vectors" in said
    assert missing_files(table, 1) == []
    assert lineage.run("vacuum", table, "--retention-hours", "0").exit_code == 0


def test_a_full_vacuum_below_the_retention_needs_force(tmp_path: Path, lineage: Lineage) -> None:
    table = grown(tmp_path / "tx")
    options = ("--full", "--retention-hours", "0", "--apply")
    assert lineage.fault("vacuum", table, *options)[0] == VacuumRefusedError.exit_status
    assert lineage.json("vacuum", table, *options, "--force")["files"] == 6


def test_a_vacuum_is_recorded_by_the_watch(tmp_path: Path, lineage: Lineage) -> None:
    table = used_table(tmp_path, lineage)
    lineage.json("vacuum", table, "--retention-hours", "0", "--apply", "--pin-first")
    assert lineage.json("watch", "delta", table, "--once")["commits"] == 2
    with open_workspace(load_settings(), read_only=True) as ws:
        view = View(ws.store.head().seq)
        latest = with_version(artifact_id("file", str(table)), token(table, 5))
        (node,) = ws.store.nodes([latest], view)
    assert node.attributes["operation"].value == '"VACUUM END"'


def test_only_files_that_are_there_are_deleted(tmp_path: Path, lineage: Lineage) -> None:
    """deltalake lists again what earlier vacuums took, as long as the log remembers it."""
    table = used_table(tmp_path, lineage)
    options = ("--retention-hours", "0", "--apply", "--force")
    there = sum(path.stat().st_size for path in table.rglob("*.parquet"))
    first = lineage.json("vacuum", table, *options)
    assert first["files"] == len(first["paths"]) == 6
    assert first["bytes"] == there - sum(path.stat().st_size for path in table.rglob("*.parquet"))
    for more in ((), ("--apply", "--force")):
        again = lineage.json("vacuum", table, "--retention-hours", "0", *more)
        assert (again["files"], again["bytes"], again["paths"]) == (0, 0, [])


def test_no_table_is_the_same_mistake_in_every_command(tmp_path: Path, lineage: Lineage) -> None:
    (tmp_path / "empty").mkdir()
    for missing in (tmp_path / "nowhere", tmp_path / "empty"):
        watched = lineage.fault("watch", "delta", missing, "--once")
        vacuumed = lineage.fault("vacuum", missing)
        assert watched[0] == vacuumed[0] == SourceUnavailableError.exit_status
        assert "source-unavailable" in watched[1]
        assert "source-unavailable" in vacuumed[1]


@pytest.mark.parametrize("command", ["watch", "pin", "list", "vacuum"])
def test_what_is_said_ends_its_line(tmp_path: Path, lineage: Lineage, command: str) -> None:
    table = used_table(tmp_path, lineage)
    words: dict[str, tuple[str | Path, ...]] = {
        "watch": ("watch", "delta", table, "--once"),
        "pin": ("pin", f"{table}@1"),
        "list": ("pin", "--list"),
        "vacuum": ("vacuum", table),
    }
    said = lineage.run(*words[command])
    assert (said.exit_code, said.stdout[-1:]) == (0, "\n"), said.output
