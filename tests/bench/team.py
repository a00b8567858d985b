"""SQLite and Neo4j side by side: appends by one and four writers, lineage on a large graph.

``BENCH_RUNS`` is how many runs the graph holds before anything is measured (default 20,000; 490,000
are 1M nodes and 3.8M edges), each with the version that it made. Needs Java 17 and Maven.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from lineage.cli.memory import collect_seldom
from lineage.model.claims import Claims, StateType
from lineage.model.ids import artifact_id, run_id, with_version
from lineage.store.contract import Direction, NewEntry, Store, View
from lineage.store.sqlite import SqliteStore
from lineage.testing.builders import attribute, generated, state, used
from lineage.testing.plain import entry_of, interpret
from tests.bench.table import milliseconds, p50_p99, show
from tests.neo4j_server import Neo4jServer

LEVELS, INPUTS, WIDTH, MADE = 10, 3, 1000, 20_000
SERVER = {"server.memory.pagecache.size": "2g"}
HUB = with_version(artifact_id("n", "calendar"), "1.a")
WRITER = """
import sys
from lineage.cli.memory import collect_seldom
from tests.bench.team import opened, runs
where, first, count, per = sys.argv[1], *map(int, sys.argv[2:5])
store = opened(where, sys.stdin.readline().strip())
entries = list(runs(first, count))
collect_seldom()
print("up", flush=True)
sys.stdin.readline()
for start in range(0, count, per):
    store.append(entries[start : start + per])
"""


def _version(level: int, i: int) -> str:
    return with_version(artifact_id("n", f"lake/level-{level}/part-{i}"), "1.a")


def runs(first: int, count: int) -> Iterator[NewEntry]:
    """The first are a pipeline of ten levels; those after it read what is nobody's product."""
    chance = random.Random(first)
    for n in range(first, first + count):
        run = run_id("jobs", f"stage-{n % 50}", f"{n:08d}")
        level, i = n // WIDTH, n % WIDTH
        if level < LEVELS:
            inputs = [_version(level, (i + k) % WIDTH) for k in range(INPUTS)]
            made = _version(level + 1, i)
        else:
            inputs = [_version(99, chance.randrange(5000)) for _ in range(6 + n % 2)]
            made = with_version(artifact_id("n", f"lake/made/part-{n % MADE}"), f"{n // MADE}.a")
        said = [*(used(version, run, n) for version in inputs), generated(run, made, n)]
        if n % 5 < 2:
            said.append(used(HUB, run, n))
        shown = (
            state(run, StateType.RUN_STATE, "", "COMPLETE", n),
            attribute(made, "rows", str(n), n),
        )
        yield entry_of(Claims(
            tuple(claim for one in said for claim in one.occurrences),
            tuple(op for one in shown for op in one.states),
        ))  # fmt: skip


def opened(where: str, password: str = "") -> Store:
    """A store by its address or its path."""
    if "://" not in where:
        return SqliteStore(where, interpret)
    from lineage.store.neo4j import Neo4jStore, schema
    from lineage.store.neo4j.connection import Database

    database = Database.open(where, password)
    schema.check(database)
    return Neo4jStore(database, interpret)


@dataclass
class Side:
    """One of the two, and what was measured of it."""

    name: str
    where: str
    password: str
    store: Store
    next: int = 10_000_000

    def take(self, count: int) -> int:
        """Numbers of runs that nobody had before."""
        self.next += count
        return self.next - count


def _fill(side: Side, total: int) -> str:
    began = time.perf_counter()
    for start in range(0, total, 1000):
        side.store.append(list(runs(start, min(1000, total - start))))
    return f"{total / (time.perf_counter() - began):,.0f}"


def _rate(side: Side, per: int, count: int) -> float:
    batches = [list(runs(side.take(per), per)) for _ in range(count // per)]
    began = time.perf_counter()
    for batch in batches:
        side.store.append(batch)
    return count / (time.perf_counter() - began)


def _together(side: Side, writers: int, per: int, count: int) -> float:
    """Appends of several processes at once."""
    processes = []
    for _ in range(writers):
        words = [WRITER, side.where, str(side.take(count)), str(count), str(per)]
        process = subprocess.Popen(
            [sys.executable, "-c", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{side.password}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "up\n"
        processes.append(process)
    began = time.perf_counter()
    for process in processes:
        process.communicate("go\n")
    return writers * count / (time.perf_counter() - began)


def _ingest(sides: list[Side], rounds: int) -> None:
    rows: list[tuple[object, ...]] = []
    for writers, per, count in ((1, 1, 300), (1, 100, 3000), (1, 1000, 6000), (4, 1, 100),
                                (4, 100, 1500)):  # fmt: skip
        found: dict[str, list[float]] = {side.name: [] for side in sides}
        for _ in range(rounds):
            for side in sides:
                rate = _rate(side, per, count) if writers == 1 else _together(
                    side, writers, per, count
                )  # fmt: skip
                found[side.name].append(rate)
        told = [f"{statistics.median(rates):,.0f} ({min(rates):,.0f}-{max(rates):,.0f})"
                for rates in found.values()]  # fmt: skip
        rows.append((writers, per, *told))
    header = ("writers", "a transaction", *(f"{side.name}, entries/s" for side in sides))
    show(f"Appends, median of {rounds} (range)", header, rows)


def _lineage(sides: list[Side], total: int) -> None:
    model = _version(LEVELS, 7)
    rows: list[tuple[object, ...]] = []

    def row(name: str, ask: Callable[[Store, View], object], times: int) -> None:
        told: list[object] = []
        for side in sides:
            head = View(side.store.head().seq)
            found = ask(side.store, head)
            for _ in range(times):
                ask(side.store, head)  # a server compiles what it runs often
            taken = milliseconds(lambda s=side, v=head: ask(s.store, v), times)  # type: ignore[misc]
            told += [found, p50_p99(taken)]
        rows.append((name, told[0], *told[1::2]))
        assert len({str(x) for x in told[::2]}) == 1, told

    def nodes(start: str, direction: Direction, **more: int) -> Callable[[Store, View], object]:
        return lambda store, view: len(store.walk([start], direction, view, **more).nodes)  # type: ignore[arg-type]

    def seen(**view: int) -> Callable[[Store, View], object]:
        def ask(store: Store, head: View) -> object:
            at = View(**{"position": head.position, **view})
            return len(store.walk([model], Direction.UPSTREAM, at).nodes)

        return ask

    row("upstream of a model", nodes(model, Direction.UPSTREAM), 100)
    row("the same, asOf", seen(as_of=1 << 50), 100)
    row("the same, knownAt", seen(position=total - 1), 100)
    row("downstream of the hub", nodes(HUB, Direction.DOWNSTREAM), 2)
    row("its direct consumers", nodes(HUB, Direction.DOWNSTREAM, depth=1), 3)
    row("a node", lambda store, view: len(store.nodes([model], view)), 200)
    header = ("read", "nodes", *(f"{side.name}, p50 / p99 ms" for side in sides))
    show("Lineage", header, rows)


def main() -> None:
    """Fill both, then measure them in turn."""
    collect_seldom()
    total, rounds = int(os.environ.get("BENCH_RUNS", "20000")), 3
    more = os.environ.get("BENCH_NEO4J", "{}")
    with (
        tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as place,
        ExitStack() as stack,
    ):
        server = Neo4jServer(Path(place, "neo4j"), {**SERVER, **json.loads(more)})
        server.heap = "3g"
        stack.enter_context(server)
        file = str(Path(place, "b.db"))
        sides = [
            Side("SQLite", file, "", stack.enter_context(closing(opened(file)))),
            Side("Neo4j", server.url, server.password,
                 stack.enter_context(closing(opened(server.url, server.password)))),
        ]  # fmt: skip
        filled = [(side.name, _fill(side, total), *side.store.counts().values()) for side in sides]
        show("Filled at 1,000 a transaction",
             ("store", "entries/s", "entries", "nodes", "claims", "states"), filled)  # fmt: skip
        _lineage(sides, total)
        _ingest(sides, rounds)


if __name__ == "__main__":
    main()
