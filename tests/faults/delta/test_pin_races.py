"""What breaks around a table: a vacuum or a clean-up while a pin is made."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lineage.errors import VersionLostError
from lineage.reproduce.delta import table_version
from lineage.reproduce.pin import pin_version, pins_of
from lineage.reproduce.place import put as real_put
from tests.delta_tables import grown, log_file


def overwritten(table: Path) -> Path:
    for n in range(3):
        write_deltalake(table, pa.table({"id": [n]}), mode="overwrite")
    return table


def test_files_that_go_while_a_pin_is_made_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = overwritten(tmp_path / "t")
    token = table_version(table, 1).token
    wanted = [path for path, _ in pins_files(table, 1)]

    def put(source: Path, target: Path, *, copy: bool) -> Any:
        if source.suffix == ".parquet" and "_delta_log" not in source.parts:
            DeltaTable(table).vacuum(0, dry_run=False, enforce_retention_duration=False)
        return real_put(source, target, copy=copy)

    monkeypatch.setattr("lineage.reproduce.clone.put", put)
    with pytest.raises(VersionLostError) as caught:
        pin_version(table, token)
    assert caught.value.where["files"] == wanted
    assert pins_of(table) == []
    assert list((tmp_path / ".lineage-pins" / "t").iterdir()) == []


def pins_files(table: Path, version: int) -> list[tuple[str, int]]:
    needed = table_version(table, version).needed()
    return sorted((path, size) for path, (size, _) in needed.items())


def test_a_log_cleaned_while_a_pin_is_made_does_not_make_a_broken_pin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = overwritten(tmp_path / "t")
    token = table_version(table, 1).token

    def put(source: Path, target: Path, *, copy: bool) -> Any:
        log_file(table, 0).unlink(missing_ok=True)
        return real_put(source, target, copy=copy)

    monkeypatch.setattr("lineage.reproduce.clone.put", put)
    with pytest.raises(VersionLostError):
        pin_version(table, token)
    assert pins_of(table) == []


KILLED = """
import sys, os, signal
from pathlib import Path
from lineage.reproduce import clone, pin
from lineage.reproduce.delta import table_version
real, left = clone.put, [int(sys.argv[2])]
def put(source, target, *, copy):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(source, target, copy=copy)
clone.put = put
pin.pin_version(sys.argv[1], table_version(sys.argv[1], 4).token)
"""


@pytest.mark.parametrize("after", [0, 2, 6, 9])
def test_a_pin_killed_while_it_is_made_is_not_there(tmp_path: Path, after: int) -> None:
    table = grown(tmp_path / "t", 5)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(table), str(after)], check=False,
        cwd=Path(__file__).resolve().parents[3],
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    assert pins_of(table) == []
    later = time.time() + 7200
    pin = pin_version(table, table_version(table, 4).token, clock=lambda: later)
    assert pin.new
    folder = tmp_path / ".lineage-pins" / "t"
    assert [path.name for path in folder.iterdir()] == [pin.token]  # and what it left is swept
