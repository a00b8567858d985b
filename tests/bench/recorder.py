"""Durable ingest through the intake and recorder, and exact upstream over the store and HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path

from lineage.model.envelope import Actor
from lineage.record.dead_letters import DeadLetters
from lineage.record.intake import Intake
from lineage.record.interpret import interpret
from lineage.record.recorder import Recorder
from lineage.store.contract import Direction, View
from lineage.store.sqlite import SqliteStore
from tests.bench.events import Pipeline, ingest_events
from tests.bench.table import milliseconds, p50_p99, show

ACTOR = Actor("person:bench")
_QUERY = """query($id: ID!) { lineage(id: $id, direction: UPSTREAM, first: 1000) {
  nodes { node { id } depth } completeness { truncated } } }"""


def _join(events: list[bytes]) -> bytes:
    return b"[" + b",".join(events) + b"]"


def ingest(base: int, rounds: int = 3) -> None:
    """Events/s at 1, 100, 1,000 a commit, on a store of ``base`` entries."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=".") as place:
        store = SqliteStore(Path(place, "b.db"), interpret)
        recorder = Recorder(store, key=b"k" * 32)
        intake = Intake(recorder.record, DeadLetters(Path(place, "dlq")), max_event=1 << 22)
        at = 0
        while at < base:
            intake.take_openlineage(_join(ingest_events(1000, at)), ACTOR)
            at += 1000
        rates: dict[int, list[float]] = {1: [], 100: [], 1000: []}
        for _ in range(rounds):
            for per, count in ((1, 1500), (100, 6000), (1000, 10_000)):
                bodies = []
                for start in range(at, at + count, per):
                    events = ingest_events(per, start)
                    bodies.append(events[0] if per == 1 else _join(events))
                at += count
                began = time.perf_counter()
                for body in bodies:
                    intake.take_openlineage(body, ACTOR)
                rates[per].append(count / (time.perf_counter() - began))
        rows = [
            (per, f"{statistics.median(r):,.0f}", f"{min(r):,.0f}-{max(r):,.0f}")
            for per, r in rates.items()
        ]
        size = Path(place, "b.db").stat().st_size / store.head().seq
        show(
            f"Durable ingest, OpenLineage bodies of {len(ingest_events(1, 0)[0]):,} bytes, on "
            f"{base:,} entries ({size:,.0f} bytes of store an entry)",
            ("events per commit", "events/s, median", "range"),
            rows,
        )
        store.close()


def upstream() -> None:
    """Exact upstream of a model 10 levels deep, 3 inputs a run, over 10,000 runs."""
    pipeline = Pipeline()
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=".") as place:
        path = Path(place, "store.db")
        store = SqliteStore(path, interpret)
        intake = Intake(
            Recorder(store, key=b"k" * 32).record, DeadLetters(Path(place, "d")), max_event=1 << 22
        )
        batch: list[bytes] = []
        for body in pipeline.events():
            batch.append(body)
            if len(batch) == 1000:
                intake.take_openlineage(_join(batch), ACTOR)
                batch.clear()
        view = View(store.head().seq)
        model = store.versions(pipeline.model(), view)[-1][0]

        def ask() -> list[str]:
            return [n for n, _ in store.walk([model], Direction.UPSTREAM, view).nodes]

        found = ask()
        runs = sum(1 for node in found if node.startswith("run:"))
        if (runs, len(found) - runs) != (pipeline.runs_upstream, pipeline.versions_upstream):
            raise SystemExit(f"wrong answer: {runs} runs, {len(found) - runs} versions")
        rows = [("store, in process", p50_p99(milliseconds(ask, 300)))]
        store.close()
        with _served(path, place) as connection:
            question = json.dumps({"query": _QUERY, "variables": {"id": model}})

            def over_http() -> int:
                connection.request(
                    "POST", "/graphql", question, {"Content-Type": "application/json"}
                )
                answer = json.loads(connection.getresponse().read())
                return len(answer["data"]["lineage"]["nodes"])

            if over_http() != len(found):
                raise SystemExit("HTTP answers otherwise than the store")
            rows.append(("GraphQL over HTTP", p50_p99(milliseconds(over_http, 300))))
        show(
            f"Exact upstream of a model: {runs} runs, {len(found) - runs} versions of 10,000 runs",
            ("where", "p50 / p99, ms"),
            rows,
        )


@contextlib.contextmanager
def _served(path: Path, place: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
    environment = {**os.environ, "LINEAGE_STORE": f"sqlite:///{path.absolute()}",
                   "LINEAGE_HOME": place}  # fmt: skip
    server = subprocess.Popen(
        [sys.executable, "-m", "lineage", "serve", "--port", "0", "--json"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        ready = json.loads(server.stdout.readline())  # type: ignore[union-attr]
        address = ready["url"].rpartition("//")[2]
        connection = HTTPConnection(address, timeout=60)
        yield connection
        connection.close()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def main() -> None:
    """Both tables."""
    ingest(base=int(os.environ.get("BENCH_BASE", "100000")))
    upstream()


if __name__ == "__main__":
    main()
