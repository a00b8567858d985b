"""Metrics in the format of Prometheus.

Of one process they are read at the time of the scrape. The processes of one service keep them in
files beside each other (``shared``), and whichever is asked adds them up: counters and histograms
are sums, of gauges it is said with each what several of them mean.
"""

from __future__ import annotations

import struct
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from lineage.record.intake import Outcome

if TYPE_CHECKING:
    from lineage.record.accepting import Accepting, Writers
    from lineage.record.dead_letters import DeadLetters
    from lineage.record.seal.schedule import Sealing

__all__ = ["Metrics"]

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

_FILLED_IN = 0.1
"""Seconds. A process makes its file empty, and fills it a moment later."""
_OfSeveral = Literal["max", "mostrecent", "livesum", "livemax", "livemin"]
_GAUGES: dict[str, tuple[str, _OfSeveral]] = {
    "store_position": ("Seq of the last entry recorded.", "max"),
    "dead_letters": ("Refused events that wait to be replayed.", "mostrecent"),
    "writers_waiting": ("Writers that wait for a commit.", "livesum"),
    "sealed_position": ("Seq of the last entry that a signed checkpoint covers.", "max"),
    "seal_age_seconds": (
        "How long the oldest entry has waited that no checkpoint covers.",
        "livemax",
    ),
    "sealing": ("1 while sealing and publishing work, 0 after a fault.", "livemin"),
}
_GAUGES_OF_BACKLOG: dict[str, tuple[str, _OfSeveral]] = {
    "recording": ("1 while the store answers, 0 while it is away.", "livemin"),
    "spool_waiting": ("Events accepted that are not recorded yet.", "livesum"),
    "spool_bytes": ("Bytes on disk of the events that wait.", "livesum"),
    "spool_age_seconds": ("How long the oldest of them has waited.", "livemax"),
}
"""Of stores that can be away."""


class Watched(Protocol):
    """What is measured."""

    committer: Writers
    accepting: Accepting | None
    sealing: Sealing

    @property
    def workspace(self) -> HasDeadLetters:
        """Where the dead letters are."""
        ...

    def position(self) -> int | None:
        """Where the record ends, as far as is known."""
        ...


class HasDeadLetters(Protocol):
    """A workspace, as far as metrics care."""

    @property
    def dead_letters(self) -> DeadLetters:
        """The dead-letter queue."""
        ...


class Metrics:
    """One registry a service, so that two in one process do not meet."""

    def __init__(self, watched: Watched, shared: Path | None = None) -> None:
        self._watched = watched
        self._shared = shared
        self._registry = registry = CollectorRegistry()
        self.events = Counter(
            "lineage_events", "Events taken in, by what became of them.", ["status"],
            registry=registry,
        )  # fmt: skip
        self.refused = Counter(
            "lineage_refused", "Events and requests refused, by error code.", ["code"],
            registry=registry,
        )  # fmt: skip
        self.requests = Histogram(
            "lineage_request_seconds", "Time to answer a request.", ["route", "method", "status"],
            buckets=_BUCKETS, registry=registry,
        )  # fmt: skip
        self._spooled = Counter(
            "lineage_spool_events", "Events through the spool: accepted, and what became of them.",
            ["status"], registry=registry,
        )  # fmt: skip
        self._gauges: dict[str, Gauge] = {}
        self._making = threading.Lock()

    def took(self, outcomes: list[Outcome]) -> None:
        """Count what became of events."""
        for outcome in outcomes:
            self.events.labels(outcome.status).inc()
            if outcome.code:
                self.refused.labels(outcome.code).inc()

    def spooled(self, status: str, events: int) -> None:
        """Count events that were accepted into the spool, or left it."""
        self._spooled.labels(status).inc(events)

    def refresh(self) -> None:
        """Set the gauges. Reads the store: call it in a thread."""
        watched = self._watched
        position = watched.position()
        values: dict[str, float] = {
            "dead_letters": len(watched.workspace.dead_letters),
            "writers_waiting": watched.committer.depth,
        }
        if position is not None:
            values["store_position"] = position
        values["sealing"] = watched.sealing.works
        if watched.sealing.sealed is not None:
            size, since = watched.sealing.sealed[0], watched.sealing.waits_since
            age = 0 if since is None else max(time.time() - since / 1e6, 0)
            values |= {"sealed_position": size, "seal_age_seconds": age}
        if watched.accepting is not None:
            waiting = watched.accepting.backlog.waiting()
            values |= {
                "recording": watched.accepting.pulse.answers,
                "spool_waiting": waiting.events,
                "spool_bytes": waiting.bytes,
                "spool_age_seconds": waiting.age,
            }
        for name, value in values.items():
            self._gauge(name).set(value)

    def exposed(self) -> bytes:
        """The text of a scrape. Reads the store: call it in a thread."""
        self.refresh()
        if self._shared is None:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together, str(self._shared))  # type: ignore[no-untyped-call]
        try:
            return generate_latest(together)
        except struct.error:  # another process has made its file, and not yet filled it
            time.sleep(_FILLED_IN)
            return generate_latest(together)

    def _gauge(self, name: str) -> Gauge:
        with self._making:  # a scrape and the pulse may be the first at once
            if name not in self._gauges:
                help_text, of_several = (_GAUGES | _GAUGES_OF_BACKLOG)[name]
                self._gauges[name] = Gauge(
                    f"lineage_{name}", help_text, registry=self._registry,
                    multiprocess_mode=of_several,
                )  # fmt: skip
            return self._gauges[name]
