"""Which version of a Delta table a job read or wrote: exact from inside, inferred from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lineage.capture.delta.log import event_id_of_commit
from lineage.capture.delta.storage import LocalLog, table_ref
from lineage.capture.delta.tail import DeltaTail
from lineage.capture.spool import Spool
from lineage.model.changes import encode_change, parse_change
from lineage.model.ids import delta_token

needs_compiler = pytest.mark.needs("compiler")
READ = "from deltalake import DeltaTable\n"


@pytest.fixture
def table(box: Any) -> Path:
    """Eight versions: four appends, a delete, an append, an overwrite, an append."""
    place: Path = box.project / "tx"
    for n in range(4):
        write_deltalake(place, pa.table({"id": list(range(100 * n, 100 * n + 100))}), mode="append")
    DeltaTable(place).delete("id < 50")
    write_deltalake(place, pa.table({"id": list(range(400, 500))}), mode="append")
    write_deltalake(place, pa.table({"id": list(range(500, 600))}), mode="overwrite")
    write_deltalake(place, pa.table({"id": list(range(600, 700))}), mode="append")
    return place


def token(place: Path, version: int) -> str:
    return delta_token(version, str(DeltaTable(place).metadata().id))


def versions(ran: Any) -> list[tuple[str, str]]:
    return sorted(
        (use.get("version", ""), use.get("method", "observed"))
        for use in ran.finished["uses"]
        if use["artifact_kind"] == "table"
    )


QUERY = """
from deltalake import DeltaTable, QueryBuilder
q = QueryBuilder().register('t', DeltaTable('tx', version=1))
q.execute('select * from t').read_all()
"""
EXACT = {
    "to_pandas of a version": (READ + "DeltaTable('tx', version=3).to_pandas()", [3]),
    "latest": (READ + "DeltaTable('tx').to_pyarrow_table()", [7]),
    "scan": (READ + "DeltaTable('tx', version=5).scan().read_all()", [5]),
    "query": (QUERY, [1]),
    "two versions at once": (
        READ + "a = DeltaTable('tx', version=1); b = DeltaTable('tx', version=6)\n"
        "a.to_pyarrow_table(); b.to_pyarrow_table()",
        [1, 6],
    ),
    "a filter that skips files": (
        READ + "DeltaTable('tx', version=5).to_pyarrow_table(filters=[('id', '>', 450)])",
        [5],
    ),
    "newest looked at, older read": (
        READ + "d = DeltaTable('tx'); d.history(); d.load_as_version(3); d.to_pyarrow_table()",
        [3],
    ),
    "only looked at": (READ + "DeltaTable('tx').version()", []),
}


@needs_compiler
@pytest.mark.parametrize("case", EXACT)
def test_reads_are_exact(box: Any, table: Path, case: str) -> None:
    code, expected = EXACT[case]
    ran = box.python(code)
    # delta-rs may abort when an interpreter ends after reading through pyarrow (arrow#50482)
    assert ran.code in {0, -6}, ran.err
    assert versions(ran) == sorted((token(table, n), "observed") for n in expected)
    assert ran.uses("file") == {}, "files of a table are not inputs of their own"
    assert ran.gaps == {}


def test_reads_are_exact_without_the_library(box: Any, table: Path) -> None:
    ran = box.python(EXACT["two versions at once"][0], options=("--no-deliver", "--no-preload"))
    assert versions(ran) == sorted((token(table, n), "observed") for n in (1, 6))


INFERRED = {
    "a version": (READ + "DeltaTable('tx', version=3).to_pyarrow_table()", [3]),
    "latest": (READ + "DeltaTable('tx').to_pyarrow_table()", [7]),
    "a filter that skips files": (
        READ + "DeltaTable('tx', version=5).to_pyarrow_table(filters=[('id', '>', 450)])",
        [5],
    ),
    "newest looked at, older read": (
        READ + "d = DeltaTable('tx'); d.load_as_version(3); d.to_pyarrow_table()",
        [3],
    ),
    "one after the other": (
        READ + "DeltaTable('tx', version=1).to_pyarrow_table()\n"
        "DeltaTable('tx', version=6).to_pyarrow_table()",
        [1, 6],
    ),
}


@needs_compiler
@pytest.mark.parametrize("case", INFERRED)
def test_versions_are_inferred_where_the_hook_is_not(box: Any, table: Path, case: str) -> None:
    code, expected = INFERRED[case]
    box.write("job.py", code)
    ran = box.run("python", "-I", "job.py", environ=_path())
    assert ran.code in {0, -6}, ran.err
    assert versions(ran) == sorted((token(table, n), "inferred") for n in expected)
    assert ran.finished["capture"]["pythons_without_hook"] == 1


@needs_compiler
def test_what_cannot_be_inferred_is_candidates_and_a_gap(box: Any, table: Path) -> None:
    (oldest,) = (uri for uri in DeltaTable(table, version=0).file_uris())
    name = oldest.rpartition("/")[2]
    box.write("job.py", f"import pandas as pd\npd.read_parquet('tx/{name}')\n")
    ran = box.run("python", "job.py", environ=_path())
    (use,) = (use for use in ran.finished["uses"] if use["artifact_kind"] == "table")
    assert use["files"] == [name]
    if use.get("version"):
        assert use["version"] == token(table, 0), "its files are exactly those of version 0"
    else:
        assert use["candidates"] == [token(table, n) for n in range(4)]
        assert "table-version-unknown" in ran.gaps


@needs_compiler
def test_commits_are_outputs_and_changes_of_their_own(box: Any) -> None:
    ran = box.python(
        "import pyarrow as pa\n"
        "from deltalake import DeltaTable, write_deltalake\n"
        "write_deltalake('new', pa.table({'a': [1, 2]}))\n"
        "write_deltalake('new', pa.table({'a': [3]}), mode='append')\n"
        "d = DeltaTable('new'); d.delete('a = 1')\n"
        "write_deltalake(d, pa.table({'a': [9]}), mode='overwrite')\n"
    )
    place = box.project / "new"
    made = [out for out in ran.finished["outputs"] if out["artifact_kind"] == "table"]
    assert [out["version"] for out in made] == [token(place, n) for n in range(4)]
    assert [out["operation"] for out in made] == ["ADDED", "MODIFIED", "MODIFIED", "MODIFIED"]
    assert {out["name"] for out in made} == {str(place)}
    assert versions(ran) == [], "what it rewrote was its own"
    assert [commit["version"] for commit in ran.commits] == [0, 1, 2, 3]
    assert [commit["carries"] for commit in ran.commits] == [False, True, True, False]
    assert {commit["run"]["run_id"] for commit in ran.commits} == {ran.started["run"]["run_id"]}
    assert len(ran.outputs("TMP")) == 0, "files of a table are not outputs of their own"


@needs_compiler
def test_a_commit_is_told_as_a_tailer_tells_it(box: Any) -> None:
    box.write(
        "job.py",
        "import pyarrow as pa\nfrom deltalake import write_deltalake\n"
        "for mode in ('append', 'append', 'overwrite', 'append'):\n"
        "    write_deltalake('new', pa.table({'a': [1, 2]}), mode=mode)\n",
    )
    spool = Spool(box.home / "spool")
    environ = {**box.environ, **_path()}
    subprocess.run(box.command("python", "job.py"), cwd=box.project, env=environ, check=True)
    items = [
        item for name in spool.pending() for item in spool.take(name) or []
        if item.kind == "table.committed"
    ]  # fmt: skip
    place = box.project / "new"
    tail = DeltaTail(LocalLog(place), table_ref(place))
    told = tail.poll()
    assert [item.event_id for item in items] == [captured.event_id for captured in told]
    assert {item.source for item in items} == {tail.source}
    for item, captured in zip(items, told, strict=True):
        change = parse_change(json.loads(item.body)).model_copy(update={"run": None})
        assert encode_change(change) == encode_change(captured.change)
    assert items[0].event_id == event_id_of_commit(str(DeltaTable(place).metadata().id), 0)


@needs_compiler
def test_a_merge_names_the_version_it_rewrote(box: Any, table: Path) -> None:
    ran = box.python(
        "import pyarrow as pa\n"
        "from deltalake import DeltaTable\n"
        "d = DeltaTable('tx')\n"
        "m = d.merge(pa.table({'id': [600]}), 's.id = t.id', source_alias='s', target_alias='t')\n"
        "m.when_matched_delete().execute()\n"
    )
    (use,) = (use for use in ran.finished["uses"] if use["artifact_kind"] == "table")
    assert (use["version"], use["role"]) == (token(table, 7), "rewrite")
    (out,) = (out for out in ran.finished["outputs"] if out["artifact_kind"] == "table")
    assert out["version"] == token(table, 8)


@needs_compiler
def test_reading_what_the_run_itself_wrote_is_no_input(box: Any) -> None:
    ran = box.python(
        "import pyarrow as pa\n"
        "from deltalake import DeltaTable, write_deltalake\n"
        "write_deltalake('new', pa.table({'a': [1]}))\n"
        "DeltaTable('new').to_pyarrow_table()\n"
    )
    assert versions(ran) == []


def test_commits_are_known_without_the_library(box: Any) -> None:
    ran = box.python(
        "import pyarrow as pa\n"
        "from deltalake import write_deltalake\n"
        "for n in range(2): write_deltalake('new', pa.table({'a': [n]}), mode='append')\n",
        options=("--no-deliver", "--no-preload"),
    )
    place = box.project / "new"
    made = [out for out in ran.finished["outputs"] if out["artifact_kind"] == "table"]
    assert [out["version"] for out in made] == [token(place, n) for n in range(2)]
    assert [commit["version"] for commit in ran.commits] == [0, 1]


@needs_compiler
def test_a_table_that_is_deleted_is_an_artifact_that_ends(box: Any, table: Path) -> None:
    ran = box.run("rm", "-r", "tx")
    (out,) = ran.finished["outputs"]
    assert (out["name"], out["operation"]) == (str(table), "REMOVED")


def _path() -> dict[str, str]:
    return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
