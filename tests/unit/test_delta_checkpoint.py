"""Checkpoints of every kind give the state that the commits give; damaged ones are passed over."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from lineage.capture.delta.actions import DataFile
from lineage.capture.delta.snapshot import replay
from lineage.capture.delta.storage import LocalLog
from lineage.errors import LineageError, LogGapError, SourceUnavailableError
from tests.delta_tables import grow, version_of

VECTOR = {"storageType": "u", "pathOrInlineDv": "vBn[lx{q8@P<9BNH/isA", "offset": 1,
          "sizeInBytes": 36, "cardinality": 2}  # fmt: skip
SIDECAR = "d55fb2cb-b8d3-4362-8572-c52142a9da1f.parquet"


def hand_made(table: Path) -> dict[str, DataFile]:
    """Two commits with a deletion vector; returns the live files of the second."""
    first: list[dict[str, Any]] = [
        {"metaData": {"id": "t", "schemaString": "{}", "partitionColumns": []}},
        {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7,
                      "readerFeatures": ["deletionVectors"]}},
        *({"add": {"path": f"p=a%2520b/{name}", "size": 7}} for name in "abc"),
    ]  # fmt: skip
    second: list[dict[str, Any]] = [
        {"remove": {"path": "p=a%2520b/a", "dataChange": True}},
        {"add": {"path": "p=a%2520b/a", "size": 7, "deletionVector": VECTOR}},
        {"remove": {"path": "p=a%2520b/b", "dataChange": True}},
    ]
    log = table / "_delta_log"
    log.mkdir(parents=True)
    for version, actions in enumerate([first, second]):
        (log / f"{version:020d}.json").write_text("\n".join(map(json.dumps, actions)))
    return dict(replay(LocalLog(table), 1).files)


def rows_of(table: Path) -> list[dict[str, Any]]:
    """The rows that a checkpoint of version 1 holds."""
    return [
        {"metaData": {"id": "t", "schemaString": "{}"}},
        {"protocol": {"minReaderVersion": 3, "readerFeatures": ["deletionVectors"]}},
        {"add": {"path": "p=a%2520b/a", "size": 7, "deletionVector": VECTOR}},
        {"add": {"path": "p=a%2520b/c", "size": 7, "deletionVector": None}},
        {"remove": {"path": "p=a%2520b/b"}},
    ]


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist([{**dict.fromkeys(ACTIONS), **row} for row in rows]), path)


ACTIONS = ("add", "remove", "metaData", "protocol", "sidecar")


def without_commits(table: Path) -> None:
    for commit in (table / "_delta_log").glob("0*[01].json"):
        commit.unlink()


def classic(log: Path, rows: list[dict[str, Any]]) -> None:
    write_parquet(log / f"{1:020d}.checkpoint.parquet", rows)


def in_parts(log: Path, rows: list[dict[str, Any]]) -> None:
    for part in (1, 2):
        name = f"{1:020d}.checkpoint.{part:010d}.{2:010d}.parquet"
        write_parquet(log / name, rows[part - 1 :: 2])


def v2_json(log: Path, rows: list[dict[str, Any]]) -> None:
    write_parquet(log / "_sidecars" / SIDECAR, [row for row in rows if "add" in row])
    top = [{"checkpointMetadata": {"version": 1}}, {"sidecar": {"path": SIDECAR, "sizeInBytes": 1}},
           *(row for row in rows if "add" not in row)]  # fmt: skip
    name = f"{1:020d}.checkpoint.e5ac4dc4-be27-4106-8a55-609707487f83.json"
    (log / name).write_text("\n".join(map(json.dumps, top)))


def v2_parquet(log: Path, rows: list[dict[str, Any]]) -> None:
    write_parquet(log / "_sidecars" / SIDECAR, [row for row in rows if "add" in row])
    top = [{"sidecar": {"path": f"file:///elsewhere/_sidecars/{SIDECAR}"}},
           *(row for row in rows if "add" not in row)]  # fmt: skip
    name = f"{1:020d}.checkpoint.e5ac4dc4-be27-4106-8a55-609707487f83.parquet"
    write_parquet(log / name, top)


@pytest.mark.parametrize("write", [classic, in_parts, v2_json, v2_parquet])
def test_every_kind_of_checkpoint_gives_what_the_commits_give(tmp_path: Path, write: Any) -> None:
    table = tmp_path / "t"
    files = hand_made(table)
    assert sorted(files) == ["p=a%20b/a", "p=a%20b/c"]
    assert files["p=a%20b/a"].vector is not None
    write(table / "_delta_log", rows_of(table))
    without_commits(table)
    state = replay(LocalLog(table))
    assert (state.version, state.table_id, state.features) == (1, "t", ("deletionVectors",))
    assert state.files == files


def test_a_checkpoint_with_a_part_missing_is_none(tmp_path: Path) -> None:
    table = tmp_path / "t"
    hand_made(table)
    in_parts(table / "_delta_log", rows_of(table))
    (table / "_delta_log" / f"{1:020d}.checkpoint.{2:010d}.{2:010d}.parquet").unlink()
    without_commits(table)
    with pytest.raises(LineageError):
        replay(LocalLog(table))


def test_a_sidecar_that_is_gone_is_said(tmp_path: Path) -> None:
    table = tmp_path / "t"
    hand_made(table)
    v2_json(table / "_delta_log", rows_of(table))
    (table / "_delta_log" / "_sidecars" / SIDECAR).unlink()
    without_commits(table)
    with pytest.raises(LogGapError, match="sidecars"):
        replay(LocalLog(table))


@pytest.mark.parametrize("seed", range(4))
def test_replay_from_any_checkpoint_is_replay_from_the_start(tmp_path: Path, seed: int) -> None:
    table = tmp_path / "t"
    grow(table, seed + 50, 10)
    for old in (table / "_delta_log").glob("*checkpoint*"):
        old.unlink()
    log = LocalLog(table)
    latest = version_of(table)
    wanted = [set(replay(log, version).files) for version in range(latest + 1)]
    for base in range(latest + 1):
        DeltaTable(table, version=base).create_checkpoint()
        found = [set(replay(log, version).files) for version in range(base, latest + 1)]
        assert found == wanted[base:]


def test_a_damaged_checkpoint_is_passed_over_while_the_commits_are_there(tmp_path: Path) -> None:
    table = tmp_path / "t"
    for n in range(5):
        write_deltalake(table, pa.table({"id": [n]}), mode="append")
    wanted = replay(LocalLog(table)).files
    DeltaTable(table, version=1).create_checkpoint()
    DeltaTable(table, version=3).create_checkpoint()
    newest = table / "_delta_log" / f"{3:020d}.checkpoint.parquet"
    whole = newest.read_bytes()
    rng = random.Random(1)
    for damaged in (b"", b"PAR1", whole[:-9], rng.randbytes(500), b"\0" * len(whole)):
        newest.write_bytes(damaged)
        assert replay(LocalLog(table)).files == wanted
    (table / "_delta_log" / f"{2:020d}.json").unlink()
    with pytest.raises(LogGapError, match="checkpoint of version 3"):
        replay(LocalLog(table))


def test_without_room_to_read_it_a_checkpoint_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "t"
    files = hand_made(table)
    classic(table / "_delta_log", rows_of(table))
    without_commits(table)
    with monkeypatch.context() as full:
        full.setattr(tempfile, "tempdir", str(tmp_path / "not there"))
        with pytest.raises(SourceUnavailableError, match="no place"):
            replay(LocalLog(table))
    assert replay(LocalLog(table)).files == files
