"""Metrics in the format of Prometheus, read at the time of the scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from lineage.record.intake import Outcome

if TYPE_CHECKING:
    from lineage.record.dead_letters import DeadLetters
    from lineage.record.group import GroupCommitter
    from lineage.store.contract import Store

__all__ = ["Metrics"]

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Watched(Protocol):
    """What is measured."""

    store: Store
    committer: GroupCommitter

    @property
    def workspace(self) -> HasDeadLetters:
        """Where the dead letters are."""
        ...


class HasDeadLetters(Protocol):
    """A workspace, as far as metrics care."""

    @property
    def dead_letters(self) -> DeadLetters:
        """The dead-letter queue."""
        ...


class Metrics:
    """One registry a service, so that two in one process do not meet."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
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
        self._position = Gauge(
            "lineage_store_position", "Seq of the last entry recorded.", registry=registry
        )
        self._letters = Gauge(
            "lineage_dead_letters", "Refused events that wait to be replayed.", registry=registry
        )
        self._waiting = Gauge(
            "lineage_writers_waiting", "Writers that wait for a commit.", registry=registry
        )

    def took(self, outcomes: list[Outcome]) -> None:
        """Count what became of events."""
        for outcome in outcomes:
            self.events.labels(outcome.status).inc()
            if outcome.code:
                self.refused.labels(outcome.code).inc()

    def exposed(self) -> bytes:
        """The text of a scrape. Reads the store: call it in a thread."""
        self._position.set(self._watched.store.head().seq)
        self._letters.set(len(self._watched.workspace.dead_letters))
        self._waiting.set(self._watched.committer.depth)
        return generate_latest(self._registry)
