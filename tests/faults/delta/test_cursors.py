"""What breaks around a table: cursors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import pytest
from typing_extensions import override

from lineage.capture.delta.position import CursorFile, Position
from lineage.capture.delta.storage import LocalLog, Stamp, table_ref
from lineage.capture.delta.tail import DeltaTail
from lineage.errors import SourceUnavailableError
from lineage.model.changes import TableCommitted
from lineage.settings import Settings
from lineage.wiring import open_workspace
from tests.delta_tables import grown, log_file
from tests.faults.delta.watched import Watched, command, expected


class Failing(LocalLog):
    """A log on a file system that goes away at a given question."""

    def __init__(self, table: Path, fails_at: int) -> None:
        super().__init__(table)
        self.left = fails_at

    def _ask(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise SourceUnavailableError("stale file handle")

    @override
    def read(self, name: str) -> bytes | None:
        self._ask()
        return super().read(name)

    @override
    def stamp(self, name: str) -> Stamp | None:
        self._ask()
        return super().stamp(name)

    @override
    def names(self) -> Iterable[str] | None:
        self._ask()
        return super().names()


@pytest.mark.parametrize("fails_at", range(1, 40))
def test_a_log_that_goes_away_amid_a_batch_loses_nothing(tmp_path: Path, fails_at: int) -> None:
    table = grown(tmp_path / "t", 5)
    whole = log_file(table, 2).read_bytes()
    log_file(table, 2).write_bytes(b"")
    watched = Watched(table)
    watched.versions()
    watched.clock.at = 60
    assert watched.versions() == [3, 4], "2 is torn, and passed over"
    log_file(table, 2).write_bytes(whole)
    grown(table, 1)
    failing = Failing(table, fails_at)
    tail = DeltaTail(failing, table_ref(table), watched.tail.position, clock=watched.clock)
    found: list[int] = []
    for _ in range(3):
        with contextlib.suppress(SourceUnavailableError):
            changes = [captured.change for captured in tail.poll()]
            found += [change.version for change in changes if isinstance(change, TableCommitted)]
    assert found == [2, 5]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": 9}', "\0\0\0"])
def test_a_damaged_cursor_is_ignored(tmp_path: Path, damage: str) -> None:
    cursor = CursorFile(tmp_path, "delta:file,/t", "store")
    assert cursor.load() is None
    position = Position(3, "id", "id", "ab")
    cursor.save(position)
    assert cursor.load() == position
    assert CursorFile(tmp_path, "delta:file,/t", "other").load() is None
    (file,) = tmp_path.iterdir()
    file.write_text(damage)
    assert cursor.load() is None
    cursor.save(None)
    assert list(tmp_path.iterdir()) == []


def test_a_cursor_that_cannot_be_kept_ends_no_watch(tmp_path: Path, settings: Settings) -> None:
    table = grown(tmp_path / "t", 3)
    settings.home.mkdir(parents=True, exist_ok=True)
    (settings.home / "cursors").write_text("no folder")
    watch = command(settings, table, "--once")
    _, said = watch.communicate(timeout=60)
    assert watch.returncode == 0, said
    with open_workspace(settings, read_only=True) as ws:
        assert [entry.event_id for entry in ws.store.entries()] == expected(table)
