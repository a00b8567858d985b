"""Which version of a table was read, told from the files that were opened: case by case."""

from __future__ import annotations

import pytest

from lineage.capture.run.eventlog import MADE, Record
from lineage.capture.run.footprint import Places
from lineage.capture.run.tables import Burst, Tables, infer

LIVE = {
    0: frozenset({"a"}),
    1: frozenset({"a", "b"}),
    2: frozenset({"a", "b", "c"}),
    3: frozenset({"c", "d"}),
    4: frozenset({"c", "d", "e"}),
}


def burst(files: str, highest: int | None, pid: int = 1, at: int = 1) -> Burst:
    return Burst(pid, at, highest, set(files.split()))


@pytest.mark.parametrize(
    ("bursts", "version", "candidates"),
    [
        ([burst("a b c", 2)], 2, ()),
        ([burst("c", 4)], 4, ()),  # a filter that skipped files
        ([burst("a b c", 4)], 2, ()),  # newest looked at, older read
        ([burst("a", 4)], 0, ()),
        ([burst("b", 4)], None, (1, 2)),
        ([burst("a d", 4)], None, ()),  # two versions at once
        ([burst("c", None)], None, (2, 3, 4)),  # past the log
        ([burst("a b", None)], 1, ()),  # past the log, and exactly a version
        ([burst("", 4), burst("c d", None, pid=2, at=2)], 4, ()),  # a worker of who looked
    ],
)
def test_the_rule(bursts: list[Burst], version: int | None, candidates: tuple[int, ...]) -> None:
    (found,) = infer(bursts, LIVE)
    assert (found.version, found.candidates) == (version, candidates)


def test_what_an_exact_report_explains_is_not_inferred_again() -> None:
    assert infer([burst("a b", 4)], LIVE, explained=[2]) == []
    (further,) = infer([burst("d", 4)], LIVE, explained=[2])
    assert further.version == 4


def test_looking_at_the_log_alone_reads_nothing() -> None:
    assert infer([burst("", 4)], LIVE) == []


def opened(path: str, pid: int = 1, a: int = 0) -> Record:
    return Record("O", pid, 1, a, path=path.encode())


def test_bursts_end_where_the_log_is_read_again_and_are_per_process() -> None:
    tables = Tables(Places(lambda path: path), lambda path: path == "/t/_delta_log")
    rest = tables.add([
        opened("/t/_delta_log/00000000000000000001.json"),
        opened("/t/a.parquet"),
        opened("/t/_delta_log/00000000000000000004.json", pid=2),
        opened("/t/b.parquet"),
        opened("/t/_delta_log/00000000000000000003.json"),
        opened("/t/_delta_log/_last_checkpoint"),
        opened("/t/p=1/c.parquet"),
        opened("/elsewhere/x.csv"),
    ])  # fmt: skip
    assert [record.path for record in rest] == [b"/elsewhere/x.csv"]
    said = [(b.pid, b.highest, sorted(b.files)) for b in tables.traces["/t"].bursts]
    assert said == [(1, 1, ["a.parquet", "b.parquet"]), (2, 4, []), (1, 3, ["p=1/c.parquet"])]


def test_commits_are_names_that_appear_in_the_log() -> None:
    tables = Tables(Places(lambda path: path), lambda path: path == "/t/_delta_log")
    log = "/t/_delta_log/00000000000000000005"
    tables.add([
        opened("/t/new.parquet#1", a=1 | MADE),
        Record("N", 1, 2, path=b"/t/new.parquet#1", other=b"/t/new.parquet"),
        opened(f"{log}.json#1", a=1 | MADE),
        Record("L", 1, 3, path=f"{log}.json#1".encode(), other=f"{log}.json".encode()),
        Record("U", 1, 4, path=f"{log}.json#1".encode()),
        opened("/t/new.parquet"),
    ])  # fmt: skip
    trace = tables.traces["/t"]
    assert trace.commits == {5: 3}
    assert trace.data_files == set(), "its own files are not read"


def test_a_table_of_another_scheme_is_known_by_its_reports() -> None:
    tables = Tables(Places(lambda path: path), lambda path: False)
    report = b"read\0to_pandas\0s3://lake/features/tx\0id-1"
    tables.add([Record("D", 1, 7, 12, path=report)])
    (found,) = tables.traces["s3://lake/features/tx"].reports
    assert (found.op, found.version, found.table_id) == ("read", 12, "id-1")
