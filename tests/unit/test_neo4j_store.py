"""What only the Neo4j store has: plans, writers side by side, commits nobody heard the end of."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lineage.model.claims import Claims
from lineage.model.ids import artifact_id, run_id, with_version
from lineage.record.interpret import interpret as interpret_real
from lineage.store.contract import Direction, History, NewEntry, Receipt, View
from lineage.store.memory import MemoryStore
from lineage.store.neo4j import Neo4jStore, schema, statements
from lineage.store.neo4j.connection import Database
from lineage.store.neo4j.walk import closure_query
from lineage.testing.builders import (
    alias,
    attribute,
    commit,
    generated,
    redaction,
    retraction,
    used,
)
from lineage.testing.plain import again, entry_of, interpret
from tests.bolt_proxy import COMMIT, BoltProxy
from tests.neo4j_server import Neo4jAt


@pytest.fixture
def database(neo4j_at: Neo4jAt) -> Iterator[Database]:
    with Database.open(neo4j_at.url, neo4j_at.password) as database:
        schema.migrate(database)
        yield database


def _diamond(depth: int, width: int = 3) -> list[Any]:
    """Every run of a level reads all outputs of the level below: ``width ** depth`` paths."""
    entries = []
    for level in range(depth):
        for i in range(width):
            run = run_id("jobs", "level", f"{level}-{i}")
            entries += [entry_of(used(_version(level, k), run, level * 10)) for k in range(width)]
            entries.append(entry_of(generated(run, _version(level + 1, i), level * 10 + 1)))
    return entries


def _version(level: int, i: int) -> str:
    return with_version(artifact_id("n", f"{level}-{i}"), "1.a")


def _many(count: int) -> list[NewEntry]:
    runs = (run_id("jobs", "many", str(n)) for n in range(count))
    return [entry_of(used(_version(0, n % 7), run, n)) for n, run in enumerate(runs)]


# --- plans


def _operators(plan: dict[str, Any]) -> Iterator[str]:
    yield plan["operatorType"]
    for child in plan.get("children", ()):
        yield from _operators(child)


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("history", History)
def test_a_closure_prunes_and_starts_from_an_index(
    database: Database, direction: Direction, history: History
) -> None:
    """Without the pruning operator a walk costs its paths, not its nodes."""
    query = closure_query(direction, history)
    with database.session() as session:
        asked = {"ids": ["a"], "P": 1, "T": 1, "open": 1}
        plan = session.run("EXPLAIN " + query, asked).consume().plan
    assert plan is not None
    operators = {operator.partition("@")[0] for operator in _operators(plan)}
    assert any("Pruning,BFS" in operator for operator in operators), operators
    assert "NodeUniqueIndexSeek" in operators
    assert not {"AllNodesScan", "NodeByLabelScan"} & operators


def test_no_statement_of_a_writer_scans(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it has to look up of what is there."""
    sent: dict[str, Any] = {}
    rows, write = statements.Statements.rows, statements.Statements.write

    def asked(self: statements.Statements, query: str, **parameters: Any) -> list[list[Any]]:
        sent[query] = parameters
        return rows(self, query, **parameters)

    def written(self: statements.Statements, query: str, **parameters: Any) -> None:
        sent[query] = parameters
        write(self, query, **parameters)

    monkeypatch.setattr(statements.Statements, "rows", asked)
    monkeypatch.setattr(statements.Statements, "write", written)
    data, run = artifact_id("n", "data"), run_id("jobs", "j", "1")
    made = entry_of(generated(run, with_version(data, "1.a"), 1))
    said = [
        generated(run, with_version(data, "2.b"), 2), used(data, run_id("jobs", "j", "2"), 3),
        alias(data, artifact_id("n", "other"), 4), attribute(data, "rows", "1", 5),
        commit(data, 0, 6, added=["f"]), redaction(made, Claims(mentions=made.claims.nodes())),
        retraction(entry_of(used(data, run, 9))),
    ]  # fmt: skip
    for entry in (made, *map(entry_of, said)):
        Neo4jStore(database, interpret).append([entry])  # which remembers nothing
    assert len(sent) > 15
    with database.session() as session:
        for query, parameters in sent.items():
            plan = session.run("EXPLAIN " + query, parameters).consume().plan
            operators = {operator.partition("@")[0] for operator in _operators(plan or {})}
            assert not {"AllNodesScan", "NodeByLabelScan"} & operators, query


def test_a_walk_costs_its_nodes_and_not_its_paths(database: Database) -> None:
    store = Neo4jStore(database, interpret)
    entries = _diamond(30)
    store.append(entries)
    found = store.walk([_version(30, 0)], Direction.UPSTREAM, View(len(entries)))
    # 3 ** 30 paths: with any of them walked one by one this would not come back.
    # The version, the run that made it, three of each on 29 levels, three sources.
    assert len(found.nodes) == 1 + 1 + 29 * 6 + 3


# --- commits of unknown outcome


def test_a_commit_whose_answer_was_lost_is_repeated_to_no_effect(
    neo4j_at: Neo4jAt, database: Database
) -> None:
    parts = urlsplit(neo4j_at.url)
    proxy = BoltProxy(parts.port or 7687)
    address = f"bolt://{neo4j_at.user}@127.0.0.1:{proxy.port}/{neo4j_at.database}"
    store = Neo4jStore(Database.open(address, neo4j_at.password), interpret)
    try:
        first, second = _diamond(1)[:2]
        assert store.append([first]) == [Receipt(1, new=True)]
        proxy.cut_at = COMMIT
        # It was recorded by the commit that was not heard of: it is new, once.
        assert store.append([second]) == [Receipt(2, new=True)]
        assert proxy.cuts == 1
        assert store.head().seq == 2
        assert store.append([first, second]) == [Receipt(1, new=False), Receipt(2, new=False)]
    finally:
        store.close()
        proxy.close()


# --- writers side by side

WRITER = """
import sys
from lineage.store.neo4j import Neo4jStore
from lineage.store.neo4j.connection import Database
from lineage.testing.builders import (
    alias,
    attribute,
    commit,
    generated,
    redaction,
    retraction,
    used,
)
from lineage.testing.plain import entry_of, interpret
from lineage.model.ids import artifact_id, run_id, with_version
name, count, url = sys.argv[1], int(sys.argv[2]), sys.argv[3]
store = Neo4jStore(Database.open(url, sys.stdin.readline().strip()), interpret)
print("up", flush=True)
sys.stdin.readline()
entries = []
for i in range(count // 2):
    run = run_id("jobs", name, str(i))
    made = with_version(artifact_id("n", f"shared{i % 5}"), f"{i}.{name}")
    entries.append(entry_of(used(artifact_id("n", f"shared{(i + 1) % 5}"), run, i)))
    entries.append(entry_of(generated(run, made, i)))
for start in range(0, len(entries), 250):
    receipts = store.append(entries[start : start + 250])
    print(*(receipt.seq for receipt in receipts), flush=True)
"""


def _writers(at: Neo4jAt, names: list[str], count: int) -> list[list[int]]:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, name, str(count), at.url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for name in names
    ]  # fmt: skip
    for process in processes:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{at.password}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "up\n"
    told: list[list[int]] = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        out, _ = process.communicate(timeout=240)
        assert process.returncode == 0
        told.append([int(word) for word in out.split()])
    return told


def test_writers_in_two_processes_leave_no_gap_and_no_double(
    neo4j_at: Neo4jAt, database: Database
) -> None:
    count = 10_000
    told = _writers(neo4j_at, ["a", "b"], count)
    assert sorted(seq for seqs in told for seq in seqs) == list(range(1, 2 * count + 1))
    assert all(seqs == sorted(seqs) for seqs in told)
    store = Neo4jStore(database, interpret)
    # What each derived from what the other wrote is what one alone would have derived.
    alone = MemoryStore(interpret)
    alone.append([again(entry) for entry in store.entries(limit=600)])
    view = View(600)
    for artifact in (artifact_id("n", f"shared{i}") for i in range(5)):
        assert store.versions(artifact, view) == alone.versions(artifact, view)
        for direction in Direction:
            asked: Any = ([artifact], direction, view)
            assert store.edges(*asked) == alone.edges(*asked)
            assert store.walk(*asked, depth=2) == alone.walk(*asked, depth=2)


def test_threads_share_a_store(database: Database) -> None:
    store = Neo4jStore(database, interpret)
    entries = _diamond(6)
    random.Random(1).shuffle(entries)
    parts = [entries[i::4] for i in range(4)]
    faults: list[BaseException] = []

    def write(part: list[Any]) -> None:
        try:
            for entry in part:
                store.append([entry])
                store.walk([_version(6, 0)], Direction.UPSTREAM, View(store.head().seq))
        except BaseException as fault:  # noqa: BLE001  # told to the main thread
            faults.append(fault)

    threads = [threading.Thread(target=write, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert [entry.seq for entry in store.entries()] == list(range(1, len(entries) + 1))


# --- who looks into the database


def test_the_graph_reads_as_a_graph(database: Database) -> None:
    """A team's own Cypher: who made the model from what."""
    store = Neo4jStore(database, interpret)
    store.append(_diamond(2))
    with database.session() as session:
        rows = session.run(
            "MATCH (a:Artifact)<-[:VERSION_OF]-(v:Version)-[:USED]->(r:Run)-[:GENERATED]->(m) "
            "WHERE m.id = $id RETURN DISTINCT a.id ORDER BY a.id",
            id=_version(1, 0),
        ).value()
    assert rows == [artifact_id("n", f"0-{i}") for i in range(3)]


def test_a_real_history_equals_the_definition(database: Database, tmp_path: Path) -> None:
    """Events with symlinks, surrogates, renames: as the interpreter reads them."""
    from tests.property.test_openlineage_property import NAMES, fill, sample

    store, memory = Neo4jStore(database, interpret_real), MemoryStore(interpret_real)
    for seed in range(12):
        history = sample(random.Random(seed))
        for target in (store, memory):
            fill(target, history, tmp_path, random.Random(seed))
        assert store.digest(recorded=False) == memory.digest(recorded=False)
    view = View(memory.head().seq)
    for text in (*NAMES, "db", "raw"):
        assert store.search(text, view) == memory.search(text, view)
    for node in memory.page(view, versions=True, limit=60):
        for direction in Direction:
            assert store.walk([node], direction, view) == memory.walk([node], direction, view)


# --- interrupted


@pytest.mark.parametrize("waits", [1, 2])
def test_an_interrupt_while_writes_are_under_way_leaves_nothing_of_them(
    database: Database, monkeypatch: pytest.MonkeyPatch, waits: int
) -> None:
    """A statement that came behind its transaction's end would be committed by itself."""
    store = Neo4jStore(database, interpret)
    entries = _many(1000)
    left = [waits]

    def interrupted(sent: Sequence[Any]) -> Any:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return wait(sent)

    monkeypatch.setattr(statements, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.append(entries)
    monkeypatch.undo()
    assert store.counts() == {"entries": 0, "nodes": 0, "edges": 0, "states": 0}
    assert list(store.entries()) == []
    assert [receipt.seq for receipt in store.append(entries)] == list(range(1, 1001))
    assert [entry.seq for entry in store.entries()] == list(range(1, 1001))


def test_a_process_that_is_interrupted_leaves_whole_batches(neo4j_at: Neo4jAt) -> None:
    """SIGINT at any moment: it ends soon, and the next one goes on from a sound ledger."""
    program = """
import sys
from tests.unit.test_neo4j_store import Database, Neo4jStore, _many, interpret
store = Neo4jStore(Database.open(sys.argv[1], sys.stdin.readline().strip()), interpret)
print("up", flush=True)
entries = _many(20_000)
for start in range(0, 20_000, 1000):
    store.append(entries[start : start + 1000])
"""
    with Database.open(neo4j_at.url, neo4j_at.password) as database:
        schema.migrate(database)
        store = Neo4jStore(database, interpret)
        for after in (0.3, 0.9, 1.4):
            process = subprocess.Popen(
                [sys.executable, "-c", program, neo4j_at.url],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{neo4j_at.password}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "up\n"
            time.sleep(after)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=120)
            head, seqs = -1, list[int]()
            while head != store.head().seq:  # the server may still commit what it was sent
                head = store.head().seq
                seqs = [entry.seq for entry in store.entries()]
            assert seqs == list(range(1, head + 1))
            assert len(seqs) % 1000 == 0
