"""The SQLite store by itself: durable appends, exact upstream, walks of long table logs.

Entries are interpreted beforehand. ``python -m tests.bench.store [ingest] [upstream] [tables]``;
``BENCH_BASE`` is how many entries the store holds before ingest is measured (default 20,000).
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lineage.model.envelope import Actor
from lineage.model.ids import artifact_id, run_id, with_version
from lineage.record.interpret import interpret
from lineage.store.contract import Direction, History, NewEntry, View
from lineage.store.sqlite import SqliteStore
from lineage.testing.builders import commit, generated, table_version, used
from lineage.testing.plain import entry_of
from lineage.testing.plain import interpret as interpret_plain
from tests.bench.events import Pipeline, ingest_events
from tests.bench.table import milliseconds, p50_p99, show

ACTOR = Actor("person:bench")
COMMITS = 10_000


def _entry(body: bytes) -> NewEntry:
    claims = interpret("openlineage.run", 1, body)
    digest = hashlib.sha256(body).hexdigest()
    return NewEntry("openlineage.run", 1, "ol:bench", digest, ACTOR, body, claims)


def _versioned(start: int, count: int) -> list[NewEntry]:
    return [_entry(body) for body in ingest_events(count, start)]


def _open(start: int, count: int) -> list[NewEntry]:
    """The same without any version: every use has to be resolved."""
    entries = []
    for body in ingest_events(count, start):
        event = json.loads(body)
        for dataset in event["inputs"] + event["outputs"]:
            dataset["facets"].pop("version")
            dataset["facets"].setdefault("documentation", {"description": "no version here"})
        entries.append(_entry(json.dumps(event).encode()))
    return entries


def ingest(base: int, rounds: int = 3, scale: float = 1.0) -> None:
    """Entries/s at 1, 100 and 1,000 a commit."""
    rows: list[tuple[object, ...]] = []
    for name, make in (("versioned inputs and output", _versioned), ("no versions", _open)):
        with tempfile.TemporaryDirectory(prefix=".bench-", dir=".") as place:
            store = SqliteStore(Path(place, "b.db"), interpret)
            at = 0
            while at < base:
                store.append(make(at, 1000))
                at += 1000
            for per, count in (
                (1, int(1500 * scale)),
                (100, int(6000 * scale)),
                (1000, int(10_000 * scale)),
            ):
                rates = []
                for _ in range(rounds):
                    batches = [make(start, per) for start in range(at, at + count, per)]
                    at += count
                    began = time.perf_counter()
                    for batch in batches:
                        store.append(batch)
                    rates.append(count / (time.perf_counter() - began))
                told = f"{min(rates):,.0f}-{max(rates):,.0f}"
                rows.append((name, per, f"{statistics.median(rates):,.0f}", told))
            size = Path(place, "b.db").stat().st_size / store.head().seq
            rows.append((name, "bytes an entry", f"{size:,.0f}", ""))
            store.close()
    body = len(ingest_events(1, 0)[0])
    title = f"Durable appends of {body:,} byte bodies on {base:,} entries"
    show(title, ("entries", "a commit", "entries/s, median", "range"), rows)


def upstream() -> None:
    """A model 10 levels deep, 3 inputs a run, over 10,000 runs."""
    pipeline = Pipeline()
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=".") as place:
        store = SqliteStore(Path(place, "b.db"), interpret)
        entries = [_entry(body) for body in pipeline.events()]
        for start in range(0, len(entries), 1000):
            store.append(entries[start : start + 1000])
        head = store.head().seq
        model = store.versions(pipeline.model(), View(head))[-1][0]
        rows: list[tuple[object, ...]] = []
        for name, view in (
            ("at the head", View(head)),
            ("knownAt and asOf", View(head - 1, as_of=1 << 61)),
        ):
            asked = _asker(store, model, view, Direction.UPSTREAM)
            rows.append((name, len(asked()), p50_p99(milliseconds(asked, 300))))
        source = store.versions(f"artifact:s3://bench,{pipeline.dataset(0, 5)}", View(head))[-1][0]
        asked = _asker(store, source, View(head), Direction.DOWNSTREAM)
        rows.append(("downstream of a source", len(asked()), p50_p99(milliseconds(asked, 300))))
        store.close()
    truth = f"{pipeline.runs_upstream} runs + {pipeline.versions_upstream} versions"
    show(
        f"Exact lineage over 10,000 runs ({truth} upstream)",
        ("walk", "nodes", "p50 / p99, ms"),
        rows,
    )


def _asker(
    store: SqliteStore,
    start: str,
    view: View,
    direction: Direction,
    history: History = History.CONTRIBUTING,
) -> Callable[[], list[str]]:
    return lambda: [n for n, _ in store.walk([start], direction, view, history=history).nodes]


def _log(mode: str) -> Iterator[NewEntry]:
    """Appends only; a window of 30 files, every other commit deleting one; optimized each 100."""
    table = artifact_id("lake", mode)
    for n in range(COMMITS):
        added, removed = [f"part-{n}"], []
        if mode == "window" and n % 2:
            added, removed = [], [f"part-{n - 61}"] if n > 60 else []
        if mode == "optimize" and n % 100 == 99:
            removed = [f"part-{m}" for m in range(n - 99, n)]
        run = run_id("jobs", mode, str(n))
        yield entry_of(commit(table, n, n, added=added, removed=removed, run=run))
        yield entry_of(used(with_version(artifact_id("raw", f"{mode}{n}"), "1.a"), run, n))
    train = run_id("jobs", f"train-{mode}", "1")
    yield entry_of(used(table_version(table, COMMITS - 1), train, COMMITS))
    yield entry_of(generated(train, with_version(artifact_id("models", mode), "1.a"), COMMITS))


def tables() -> None:
    """Walks over logs of 10,000 commits."""
    rows: list[tuple[object, ...]] = []
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=".") as place:
        store = SqliteStore(Path(place, "b.db"), interpret_plain)
        for mode in ("append", "window", "optimize"):
            entries = list(_log(mode))
            began = time.perf_counter()
            for start in range(0, len(entries), 1000):
                store.append(entries[start : start + 1000])
            rate = len(entries) / (time.perf_counter() - began)
            rows.append((mode, "appending", f"{rate:,.0f} entries/s", ""))
        view = View(store.head().seq)
        for mode in ("append", "window", "optimize"):
            model = with_version(artifact_id("models", mode), "1.a")
            for history in (History.ALL, History.CONTRIBUTING):
                asked = _asker(store, model, view, Direction.UPSTREAM, history)
                taken = milliseconds(asked, 10)
                rows.append((mode, history.value, len(asked()), p50_p99(taken)))
            raw = with_version(artifact_id("raw", f"{mode}{COMMITS // 2}"), "1.a")
            asked = _asker(store, raw, view, Direction.DOWNSTREAM)
            rows.append(
                (mode, "downstream of one input", len(asked()), p50_p99(milliseconds(asked, 5)))
            )
        store.close()
    show("Tables of 10,000 commits", ("table", "walk", "nodes", "p50 / p99, ms"), rows)


def main() -> None:
    """Those named on the command line, or all."""
    wanted = sys.argv[1:] or ["ingest", "upstream", "tables"]
    if "ingest" in wanted:
        ingest(int(os.environ.get("BENCH_BASE", "20000")))
    if "upstream" in wanted:
        upstream()
    if "tables" in wanted:
        tables()


if __name__ == "__main__":
    main()
