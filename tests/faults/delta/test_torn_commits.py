"""What breaks around a table: torn commits."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lineage.capture.delta.position import CursorFile
from lineage.model.changes import ClaimRetracted, GapRecorded, TableCommitted
from tests.delta_tables import grown, id_of, log_file
from tests.faults.delta.watched import Watched

TEARS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "cut in a line": lambda whole: whole[: len(whole) - 7],
    "half": lambda whole: whole[: len(whole) // 2],
    "nuls": lambda whole: b"\0" * len(whole),
    "padded": lambda whole: whole + b"\0" * 4096,
}


@pytest.mark.parametrize("tear", TEARS)
def test_a_commit_still_being_written_is_waited_for(tmp_path: Path, tear: str) -> None:
    table = grown(tmp_path / "t", 3)
    watched = Watched(table)
    whole = log_file(table, 2).read_bytes()
    log_file(table, 2).write_bytes(TEARS[tear](whole))
    assert watched.versions() == [0, 1]
    assert "commit 2" in watched.tail.waiting
    watched.clock.at = 4.9
    assert watched.versions() == []
    log_file(table, 2).write_bytes(whole)
    assert watched.versions() == [2]
    assert watched.gaps() == []


@pytest.mark.parametrize("tear", TEARS)
def test_a_torn_last_commit_is_said_and_not_passed_over(tmp_path: Path, tear: str) -> None:
    table = grown(tmp_path / "t", 3)
    watched = Watched(table)
    whole = log_file(table, 2).read_bytes()
    log_file(table, 2).write_bytes(TEARS[tear](whole))
    assert watched.versions() == [0, 1]
    watched.clock.at = 5.1
    assert watched.versions() == []
    assert watched.gaps() == ["torn-commit"]
    assert watched.drain() == []  # said once
    log_file(table, 2).write_bytes(whole)
    assert watched.versions() == [2]
    assert watched.gaps() == []  # it was none after all


def test_a_torn_commit_that_others_followed_is_passed_over(tmp_path: Path) -> None:
    """deltalake takes a commit of no bytes for a valid one and goes on after it."""
    table = grown(tmp_path / "t", 3)
    whole = log_file(table, 2).read_bytes()
    log_file(table, 2).write_bytes(b"")
    grown(table, 2)
    watched = Watched(table)
    assert watched.versions() == [0, 1]
    watched.clock.at = 5.1
    assert watched.versions() == [3, 4]
    assert watched.gaps() == ["torn-commit"]
    log_file(table, 2).write_bytes(whole)
    mended = watched.drain()
    assert [type(c.change) for c in mended] == [TableCommitted, ClaimRetracted]
    assert watched.gaps() == []
    assert watched.drain() == []
    assert watched.tail.position is not None
    assert watched.tail.position.version == 4


def test_a_mended_commit_is_found_by_the_next_process(tmp_path: Path) -> None:
    table = grown(tmp_path / "t", 5)
    whole = log_file(table, 1).read_bytes()
    log_file(table, 1).write_bytes(whole[:50])
    watched = Watched(table)
    watched.versions()
    watched.clock.at = 5.1
    assert watched.versions() == [2, 3, 4]
    cursor = CursorFile(tmp_path / "cursors", watched.tail.source, "store")
    cursor.save(watched.tail.position)
    log_file(table, 1).write_bytes(whole)
    assert Watched(table, cursor.load()).versions() == [1]


def test_a_torn_first_commit_does_not_hide_which_table_it_is(tmp_path: Path) -> None:
    table = grown(tmp_path / "t", 4)
    table_id = id_of(table)
    DeltaTable(table, version=2).create_checkpoint()
    log_file(table, 0).write_bytes(b"")
    watched = Watched(table)
    assert watched.versions() == []
    watched.clock.at = 5.1
    found = [c.change for c in watched.drain()]
    assert [c.version for c in found if isinstance(c, TableCommitted)] == [1, 2, 3]
    assert {c.table_id for c in found if isinstance(c, TableCommitted)} == {table_id}
    assert [c.reason for c in found if isinstance(c, GapRecorded)] == ["torn-commit"]


def test_a_commit_cut_between_two_lines_is_recorded_with_a_gap(tmp_path: Path) -> None:
    """Such a file is a valid commit to every reader, but deltalake counted more files."""
    table = grown(tmp_path / "t", 2)
    lines = log_file(table, 1).read_bytes().splitlines()
    log_file(table, 1).write_bytes(lines[0])
    watched = Watched(table)
    assert watched.versions() == [0]
    watched.clock.at = 5.1
    assert watched.versions() == [1]
    assert watched.gaps() == ["commit-shorter-than-said"]


def test_random_damage_never_passes_for_a_commit(tmp_path: Path) -> None:
    """Bytes cut off anywhere: never fewer files than deltalake wrote without a gap."""
    table = grown(tmp_path / "t", 3)
    whole = log_file(table, 1).read_bytes()
    rng = random.Random(7)
    for _ in range(40):
        log_file(table, 1).write_bytes(whole[: rng.randrange(len(whole))])
        watched = Watched(table)
        watched.drain()
        watched.clock.at = 5.1
        watched.drain()
        assert watched.gaps(), "nothing was said"
