"""Following the log of a table: gaps."""

from __future__ import annotations

from pathlib import Path

from deltalake import DeltaTable
from typing_extensions import override

from lineage.capture.delta.storage import LocalLog, table_ref
from lineage.capture.delta.tail import DeltaTail
from tests.delta_tables import (
    grown,
    id_of,
    log_file,
)
from tests.e2e.delta_tail.tailing import commits, drain, gaps, tail_of


def test_a_cleaned_prefix_is_a_gap_and_reading_goes_on(tmp_path: Path) -> None:
    table = grown(tmp_path / "t", 8)
    DeltaTable(table, version=5).create_checkpoint()
    for version in range(5):
        log_file(table, version).unlink()
    captured = drain(tail_of(table))
    assert gaps(captured) == [("0", "4", "log-cleaned")]
    assert [change.version for change in commits(captured)] == [5, 6, 7]
    assert {change.table_id for change in commits(captured)} == {id_of(table)}


def test_a_log_of_a_checkpoint_alone_is_followed_from_there(tmp_path: Path) -> None:
    table = grown(tmp_path / "t", 5)
    DeltaTable(table, version=3).create_checkpoint()
    log_file(table, 4).rename(tmp_path / "later")
    for version in range(4):
        log_file(table, version).unlink()
    tail = tail_of(table)
    assert gaps(drain(tail)) == [("0", "3", "log-cleaned")]
    assert drain(tail) == []
    (tmp_path / "later").rename(log_file(table, 4))
    assert [change.version for change in commits(drain(tail))] == [4]


def test_a_gap_that_opens_before_us_while_we_follow(tmp_path: Path) -> None:
    """`update_incremental` of deltalake jumps it without a word; the tail says it."""
    table = grown(tmp_path / "t", 3)
    tail = tail_of(table)
    drain(tail)
    grown(table, 6)
    DeltaTable(table, version=7).create_checkpoint()
    for version in range(7):
        log_file(table, version).unlink()
    captured = drain(tail)
    assert gaps(captured) == [("3", "6", "log-cleaned")]
    assert [change.version for change in commits(captured)] == [7, 8]


def test_what_was_recorded_before_is_no_gap(tmp_path: Path) -> None:
    """A lost cursor, or --from-start, on a log that has been cleaned since."""
    table = grown(tmp_path / "t", 8)
    known = {captured.event_id for captured in drain(tail_of(table))}
    DeltaTable(table, version=6).create_checkpoint()
    for version in range(6):
        log_file(table, version).unlink()
    again = DeltaTail(LocalLog(table), table_ref(table), recorded=known.__contains__)
    assert gaps(drain(again)) == []
    known -= {f"{id_of(table)}.{version:020d}" for version in (2, 3)}
    again = DeltaTail(LocalLog(table), table_ref(table), recorded=known.__contains__)
    captured = drain(again)
    assert gaps(captured) == [("2", "3", "log-cleaned")]
    assert [change.version for change in commits(captured)] == [6, 7]


def test_a_hole_in_the_middle_of_a_log_is_a_gap(tmp_path: Path) -> None:
    table = grown(tmp_path / "t", 6)
    log_file(table, 2).unlink()
    log_file(table, 3).unlink()
    captured = drain(tail_of(table))
    assert gaps(captured) == [("2", "3", "commits-missing")]
    assert [change.version for change in commits(captured)] == [0, 1, 4, 5]


def test_a_commit_that_lands_between_two_questions_is_no_gap(tmp_path: Path) -> None:
    table = grown(tmp_path / "t", 5)
    hidden = tmp_path / "hidden"
    log_file(table, 2).rename(hidden)

    class Late(LocalLog):
        """Commit 2 lands when the folder is listed because it was not there."""

        asked = 0

        @override
        def names(self) -> list[str] | None:
            self.asked += 1
            if self.asked == 2:
                hidden.rename(log_file(table, 2))
            return list(super().names() or ())

    tail = DeltaTail(Late(table), table_ref(table))
    captured = drain(tail)
    assert gaps(captured) == []
    assert [change.version for change in commits(captured)] == [0, 1, 2, 3, 4]


def test_compacted_ranges_and_temporary_names_are_no_commits(tmp_path: Path) -> None:
    table = grown(tmp_path / "t", 4)
    DeltaTable(table).compact_logs(1, 3)
    for name in (f"{4:020d}.json#1", f"{4:020d}.crc", f"{9:020d}.json.tmp"):
        (table / "_delta_log" / name).write_text("{}")
    captured = drain(tail_of(table))
    assert gaps(captured) == []
    assert [change.version for change in commits(captured)] == [0, 1, 2, 3]
