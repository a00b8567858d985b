"""Following a table's log: every commit once and in order, whatever is done to the table."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake
from typing_extensions import override

from lineage.capture.delta.commits import commits_of, read_commit
from lineage.capture.delta.log import RUN_KEY
from lineage.capture.delta.position import CursorFile
from lineage.capture.delta.snapshot import replay, replay_each
from lineage.capture.delta.storage import LocalLog, local_path, table_ref
from lineage.capture.delta.tail import Captured, DeltaTail
from lineage.errors import LogGapError, SourceUnavailableError
from lineage.model.changes import ArtifactInvalidated, GapRecorded, TableCommitted
from lineage.model.envelope import Actor
from lineage.model.ids import artifact_id, delta_token, with_version
from lineage.record.recorder import Recorder
from lineage.store.contract import Direction, History, View
from tests.delta_tables import (
    OPERATIONS,
    SAMPLES,
    copied,
    disk_files,
    grow,
    id_of,
    sample,
    version_of,
)
from tests.stores import new_store

ACTOR = Actor("person:x")


def tail_of(table: Path) -> DeltaTail:
    table = local_path(table)
    return DeltaTail(LocalLog(table), table_ref(table))


def drain(tail: DeltaTail, limit: int = 500) -> list[Captured]:
    out: list[Captured] = []
    while found := tail.poll(limit):
        out += found
    return out


def commits(captured: list[Captured]) -> list[TableCommitted]:
    return [c.change for c in captured if isinstance(c.change, TableCommitted)]


def gaps(captured: list[Captured]) -> list[tuple[str, str, str]]:
    return [
        (c.change.from_position, c.change.to_position, c.change.reason)
        for c in captured if isinstance(c.change, GapRecorded)
    ]  # fmt: skip


def log_file(table: Path, version: int) -> Path:
    return table / "_delta_log" / f"{version:020d}.json"


def grown(table: Path, versions: int) -> Path:
    """A table with commits 0 to ``versions`` - 1, each one file."""
    for n in range(versions):
        write_deltalake(table, pa.table({"id": [n]}), mode="append")
    return table


# --- live files, for every version


@pytest.mark.parametrize("seed", range(12))
def test_live_files_of_every_version_are_those_of_the_table(tmp_path: Path, seed: int) -> None:
    """Three ways to the same set, for ALL versions: the tail, a replay, and deltalake itself."""
    table = tmp_path / "a table=é"
    grow(table, seed, 14)
    log = LocalLog(table)
    live: set[str] = set()
    checked = []
    for change in commits(drain(tail_of(table), limit=3)):
        live -= set(change.removed)
        live |= {file.path for file in change.added}
        expected = disk_files(table, change.version)
        assert live == expected, (change.version, change.operation)
        assert set(replay(log, change.version).files) == expected
        checked.append(change.version)
    assert checked == list(range(version_of(table) + 1))
    assert len(checked) >= 8
    in_one_pass = {v: set(state.files) for v, state in replay_each(log, checked)
                   if not isinstance(state, Exception)}  # fmt: skip
    assert in_one_pass == {version: disk_files(table, version) for version in checked}


def test_the_cases_cover_every_operation() -> None:
    """What the seeds above do: a suite that tests nothing would pass too."""
    done: set[str] = set()
    for seed in range(12):
        rng = random.Random(seed)
        done.update(rng.choice(["append", "append", *OPERATIONS]) for _ in range(14))
    assert len(done) >= len(OPERATIONS) - 1


def test_every_version_of_every_sample_table(tmp_path: Path) -> None:
    if not SAMPLES.is_dir():
        pytest.skip(f"no sample tables at {SAMPLES}")
    cases = 0
    for source in sorted(SAMPLES.iterdir()):
        table = copied(source, tmp_path / source.name)
        captured = drain(tail_of(table))
        versions = [change.version for change in commits(captured)]
        assert versions == list(range(versions[0], version_of(table) + 1))
        lost = [(0, versions[0] - 1)] if versions[0] else []
        assert [(int(a), int(b)) for a, b, _ in gaps(captured)] == lost
        for version in versions:
            files = replay(LocalLog(table), version).files
            assert set(files) == disk_files(table, version)
            # checkpoints_vacuumed comes without its data.
            there = {(table / file.path).exists() for file in files.values()}
            assert there <= {source.name != "checkpoints_vacuumed"}
            cases += 1
    assert cases >= 41


def test_deletion_vectors_are_seen_in_json_and_in_checkpoints(tmp_path: Path) -> None:
    table = sample("table-with-dv-small", tmp_path)
    DeltaTable(table).create_checkpoint()
    (told,) = replay(LocalLog(table), 1).files.values()
    log_file(table, 1).unlink()
    log_file(table, 0).unlink()
    (kept,) = replay(LocalLog(table), 1).files.values()
    assert kept == told
    assert told.vector is not None
    assert (table / told.vector.file).stat().st_size == told.vector.end


# --- what is walked


def contributing(changes: list[TableCommitted], number: int) -> set[int]:
    """Reference: commits whose files live at a version, what those rewrote, and so on.

    An overwrite rewrites nothing.
    """
    adders: dict[str, set[int]] = {}
    live: set[str] = set()
    rewrote: dict[int, set[int]] = {}
    for change in changes[: number + 1]:
        gone = [adders.get(path, set()) for path in change.removed]
        rewrote[change.version] = set().union(*gone) if change.carries else set()
        live -= set(change.removed)
        for file in change.added:
            live.add(file.path)
            adders.setdefault(file.path, set()).add(change.version)
    found = set().union(*(adders[path] for path in live)) | {number}
    todo = [n for n in found if n != number or number in set().union(*(adders[p] for p in live))]
    while todo:
        for earlier in rewrote[todo.pop()] - found:
            found.add(earlier)
            todo.append(earlier)
    return found


@pytest.mark.parametrize("seed", [1, 4, 7])
def test_a_version_is_walked_to_the_commits_its_files_come_from(tmp_path: Path, seed: int) -> None:
    """Also across a table that was replaced in place, which changes its id."""
    table = tmp_path / "t"
    grow(table, seed, 9)
    for name in ("replace", "append", "restore"):
        OPERATIONS[name](table, random.Random(seed))
    tail = tail_of(table)
    captured = drain(tail)
    changes = commits(captured)
    assert len({change.table_id for change in changes}) > 1
    ids = [
        with_version(artifact_id("file", str(table)), delta_token(c.version, c.table_id))
        for c in changes
    ]
    with new_store(tmp_path / "store") as store:
        Recorder(store, key=b"k").record_changes(
            [c.change for c in captured], source=tail.source, actor=ACTOR,
            event_ids=[c.event_id for c in captured],
        )  # fmt: skip
        view = View(store.head().seq)
        for number in range(len(changes)):
            walk = store.walk([ids[number]], Direction.UPSTREAM, view, history=History.CONTRIBUTING)
            reached = {ids.index(node) for node, _ in walk.nodes}
            assert reached == contributing(changes, number), changes[number].operation


def test_marking_rows_as_deleted_keeps_both_commits(tmp_path: Path) -> None:
    table = sample("table-with-dv-small", tmp_path)
    tail = tail_of(table)
    changes = commits(drain(tail))
    ids = [
        with_version(artifact_id("file", str(table)), delta_token(c.version, c.table_id))
        for c in changes
    ]
    with new_store(tmp_path / "store") as store:
        Recorder(store, key=b"k").record_changes(changes, source=tail.source, actor=ACTOR)
        walk = store.walk([ids[1]], Direction.UPSTREAM, View(store.head().seq))
    assert [node for node, _ in walk.nodes] == [ids[1], ids[0]]


def hand_made(table: Path, version: int, mode: str, added: list[str], removed: list[str]) -> None:
    """A commit as Spark 3 writes it: a dynamic partition overwrite does not say that it is one."""
    info = {"timestamp": 1_700_000_000_000 + version, "operation": "WRITE",
            "operationParameters": {"mode": mode, "partitionBy": '["p"]'}}  # fmt: skip
    actions: list[dict[str, object]] = [{"commitInfo": info}]
    actions += [{"add": {"path": path, "size": 1, "partitionValues": {}}} for path in added]
    actions += [{"remove": {"path": path, "dataChange": True}} for path in removed]
    if version == 0:
        actions.append({"metaData": {"id": "spark", "partitionColumns": ["p"]}})
    log_file(table, version).parent.mkdir(parents=True, exist_ok=True)
    log_file(table, version).write_text("".join(f"{json.dumps(action)}\n" for action in actions))


def test_a_dynamic_partition_overwrite_carries_the_other_partitions(tmp_path: Path) -> None:
    table = tmp_path / "t"
    hand_made(table, 0, "Overwrite", ["p=1/a", "p=2/b"], [])
    hand_made(table, 1, "Overwrite", ["p=1/c"], ["p=1/a"])
    hand_made(table, 2, "Append", ["p=3/d"], [])
    hand_made(table, 3, "Overwrite", ["p=2/e"], ["p=1/c", "p=2/b"])
    hand_made(table, 4, "Overwrite", ["p=1/f"], ["p=2/e", "p=3/d"])
    hand_made(table, 5, "Overwrite", ["p=1/g"], ["p=1/f"])
    carried = {0: False, 1: True, 2: True, 3: True, 4: False, 5: False}
    assert {c.version: c.carries for c in commits(drain(tail_of(table)))} == carried
    assert {c.version: c.carries for c in commits(drain(tail_of(table), limit=1))} == carried
    assert {c.version: c.carries for c in commits_of(table, range(6))} == carried
    assert {n: read_commit(table, n).carries for n in range(6)} == carried


# --- reading single commits


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


# --- gaps


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


# --- another table in its place


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
    tail = tail_of(table)
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


# --- with writers beside it


WRITER = """
import sys, pyarrow as pa
from deltalake import write_deltalake
for n in range(int(sys.argv[2])):
    write_deltalake(sys.argv[1], pa.table({"id": [n]}), mode="append")
"""


def test_commits_of_concurrent_writers_are_seen_exactly_once(tmp_path: Path) -> None:
    table = grown(tmp_path / "t", 1)
    tail = tail_of(table)
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(table), "25"]) for _ in range(2)]
    seen: list[int] = []
    deadline = time.monotonic() + 120
    while len(seen) < 51 and time.monotonic() < deadline:
        running = [writer for writer in writers if writer.poll() is None]
        captured = tail.poll(7)
        assert gaps(captured) == []
        seen += [change.version for change in commits(captured)]
        if not running and not captured:
            break
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert seen == list(range(51))


def test_polling_is_cheap_when_nothing_happens(tmp_path: Path) -> None:
    table = grown(tmp_path / "t", 20)
    listed: list[int] = []

    class Counted(LocalLog):
        @override
        def names(self) -> list[str] | None:
            listed.append(1)
            return list(super().names() or ())

    tail = DeltaTail(Counted(table), table_ref(table))
    drain(tail)
    before = len(listed)
    for _ in range(50):
        assert tail.poll() == []
    assert len(listed) <= before + 1


def poll_until(tail: DeltaTail, done: Callable[[list[Captured]], bool]) -> list[Captured]:
    out: list[Captured] = []
    deadline = time.monotonic() + 30
    while not done(out):
        assert time.monotonic() < deadline
        out += tail.poll()
    return out


def test_a_table_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    tail = tail_of(tmp_path / "t")
    assert tail.poll() == []
    assert tail.waiting
    grown(tmp_path / "t", 2)
    found = poll_until(tail, lambda out: len(out) >= 2)
    assert [change.version for change in commits(found)] == [0, 1]
