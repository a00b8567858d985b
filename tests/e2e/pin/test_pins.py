"""Pins and vacuums: pins."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from lineage.errors import (
    CannotPinError,
    VersionLostError,
)
from lineage.reproduce.delta import (
    live_files,
    lost_reason,
    missing_files,
    recorded_version,
)
from lineage.reproduce.pin import available_at, find_pin, pin_version, pins_of, remove_pin
from tests.delta_tables import OPERATIONS, SAMPLES, copied, disk_files, grow, sample, version_of
from tests.e2e.pin.tables import careless_vacuum, grown, rows, token


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
