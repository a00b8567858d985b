"""Where captured changes go: the store of this machine, or the service that LINEAGE_URL names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lineage.capture.deliver import Delivered, Sink, deliver
from lineage.capture.spool import Item, Spool
from lineage.settings import Settings

if TYPE_CHECKING:
    from lineage.wiring import Workspace

__all__ = ["Target", "deliver_all", "open_target"]


def deliver_all(settings: Settings) -> Delivered:
    """Empty the spool. Raises ``LineageError`` when the store cannot be opened."""
    waiting = Spool(settings.spool)
    if not waiting.pending():
        return Delivered()
    if settings.url:
        from lineage.capture.service import HttpSink, Service, Upload
        from lineage.store.blobs import DirectoryBlobs

        service = Service(settings.url, token=settings.token)
        return deliver(waiting, HttpSink(service), Upload(service, DirectoryBlobs(settings.blobs)))
    from lineage.wiring import open_workspace

    with open_workspace(settings) as opened:
        return deliver(waiting, _store_sink(opened))


@dataclass(frozen=True)
class Target:
    """Where changes of a source go: a name for its cursors, and whether it is known to have one.

    A service is not asked: ``asked`` says so, and its cursors are believed.
    """

    name: str
    sink: Sink
    has: Callable[[str, str], bool]
    asked: bool


@contextmanager
def open_target(settings: Settings) -> Iterator[Target]:
    """The target of this process, closed at the end."""
    if settings.url:
        from lineage.capture.service import HttpSink, Service

        sink = HttpSink(Service(settings.url, token=settings.token))
        yield Target(settings.url, sink, lambda _source, _event_id: False, asked=False)
        return
    from lineage.wiring import open_workspace

    with open_workspace(settings) as opened:

        def has(source: str, event_id: str) -> bool:
            return opened.store.find(source, event_id) is not None

        yield Target(settings.store_name, _store_sink(opened), has, asked=True)


def _store_sink(opened: Workspace) -> Sink:
    """A sink that records into a store, what it is given at once in one transaction."""
    from lineage.record.recorder import Incoming

    def sink(items: Sequence[Item]) -> None:
        incoming = [
            Incoming(item.kind, item.v, item.source, item.body, item.event_at, item.event_id)
            for item in items
        ]
        opened.recorder.record(incoming, opened.actor)

    return sink
