"""Following the log of a table: live files, for every version."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lineage.capture.delta.snapshot import replay, replay_each
from lineage.capture.delta.storage import LocalLog
from tests.delta_tables import (
    OPERATIONS,
    SAMPLES,
    copied,
    disk_files,
    grow,
    log_file,
    sample,
    version_of,
)
from tests.e2e.delta_tail.tailing import commits, drain, gaps, tail_of


@pytest.mark.parametrize("seed", range(12))
def test_live_files_of_every_version_are_those_of_the_table(tmp_path: Path, seed: int) -> None:
    """Three ways to the same set, for ALL versions: the tail, a replay, and deltalake itself."""
    table = tmp_path / "a table=é"
    grow(table, seed, 14)
    log = LocalLog(table)
    live: set[str] = set()
    checked = []
    for change in commits(drain(tail_of(table), limit=3)):
        live -= set(change.removed)
        live |= {file.path for file in change.added}
        expected = disk_files(table, change.version)
        assert live == expected, (change.version, change.operation)
        assert set(replay(log, change.version).files) == expected
        checked.append(change.version)
    assert checked == list(range(version_of(table) + 1))
    assert len(checked) >= 8
    in_one_pass = {v: set(state.files) for v, state in replay_each(log, checked)
                   if not isinstance(state, Exception)}  # fmt: skip
    assert in_one_pass == {version: disk_files(table, version) for version in checked}


def test_the_cases_cover_every_operation() -> None:
    """What the seeds above do: a suite that tests nothing would pass too."""
    done: set[str] = set()
    for seed in range(12):
        rng = random.Random(seed)
        done.update(rng.choice(["append", "append", *OPERATIONS]) for _ in range(14))
    assert len(done) >= len(OPERATIONS) - 1


def test_every_version_of_every_sample_table(tmp_path: Path) -> None:
    if not SAMPLES.is_dir():
        pytest.skip(f"no sample tables at {SAMPLES}")
    cases = 0
    for source in sorted(SAMPLES.iterdir()):
        table = copied(source, tmp_path / source.name)
        captured = drain(tail_of(table))
        versions = [change.version for change in commits(captured)]
        assert versions == list(range(versions[0], version_of(table) + 1))
        lost = [(0, versions[0] - 1)] if versions[0] else []
        assert [(int(a), int(b)) for a, b, _ in gaps(captured)] == lost
        for version in versions:
            files = replay(LocalLog(table), version).files
            assert set(files) == disk_files(table, version)
            # checkpoints_vacuumed comes without its data.
            there = {(table / file.path).exists() for file in files.values()}
            assert there <= {source.name != "checkpoints_vacuumed"}
            cases += 1
    assert cases >= 41


def test_deletion_vectors_are_seen_in_json_and_in_checkpoints(tmp_path: Path) -> None:
    table = sample("table-with-dv-small", tmp_path)
    DeltaTable(table).create_checkpoint()
    (told,) = replay(LocalLog(table), 1).files.values()
    log_file(table, 1).unlink()
    log_file(table, 0).unlink()
    (kept,) = replay(LocalLog(table), 1).files.values()
    assert kept == told
    assert told.vector is not None
    assert (table / told.vector.file).stat().st_size == told.vector.end
