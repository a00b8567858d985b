"""Pins outlive what is done to a table; a vacuum says what it would lose before it loses it."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from deltalake import DeltaTable, write_deltalake

from lineage.cli.main import main
from lineage.errors import (
    CannotPinError,
    PinNeedsCopyError,
    SourceUnavailableError,
    VacuumRefusedError,
    VersionLostError,
)
from lineage.model.changes import Output, RunFinished, RunRef, RunStarted, Use
from lineage.model.ids import artifact_id, file_token, run_id, with_version
from lineage.reproduce.delta import (
    live_files,
    lost_reason,
    missing_files,
    recorded_version,
    table_version,
)
from lineage.reproduce.pin import available_at, find_pin, pin_version, pins_of, remove_pin
from lineage.settings import load_settings
from lineage.store.contract import View
from lineage.wiring import open_workspace
from tests.delta_tables import OPERATIONS, SAMPLES, copied, disk_files, grow, sample, version_of
from tests.serving import play_in


def rows(table: Path, version: int | None = None) -> list[tuple[Any, ...]]:
    """Contents without order, as deltalake's own reader gives them."""
    found = pa.table(DeltaTable(table, version=version).scan().read_all())
    return sorted((tuple(row.values()) for row in found.to_pylist()), key=repr)


def careless_vacuum(table: Path) -> list[str]:
    found: list[str] = DeltaTable(table).vacuum(
        0, dry_run=False, enforce_retention_duration=False, full=True
    )
    return found


def token(table: Path, version: int) -> str:
    return table_version(table, version).token


def grown(table: Path, versions: int = 4) -> Path:
    """Every version overwrites the one before: a vacuum takes all but the last."""
    for n in range(versions):
        write_deltalake(
            table, pa.table({"id": [n, n], "p": ["a b", "100%"]}), mode="overwrite",
            partition_by=["p"],
        )  # fmt: skip
    return table


# --- pins


@pytest.mark.parametrize("seed", range(5))
def test_a_pinned_version_survives_whatever_follows(tmp_path: Path, seed: int) -> None:
    table = tmp_path / "tx"
    grow(table, seed, 8)
    wanted = {version: rows(table, version) for version in range(version_of(table) + 1)}
    files = {version: disk_files(table, version) for version in wanted}
    pins = {version: pin_version(table, token(table, version)) for version in wanted}
    OPERATIONS["overwrite"](table, random.Random(seed))
    careless_vacuum(table)
    shutil.rmtree(table)
    assert len(pins) >= 4
    for version, pin in pins.items():
        assert DeltaTable(pin.location).version() == version
        assert rows(pin.location) == wanted[version]
        assert disk_files(pin.location, version) == files[version]
        assert missing_files(pin.location, version) == []
        assert pin.bytes_copied == 0


def test_every_version_of_every_sample_table_can_be_pinned(tmp_path: Path) -> None:
    if not SAMPLES.is_dir():
        pytest.skip(f"no sample tables at {SAMPLES}")
    pinned = lost = 0
    for source in sorted(SAMPLES.iterdir()):
        table = copied(source, tmp_path / source.name)
        wanted: dict[int, list[tuple[Any, ...]]] = {}
        for version in range(version_of(table) + 1):
            try:
                pin_version(table, token(table, version))
                wanted[version] = rows(table, version)
                pinned += 1
            except VersionLostError:
                assert source.name == "checkpoints_vacuumed"
                lost += 1
        pins = pins_of(table)
        shutil.rmtree(table)
        for version, pin in zip(wanted, pins, strict=True):
            assert (DeltaTable(pin).version(), rows(pin)) == (version, wanted[version])
    assert (pinned, lost) == (33, 13)


def test_a_pin_costs_no_space_and_does_not_touch_the_table(tmp_path: Path) -> None:
    table = grown(tmp_path / "tx")
    before = {path: path.stat().st_mtime_ns for path in table.rglob("*")}
    pin = pin_version(table, token(table, 1))
    assert {path: path.stat().st_mtime_ns for path in table.rglob("*")} == before
    for path, size in live_files(table, 1):
        assert (pin.location / path).samefile(table / path)
        assert (pin.location / path).stat().st_size == size
    assert pin.method == "hardlink"
    assert pin.location == tmp_path / ".lineage-pins" / "tx" / token(table, 1)
    hint = json.loads((pin.location / "_delta_log" / "_last_checkpoint").read_text())
    assert hint["version"] == 1
    assert (tmp_path / ".lineage-pins" / ".gitignore").read_text() == "*\n"


def test_a_pin_opens_without_its_log(tmp_path: Path) -> None:
    """The checkpoint inside is enough: a long log need not be read."""
    table = grown(tmp_path / "tx")
    pin = pin_version(table, token(table, 2))
    for commit in (pin.location / "_delta_log").glob("*.json"):
        commit.unlink()
    assert rows(pin.location) == rows(table, 2)


def test_pinning_again_changes_nothing(tmp_path: Path) -> None:
    table = grown(tmp_path / "tx")
    first = pin_version(table, token(table, 1))
    inode = first.location.stat().st_ino
    again = pin_version(table, token(table, 1))
    assert (first.new, again.new) == (True, False)
    assert (again.location, again.files, again.bytes) == (first.location, first.files, first.bytes)
    assert again.location.stat().st_ino == inode
    assert [path.name for path in first.location.parent.iterdir()] == [token(table, 1)]


def test_a_damaged_pin_is_made_again_while_the_table_has_the_files(tmp_path: Path) -> None:
    table = grown(tmp_path / "tx")
    pin = pin_version(table, token(table, 1))
    wanted = rows(table, 1)
    (pin.location / live_files(table, 1)[0][0]).unlink()
    assert lost_reason(pin.location, token(table, 1))
    assert available_at(table, token(table, 1)) == table
    assert pin_version(table, token(table, 1)).new
    assert rows(pin.location) == wanted
    assert available_at(table, token(table, 1)) == pin.location


def test_a_pin_is_found_only_for_its_own_version(tmp_path: Path) -> None:
    table = grown(tmp_path / "tx")
    pin = pin_version(table, token(table, 1))
    assert find_pin(table, token(table, 1)) == pin.location
    assert find_pin(table, token(table, 2)) is None
    assert find_pin(table, "../../etc") is None
    assert remove_pin(table, token(table, 1))
    assert find_pin(table, token(table, 1)) is None
    assert not remove_pin(table, token(table, 1))
    assert rows(table, 1)


def test_a_table_made_again_does_not_pass_for_the_old_one(tmp_path: Path) -> None:
    table = grown(tmp_path / "tx")
    old = token(table, 1)
    shutil.rmtree(table)
    grown(table)
    with pytest.raises(VersionLostError, match="not the one that was recorded"):
        pin_version(table, old)
    with pytest.raises(VersionLostError):
        recorded_version(table, old)
    assert lost_reason(table, old)
    assert lost_reason(table, token(table, 1)) is None


def test_files_that_are_gone_cut_off_or_empty_are_named(tmp_path: Path) -> None:
    table = grown(tmp_path / "tx")
    assert missing_files(table, 1) == []
    one, other = (path for path, _ in live_files(table, 1))
    os.truncate(table / one, 10)
    assert missing_files(table, 1) == [one]
    os.truncate(table / one, 0)
    (table / other).unlink()
    assert missing_files(table, 1) == sorted([one, other])
    with pytest.raises(VersionLostError) as caught:
        pin_version(table, token(table, 1))
    assert caught.value.where["files"] == sorted([one, other])
    assert missing_files(table, 2) == []
    assert pins_of(table) == []


def test_a_deletion_vector_belongs_to_its_version(tmp_path: Path) -> None:
    table = sample("table-with-dv-small", tmp_path)
    vector = next(path for path, _ in live_files(table, 1) if path.endswith(".bin"))
    assert [path for path, _ in live_files(table, 0) if path.endswith(".bin")] == []
    pin = pin_version(table, token(table, 1))
    os.truncate(table / vector, 20)
    assert missing_files(table, 1) == [vector]
    assert missing_files(table, 0) == []
    os.truncate(table / vector, 0)
    assert (pin.location / vector).samefile(table / vector)  # a link: it does not survive this


def test_a_shallow_clone_is_refused(tmp_path: Path) -> None:
    table = grown(tmp_path / "tx")
    log = table / "_delta_log" / f"{3:020d}.json"
    path = live_files(table, 3)[0][0]
    log.write_text(log.read_text().replace('"path":"p=', f'"path":"file://{tmp_path}/other/p='))
    (tmp_path / "other" / path).parent.mkdir(parents=True)
    for name in ("p=a%20b", "p=100%25"):
        if (table / name).is_dir():
            shutil.copytree(table / name, tmp_path / "other" / name, dirs_exist_ok=True)
    with pytest.raises(CannotPinError, match="outside of the table"):
        pin_version(table, token(table, 3))


# --- where links are impossible


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder on another file system."""
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system at /dev/shm")
    folder = shared / f"lineage-test-{os.getpid()}"
    folder.mkdir()
    return folder


def test_without_links_a_copy_is_made_only_when_asked_for(tmp_path: Path, elsewhere: Path) -> None:
    table = grown(tmp_path / "tx")
    try:
        part = table / "p=a%20b"
        shutil.move(part, elsewhere / "part")
        part.symlink_to(elsewhere / "part")
        far = sum(size for path, size in live_files(table, 1) if path.startswith("p=a%20b"))
        with pytest.raises(PinNeedsCopyError) as refused:
            pin_version(table, token(table, 1))
        assert refused.value.where["bytes"] == far > 0
        assert f"{far:,}" in refused.value.message
        assert pins_of(table) == []
        pin = pin_version(table, token(table, 1), copy=True)
        assert (pin.method, pin.bytes_copied) == ("copy", far)
        wanted = rows(table, 1)
    finally:
        shutil.rmtree(elsewhere)
    assert rows(pin.location) == wanted


def test_a_pin_can_be_flushed_file_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no `syncfs`."""
    monkeypatch.setattr("lineage.reproduce.place._sync_file_system", lambda folder: False)
    flushed: list[int] = []
    real = os.fsync

    def fsync(number: int) -> None:
        flushed.append(number)
        real(number)

    monkeypatch.setattr(os, "fsync", fsync)
    table = grown(tmp_path / "tx")
    pin = pin_version(table, token(table, 1))
    files = [path for path in pin.location.rglob("*") if path.is_file()]
    assert len(flushed) > len(files)


def test_a_folder_that_cannot_be_written_is_an_error_with_advice(tmp_path: Path) -> None:
    table = grown(tmp_path / "lake" / "tx")
    (tmp_path / "lake" / ".lineage-pins").write_text("in the way")
    with pytest.raises(CannotPinError) as caught:
        pin_version(table, token(table, 1))
    assert "writable" in caught.value.hint


# --- the command, and what a model needs


@pytest.fixture
def lineage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lineage:
    play_in(monkeypatch, tmp_path / "home")
    return Lineage()


class Lineage:
    """The command, in this process."""

    def run(self, *words: str | Path) -> Result:
        return CliRunner().invoke(main, [str(word) for word in words])

    def json(self, *words: str | Path) -> Any:
        result = self.run(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def fault(self, *words: str | Path) -> tuple[int, str]:
        result = self.run(*words)
        return result.exit_code, result.stderr

    def trained(self, table: Path, version: int, model: Path) -> str:
        """Record that a run read a version and made a model; returns the model's id."""
        run = RunRef(namespace="local", job="train", run_id=f"{model.stem}-{version}")
        used = Use(namespace="file", name=str(table), artifact_kind="table",
                   version=token(table, version), at=2)  # fmt: skip
        made = Output(namespace="file", name=str(model), artifact_kind="model",
                      version=file_token("ab" * 32), at=3)  # fmt: skip
        with open_workspace(load_settings()) as ws:
            ws.recorder.record_changes(
                [RunStarted(event_at=1, run=run, command=["train"]),
                 RunFinished(event_at=4, run=run, state="COMPLETE", uses=[used], outputs=[made])],
                source="test", actor=ws.actor,
            )  # fmt: skip
        return with_version(artifact_id("file", str(model)), file_token("ab" * 32))

    def position(self) -> int:
        with open_workspace(load_settings(), read_only=True) as ws:
            return ws.store.head().seq


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


# --- vacuum


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
