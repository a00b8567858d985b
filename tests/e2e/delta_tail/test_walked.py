"""Following the log of a table: what is walked."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from lineage.capture.delta.commits import commits_of, read_commit
from lineage.model.changes import TableCommitted
from lineage.model.ids import artifact_id, delta_token, with_version
from lineage.record.recorder import Recorder
from lineage.store.contract import Direction, History, View
from tests.delta_tables import (
    OPERATIONS,
    grow,
    log_file,
    sample,
)
from tests.e2e.delta_tail.tailing import ACTOR, commits, drain, tail_of
from tests.stores import new_store


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
