"""Following the log of a table: another table in its place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from lineage.capture.delta.position import CursorFile
from lineage.capture.delta.storage import LocalLog, table_ref
from lineage.capture.delta.tail import DeltaTail
from lineage.errors import SourceUnavailableError
from lineage.model.changes import ArtifactInvalidated
from tests.delta_tables import (
    grown,
    id_of,
    log_file,
)
from tests.e2e.delta_tail.tailing import commits, drain, gaps, poll_until, tail_of


def test_a_table_that_was_made_again_is_another_table(tmp_path: Path) -> None:
    table = grown(tmp_path / "t", 3)
    first_id = id_of(table)
    tail = tail_of(table)
    drain(tail)
    shutil.rmtree(table)
    grown(table, 5)
    captured = drain(tail)
    assert isinstance(captured[0].change, ArtifactInvalidated)
    assert captured[0].event_id == f"{first_id}.{2:020d}.gone"
    assert captured[0].change.event_at < captured[1].change.event_at
    assert [change.version for change in commits(captured)] == [0, 1, 2, 3, 4]
    assert {change.table_id for change in commits(captured)} == {id_of(table)}


def test_it_is_noticed_by_a_tail_that_was_not_there(tmp_path: Path) -> None:
    table = grown(tmp_path / "t", 3)
    tail = tail_of(table)
    drain(tail)
    cursor = CursorFile(tmp_path, tail.source, "store")
    cursor.save(tail.position)
    shutil.rmtree(table)
    grown(table, 3)
    resumed = DeltaTail(LocalLog(table), table_ref(table), cursor.load())
    captured = drain(resumed)
    assert isinstance(captured[0].change, ArtifactInvalidated)
    assert [change.version for change in commits(captured)] == [0, 1, 2]


def test_a_copy_with_new_times_is_the_same_table(tmp_path: Path) -> None:
    table = grown(tmp_path / "t", 3)
    tail = tail_of(table)
    drain(tail)
    shutil.copytree(table, tmp_path / "copy", copy_function=shutil.copy)
    shutil.rmtree(table)
    (tmp_path / "copy").rename(table)
    assert drain(tail) == []
    grown(table, 1)
    assert [change.version for change in commits(drain(tail))] == [3]


def test_a_backup_put_back_is_a_gap_over_what_was_recorded(tmp_path: Path) -> None:
    table = grown(tmp_path / "t", 3)
    shutil.copytree(table, tmp_path / "backup")
    grown(table, 3)
    times = iter(range(0, 100, 6))
    tail = DeltaTail(LocalLog(table), table_ref(table), clock=lambda: next(times))
    drain(tail)
    shutil.rmtree(table)
    (tmp_path / "backup").rename(table)
    found = poll_until(tail, bool)
    assert gaps(found) == [("3", "5", "log-rewritten")]
    grown(table, 1)
    captured = drain(tail)
    assert gaps(captured) == []
    assert [change.version for change in commits(captured)] == [3]


def test_a_table_that_is_being_deleted_is_no_rewritten_one(tmp_path: Path) -> None:
    table = grown(tmp_path / "t", 6)
    tail = DeltaTail(LocalLog(table), table_ref(table), clock=lambda: 0.0)
    drain(tail)
    for version in (5, 4, 0):
        log_file(table, version).unlink()
        assert drain(tail) == []
        assert tail.waiting
    shutil.rmtree(table)
    assert [type(c.change) for c in drain(tail)] == [ArtifactInvalidated]


def test_a_table_that_is_gone_is_invalidated_once(tmp_path: Path) -> None:
    table = grown(tmp_path / "lake" / "t", 2)
    tail = tail_of(table)
    drain(tail)
    shutil.rmtree(table)
    captured = drain(tail)
    assert [type(c.change) for c in captured] == [ArtifactInvalidated]
    assert drain(tail) == []
    grown(table, 1)
    assert [change.version for change in commits(drain(tail))] == [0]


def test_a_mount_that_went_away_is_not_a_table_that_is_gone(tmp_path: Path) -> None:
    table = grown(tmp_path / "mount" / "t", 2)
    tail = tail_of(table)
    drain(tail)
    (tmp_path / "mount").rename(tmp_path / "elsewhere")
    with pytest.raises(SourceUnavailableError):
        tail.poll()
    (tmp_path / "elsewhere").rename(tmp_path / "mount")
    assert drain(tail) == []


def test_an_empty_mount_point_is_not_a_table_that_is_gone(tmp_path: Path) -> None:
    """A process that starts before the file system is mounted sees an empty directory."""
    table = grown(tmp_path / "mount" / "t", 2)
    tail = tail_of(table)
    drain(tail)
    (tmp_path / "mount").rename(tmp_path / "elsewhere")
    (tmp_path / "mount").mkdir()
    resumed = DeltaTail(LocalLog(table), table_ref(table), tail.position)
    with pytest.raises(SourceUnavailableError):
        resumed.poll()
    (tmp_path / "mount" / "other").mkdir()
    assert [type(c.change) for c in drain(resumed)] == [ArtifactInvalidated]


def test_a_table_that_goes_while_it_is_asked_for_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = grown(tmp_path / "t", 1)
    grown(tmp_path / "other", 1)
    tail = tail_of(table)
    drain(tail)
    shutil.rmtree(table / "_delta_log")
    names = Path.iterdir

    def late(path: Path) -> Iterator[Path]:
        if path == table:
            shutil.rmtree(table)
        return names(path)

    monkeypatch.setattr(Path, "iterdir", late)
    resumed = DeltaTail(LocalLog(table), table_ref(table), tail.position)
    assert [type(captured.change) for captured in drain(resumed)] == [ArtifactInvalidated]


def test_a_table_that_cannot_be_looked_for_is_not_gone(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailableError):
        LocalLog(tmp_path / ("name" * 100)).gone()


def test_a_log_replaced_while_it_is_read_is_not_mixed_with_the_other(tmp_path: Path) -> None:
    table = grown(tmp_path / "t", 5)
    other = grown(tmp_path / "other", 9)

    class Swapped(LocalLog):
        """After commit 2 was read, another table stands there."""

        @override
        def read(self, name: str) -> bytes | None:
            content = super().read(name)
            if name == log_file(table, 2).name and other.exists():
                shutil.rmtree(table)
                other.rename(table)
            return content

    tail = DeltaTail(Swapped(table), table_ref(table))
    captured = drain(tail)
    ids = {change.table_id for change in commits(captured)}
    assert ids == {id_of(table)}
    assert [change.version for change in commits(captured)] == list(range(9))
