"""Following the log of a table: reading single commits."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from lineage.capture.delta.commits import commits_of, read_commit
from lineage.capture.delta.log import RUN_KEY
from lineage.errors import LogGapError, SourceUnavailableError
from tests.delta_tables import (
    grow,
    version_of,
)
from tests.e2e.delta_tail.tailing import (
    commits,
    drain,
    tail_of,
)


def test_single_commits_are_told_as_the_tail_tells_them(tmp_path: Path) -> None:
    table = tmp_path / "t"
    grow(table, 5, 12)
    told = commits(drain(tail_of(table)))
    assert commits_of(table, range(version_of(table) + 1)) == told
    assert [read_commit(table, change.version) for change in told] == told
    with pytest.raises(LogGapError):
        read_commit(table, len(told))
    with pytest.raises(SourceUnavailableError):
        read_commit(tmp_path / "none", 0)


def test_a_run_named_by_the_writer_is_attributed(tmp_path: Path) -> None:
    table = tmp_path / "t"
    run = {"namespace": "n", "job": "j", "run_id": "r"}
    write_deltalake(
        table, pa.table({"id": [1]}),
        commit_properties=CommitProperties(custom_metadata={RUN_KEY: json.dumps(run)}),
    )  # fmt: skip
    (change,) = commits(drain(tail_of(table)))
    assert change.run is not None
    assert change.run.run_id == "r"
