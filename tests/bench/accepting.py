"""Accepting while the database is away: latency by clients, how fast the backlog is recorded, and
how soon recording goes on after a restart.

    python -m tests.bench.accepting [recovery]

``recovery`` kills and starts a real Neo4j; it needs a JDK 17 and Maven.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from lineage.errors import StoreUnavailableError
from lineage.model.envelope import Actor
from lineage.record.accepting import Accepting
from lineage.record.backlog import Backlog
from lineage.record.dead_letters import DeadLetters
from lineage.record.group import GroupCommitter
from lineage.record.intake import Intake
from lineage.record.interpret import interpret
from lineage.record.pulse import Pulse
from lineage.record.recorder import Recorder
from lineage.store.memory import MemoryStore
from tests.bench.events import ingest_events
from tests.bench.table import p50_p99, show

ACTOR = Actor("person:bench")
SECONDS = 4.0
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
WAITING = 20


class _Away:
    """A database that is away until told otherwise."""

    def __init__(self) -> None:
        self.store = MemoryStore(interpret)
        self.away = True

    def ask(self) -> int:
        if self.away:
            raise StoreUnavailableError("away")
        return self.store.head().seq


@contextlib.contextmanager
def _way(place: Path) -> Iterator[tuple[_Away, Accepting, Intake]]:
    database, letters = _Away(), DeadLetters(place / "dlq")
    writers = GroupCommitter(database.store.append)
    way = Accepting(
        Recorder(database.store, key=b"k" * 32), writers, Backlog(place / "b", most=1 << 30),
        Pulse(database.ask), letters, lambda _what, _events: None,
    )  # fmt: skip
    yield database, way, Intake(way.accept, letters, max_event=1 << 22)
    way.close()
    writers.close()


def accepting() -> None:
    """Latency of the way in by the number of clients, and the rate at which the backlog goes."""
    rows = []
    for clients, per in ((1, 1), (4, 1), (16, 1), (64, 1), (4, 100)):
        with tempfile.TemporaryDirectory(prefix=".bench-", dir=".") as place:
            rows.append((clients, per, *_accept(Path(place), clients, per)))
    show(
        f"Accepting into the spool while the database is away, bodies of "
        f"{len(ingest_events(1, 0)[0]):,} bytes",
        ("clients", "events a request", "p50 / p99, ms", "events/s", "bytes on disk an event"),
        rows,
    )


def _accept(place: Path, clients: int, per: int) -> tuple[str, str, str]:
    spent: list[float] = []
    with _way(place) as (_, way, intake):
        end = time.perf_counter() + SECONDS

        def client(number: int) -> None:
            for n in range(100_000):
                began = time.perf_counter()
                if began > end:
                    return
                events = ingest_events(per, (number * 100_000 + n) * per)
                body = events[0] if per == 1 else b"[" + b",".join(events) + b"]"
                began = time.perf_counter()
                outcomes = intake.take_openlineage(body, ACTOR)
                spent.append((time.perf_counter() - began) * 1e3)
                if {outcome.status for outcome in outcomes} != {"accepted"}:
                    raise SystemExit(f"not accepted: {outcomes[0]}")

        threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        waiting = way.backlog.waiting()
    rate = f"{waiting.events / SECONDS:,.0f}"
    return p50_p99(sorted(spent)), rate, f"{waiting.bytes / waiting.events:,.0f}"


def recovery() -> None:
    """Neo4j killed and started: from its first answer until an accepted event is recorded."""
    from tests.faults.test_neo4j_away import emptied, first_answer, ready
    from tests.neo4j_server import Neo4jServer
    from tests.serving import Serving, event, until

    noticed, first, again, slowest = (list[float]() for _ in range(4))
    with (
        tempfile.TemporaryDirectory(prefix="lineage-bench-") as place,
        Neo4jServer(Path(place, "neo4j")) as server,
        Serving(Path(place, "home"), **server.environment) as serving,
    ):
        for n in range(ROUNDS):
            serving.client.post("/api/v1/lineage", json=event(f"{n}.before"))
            server.kill()
            for i in range(WAITING):
                sent = time.monotonic()
                serving.client.post("/api/v1/lineage", json=event(f"{n}.{i}"))
                slowest.append(time.monotonic() - sent)
            server.start(wait=False)
            answered = first_answer(server)
            until(lambda: ready(serving)["recording"])
            noticed.append(max(time.monotonic() - answered, 0.0))
            until(lambda: ready(serving)["spool"]["events"] < WAITING)
            first.append(time.monotonic() - answered)
            until(lambda: emptied(serving))
            again.append(time.monotonic() - answered)
        until(
            lambda: ready(serving)["position"] == ROUNDS * (WAITING + 1)
        )  # told by the next pulse
    show(
        f"A service whose Neo4j is killed and started again, {ROUNDS} rounds, seconds",
        ("what", "median", "most"),
        [
            ("answer to a client when the database has just died", *_both(slowest)),
            ("from its first answer until that is noticed", *_both(noticed)),
            ("from its first answer until something is recorded", *_both(first)),
            (f"from its first answer until all {WAITING} that waited are", *_both(again)),
        ],
    )


def _both(values: list[float]) -> tuple[str, str]:
    return f"{statistics.median(values):.3f}", f"{max(values):.3f}"


def main() -> None:
    """The first table; with ``recovery`` the second, too."""
    accepting()
    if "recovery" in sys.argv[1:]:
        recovery()


if __name__ == "__main__":
    main()
