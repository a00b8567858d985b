"""A commit of a Delta log, parsed: what it says becomes a change, and nothing else does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lineage.capture.delta.actions import parse_actions
from lineage.capture.delta.log import (
    MAX_FILES,
    RUN_KEY,
    commit_change,
    event_id_of_commit,
    parse_commit,
    source_of,
)
from lineage.capture.delta.names import commit_name, read_listing
from lineage.capture.delta.storage import LocalLog, local_path, table_ref
from lineage.errors import TornCommitError, UnsupportedError
from lineage.model.changes import ArtifactRef, RunRef, TableCommitted, encode_change
from tests.delta_tables import SAMPLES

TABLE = ArtifactRef(namespace="file", name="/lake/tx")
MTIME = 1_700_000_000_000_000
METADATA = {"metaData": {"id": "t1", "schemaString": '{"type":"struct","fields":[]}',
                         "partitionColumns": ["p"], "configuration": {}}}  # fmt: skip


def add(path: str, size: int = 10, **more: Any) -> dict[str, Any]:
    return {"add": {"path": path, "size": size, "dataChange": True, **more}}


def remove(path: str) -> dict[str, Any]:
    return {"remove": {"path": path, "dataChange": True}}


def info(operation: str, parameters: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"commitInfo": {"timestamp": 1_600_000_000_123, "operation": operation,
                           "operationParameters": parameters or {}, **more}}  # fmt: skip


def raw(*actions: dict[str, Any]) -> bytes:
    return "\n".join(map(json.dumps, actions)).encode()


def parse(*actions: dict[str, Any], version: int = 3, **more: Any) -> TableCommitted:
    return parse_commit(TABLE, version, "t1", raw(*actions), modified_at=MTIME, **more)


# --- names


def test_only_commits_and_complete_checkpoints_count() -> None:
    names = [
        "00000000000000000000.json", "00000000000000000002.json", "00000000000000000003.json#1",
        "00000000000000000002.crc", ".00000000000000000002.json.crc", "_last_checkpoint",
        "00000000000000000001.00000000000000000004.compacted.json", "_sidecars", "_commits",
        "00000000000000000005.checkpoint.parquet",
        "00000000000000000006.checkpoint.0000000001.0000000002.parquet",
        "00000000000000000007.checkpoint.0000000001.0000000002.parquet",
        "00000000000000000007.checkpoint.0000000002.0000000002.parquet",
        "00000000000000000008.checkpoint.e5ac4dc4-be27-4106-8a55-609707487f83.json",
        "99999999999999999999.json", "1.json",
    ]  # fmt: skip
    listing = read_listing(names)
    assert listing.commits == (0, 2)
    assert [(c.version, len(c.files), c.v2) for c in listing.checkpoints] == [
        (5, 1, False), (7, 2, False), (8, 1, True),
    ]  # fmt: skip
    assert listing.latest == 8
    assert [c.version for c in listing.checkpoints_upto(7)] == [7, 5]


# --- paths


@pytest.mark.parametrize(
    ("in_log", "on_disk"),
    [
        ("p=a%2520b/f.parquet", "p=a%20b/f.parquet"),
        ("p=100%2525/f.parquet", "p=100%25/f.parquet"),
        ("x=A%252FA/f.parquet", "x=A%2FA/f.parquet"),
        ("plain/f+1.parquet", "plain/f+1.parquet"),
        ("file:///other/f%20g.parquet", "/other/f g.parquet"),
    ],
)
def test_paths_are_decoded_exactly_once(in_log: str, on_disk: str) -> None:
    change = parse(info("WRITE", {"mode": "Append"}), add(in_log), remove(in_log + "2"))
    assert [file.path for file in change.added] == [on_disk]
    assert change.removed == [on_disk + "2"]


def test_a_deletion_vector_rewrites_its_file_in_place() -> None:
    """The path is removed and added: it stays live, and both commits contribute."""
    vector = {"storageType": "u", "pathOrInlineDv": "vBn[lx{q8@P<9BNH/isA", "offset": 1,
              "sizeInBytes": 36, "cardinality": 2}  # fmt: skip
    change = parse(info("DELETE"), add("f", deletionVector=vector), remove("f"))
    assert change.removed == ["f"]
    assert [(file.path, file.deletion_vector) for file in change.added] == [
        ("f", "deletion_vector_61d16c75-6994-46b7-a15b-8b538852e50e.bin")
    ]


@pytest.mark.parametrize(
    ("storage", "where", "file"),
    [
        ("u", "ab/cvBn[lx{q8@P<9BNH/isA",
         "ab/c/deletion_vector_61d16c75-6994-46b7-a15b-8b538852e50e.bin"),
        ("p", "file:///lake/tx/dv%20x.bin", "/lake/tx/dv x.bin"),
        ("i", "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", ""),
    ],
)  # fmt: skip
def test_deletion_vectors_of_every_storage_type(storage: str, where: str, file: str) -> None:
    vector = {"storageType": storage, "pathOrInlineDv": where, "offset": 4, "sizeInBytes": 40}
    found = parse_actions(1, raw(add("f", deletionVector=vector))).added[0].vector
    assert found is not None
    assert found.file == file
    assert found.end == (52 if file else 0)


# --- what carries


CARRYING: list[tuple[str, dict[str, Any]]] = [
    ("WRITE", {"mode": "Append"}), ("WRITE", {"mode": "ErrorIfExists"}),
    ("WRITE", {"mode": "Overwrite", "predicate": "p = 'a'"}),
    ("WRITE", {"mode": "Overwrite", "predicate": '["(p = 1)"]'}),
    ("WRITE", {"mode": "Overwrite", "isDynamicPartitionOverwrite": "true"}),
    ("UPDATE", {}), ("DELETE", {}), ("DELETE", {"predicate": "[]"}), ("MERGE", {}),
    ("OPTIMIZE", {}), ("RESTORE", {"version": 1}),
    ("STREAMING UPDATE", {"outputMode": "Append"}),
    ("SET TBLPROPERTIES", {}), ("VACUUM START", {}), ("ADD COLUMN", {}), ("TRUNCATE", {}), ("", {}),
]  # fmt: skip
REPLACING: list[tuple[str, dict[str, Any]]] = [
    ("WRITE", {"mode": "Overwrite", "partitionBy": "[]"}),
    ("WRITE", {"mode": "Overwrite", "predicate": "[]"}),
    ("WRITE", {"mode": "Overwrite", "predicate": '["true"]'}),
    ("CREATE OR REPLACE TABLE", {}), ("REPLACE TABLE AS SELECT", {}),
    ("STREAMING UPDATE", {"outputMode": "Complete"}),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "parameters"), CARRYING)
def test_every_commit_carries_but(operation: str, parameters: dict[str, Any]) -> None:
    assert parse(info(operation, parameters), add("f")).carries


@pytest.mark.parametrize(("operation", "parameters"), REPLACING)
def test_an_unconditional_overwrite_carries_nothing(
    operation: str, parameters: dict[str, Any]
) -> None:
    assert not parse(info(operation, parameters), add("f")).carries


def test_an_overwrite_that_leaves_files_live_carries_them() -> None:
    """Dynamic partition overwrite of Spark before 4 looks like a whole one: files decide."""
    overwrite = info("WRITE", {"mode": "Overwrite", "partitionBy": '["p"]'})
    partly = parse(overwrite, remove("p=1/a"), add("p=1/b"), live={"p=1/a", "p=2/c"})
    wholly = parse(overwrite, remove("p=1/a"), add("p=1/b"), live={"p=1/a"})
    assert (partly.carries, wholly.carries) == (True, False)


def test_a_commit_without_info_carries() -> None:
    change = parse(add("f"))
    assert (change.operation, change.carries) == ("", True)


# --- ids, times, attribution


def test_the_table_id_is_the_one_in_force_from_the_commit_on() -> None:
    replaced = parse(info("CREATE OR REPLACE TABLE"), {**METADATA, "metaData": {"id": "t2"}})
    assert (replaced.table_id, replaced.previous_table_id, replaced.log) == ("t2", "t1", "")
    later = parse_commit(TABLE, 4, "t2", raw(add("f")), modified_at=MTIME, log="t1")
    assert (later.table_id, later.previous_table_id, later.log) == ("t2", "", "t1")
    first = parse_commit(TABLE, 0, "", raw(METADATA, add("f")), modified_at=MTIME)
    assert (first.table_id, first.previous_table_id, first.carries) == ("t1", "", False)


def test_a_commit_of_no_known_table_is_not_recorded() -> None:
    with pytest.raises(TornCommitError, match="which table"):
        parse_commit(TABLE, 0, "", raw(add("f")), modified_at=MTIME)


@pytest.mark.parametrize(
    ("said", "at", "told_by"),
    [
        ({"timestamp": 1_000, "inCommitTimestamp": 2_000}, 2_000_000, "inCommitTimestamp"),
        ({"timestamp": 1_000}, 1_000_000, "timestamp"),
        ({}, MTIME, "file-time"),
        ({"timestamp": "yesterday"}, MTIME, "file-time"),
        ({"timestamp": True}, MTIME, "file-time"),
        ({"timestamp": 10**18}, MTIME, "file-time"),
    ],
)
def test_the_time_of_a_commit_is_told_by_the_log_first(
    said: dict[str, Any], at: int, told_by: str
) -> None:
    change = parse({"commitInfo": {"operation": "WRITE", **said}}, add("f"))
    assert change.event_at == at
    assert change.parameters["commit"]["event_at_from"] == told_by


def test_a_writer_can_name_its_run() -> None:
    run = {"namespace": "n", "job": "j", "run_id": "r"}
    for said in (run, json.dumps(run)):
        assert parse(written_by(said), add("f")).run == RunRef(**run)


@pytest.mark.parametrize("said", ["r", 5, "{", {"job": "j"}, None, "[" * 9999])
def test_what_is_no_run_attributes_nothing(said: object) -> None:
    assert parse(written_by(said), add("f")).run is None


def written_by(said: object) -> dict[str, Any]:
    return {"commitInfo": {"operation": "WRITE", RUN_KEY: said}}


def test_event_ids_are_positions_of_the_log() -> None:
    assert event_id_of_commit("t1", 12) == "t1.00000000000000000012"
    assert source_of(TABLE) == "delta:file,/lake/tx"


# --- metrics and parameters


def test_numbers_in_strings_become_numbers() -> None:
    change = parse(
        info("MERGE", {"predicate": '["(a = b)"]', "version": "5", "flag": "true", "gone": None},
             operationMetrics={"numOutputRows": "12", "num_retries": 0}, readVersion=2,
             txnId="0001", userMetadata="007"),
        add("f"),
    )  # fmt: skip
    assert change.metrics == {"numOutputRows": 12, "num_retries": 0}
    assert change.parameters["predicate"] == ["(a = b)"]
    assert (change.parameters["version"], change.parameters["flag"]) == (5, True)
    commit = change.parameters["commit"]
    assert (commit["read_version"], commit["txn_id"], commit["user_metadata"]) == (2, "0001", "007")


def test_secrets_do_not_leave_the_log() -> None:
    secrets = ["hunter2", "s3cr3t", "AKIAABCDEFGHIJKLMNOP", "p4ss", "deadbeef", "f" * 34, "b64b64"]
    change = parse(
        info(
            "SET TBLPROPERTIES",
            {"properties": json.dumps({"fs.azure.account.key.x": "hunter2", "a.password": "p4ss"}),
             "location": "https://u:s3cr3t@host/x?sig=deadbeef&a=1"},
            userMetadata="key AKIAABCDEFGHIJKLMNOP password=p4ss",
            engineInfo=f"an engine of hf_{'f' * 34} Bearer b64b64b64b64",
        ),
        {"metaData": {"id": "t1", "configuration": {"aws.secret": "hunter2"}}},
    )  # fmt: skip
    body = encode_change(change).decode()
    assert not [secret for secret in secrets if secret in body]
    assert "host/x" in body


def test_a_commit_of_very_many_files_is_recorded_without_them() -> None:
    change = parse(info("WRITE"), *(add(f"f{n}") for n in range(MAX_FILES + 1)))
    assert (change.files_known, change.added, change.removed) == (False, [], [])
    assert parse(info("WRITE"), *(add(f"f{n}") for n in range(MAX_FILES))).files_known


def test_what_is_too_large_for_an_entry_is_left_out() -> None:
    long = parse(info("WRITE"), *(add(f"{n}{'x' * 3000}") for n in range(1000)))
    assert not long.files_known
    wide = parse(info("WRITE"), {"metaData": {"id": "t1", "schemaString": "x" * 3_000_000}})
    assert wide.table_schema == ""
    assert wide.parameters["commit"]["schema_characters"] == 3_000_000
    wordy = parse(info("MERGE", {f"p{n}": "y" * 5000 for n in range(100)}, txnId="t"))
    assert wordy.parameters["commit"]["txn_id"] == "t"
    assert all(len(encode_change(change)) < 100_000 for change in (long, wide, wordy))


def test_what_cannot_be_encoded_is_replaced_or_cut() -> None:
    change = parse(
        info("WRITE", {"predicate": "x" * 100_000, "deep": "[" * 50 + "]" * 50,
                       "huge": "1" * 5000, "nan": '{"a": NaN}'}),
        add("caf%E9"),
    )  # fmt: skip
    assert len(encode_change(change)) < 30_000
    assert change.added[0].path == "caf\ufffd"


# --- torn


GOOD = raw(info("WRITE"), METADATA, add("f"))
TORN = {
    "empty": b"", "blank": b"\n \n", "nuls": b"\0" * 512, "padded": GOOD + b"\0" * 100,
    "cut": GOOD[:-5], "half a line": GOOD[: len(GOOD) // 2], "a list": b"[]", "a number": b"7",
    "no action": b"{}", "not text": GOOD.replace(b"f", b"\xff"), "no path": b'{"add":{"size":1}}',
    "not JSON": b"<html>", "NaN": b'{"add":{"path":"f","size":NaN}}',
}  # fmt: skip


@pytest.mark.parametrize("fault", TORN)
def test_a_torn_commit_is_never_an_empty_one(fault: str) -> None:
    with pytest.raises(TornCommitError):
        parse_actions(4, TORN[fault])


def test_every_cut_of_a_commit_is_torn_or_shorter_than_said() -> None:
    counted = info("WRITE", engineInfo="delta-rs:py-1.6.6", operationMetrics={"num_added_files": 2})
    whole = raw(counted, METADATA, add("f"), add("g"))
    silent = []
    for length in range(len(whole)):
        try:
            commit = parse_actions(0, whole[:length])
        except TornCommitError:
            continue
        if not commit.shorter_than_said:
            silent.append(length)
    assert silent == []
    assert not parse_actions(0, whole).shorter_than_said


# --- real tables


def test_every_commit_of_every_sample_table_is_understood() -> None:
    if not SAMPLES.is_dir():
        pytest.skip(f"no sample tables at {SAMPLES}")
    seen = 0
    for table in sorted(SAMPLES.iterdir()):
        log = LocalLog(table)
        for version in read_listing(log.names() or []).commits:
            content = log.read(commit_name(version)) or b""
            commit = parse_actions(version, content)
            change = commit_change(table_ref(table), commit, table_id="x", modified_at=MTIME)
            assert change.operation
            assert change.parameters["commit"]["event_at_from"] != "file-time"
            assert encode_change(change)
            seen += 1
    assert seen >= 39


def test_only_mounted_tables_are_opened(tmp_path: Path) -> None:
    assert local_path(f"file://{tmp_path}/a%20b") == tmp_path / "a b"
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert table_ref(local_path(tmp_path / "link")).name == str(tmp_path / "real")
    with pytest.raises(UnsupportedError):
        local_path("s3://lake/tx")
    with pytest.raises(UnsupportedError, match="cannot be recorded"):
        table_ref(Path("/lake/\udcff"))
