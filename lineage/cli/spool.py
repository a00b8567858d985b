"""`lineage spool`: captured changes that wait to be recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from lineage.capture.deliver import Delivered, Sink, deliver
from lineage.capture.spool import Item, Spool
from lineage.settings import Settings, load_settings

if TYPE_CHECKING:
    from lineage.model.envelope import Actor
    from lineage.record.recorder import Recorder

__all__ = ["deliver_all", "spool"]


@click.group()
def spool() -> None:
    """What hooks captured and nobody could record yet."""


@spool.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(*, as_json: bool) -> None:
    """How much waits, how old it is, and what was set aside."""
    from lineage.cli.context import emit

    waiting = Spool(load_settings().spool)
    depth = waiting.depth()
    value = {
        "files": depth.files,
        "bytes": depth.bytes,
        "age": round(depth.age, 3),
        **waiting.set_aside(),
    }

    def human() -> None:
        click.echo(f"{depth.files} waiting, {depth.bytes:,} bytes, oldest {depth.age:.0f} s")
        for what, count in waiting.set_aside().items():
            if count:
                click.echo(f"{count} {what}, kept in {waiting.root / what}")

    emit(value, as_json=as_json, human=human)


@spool.command(name="deliver")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def deliver_command(*, as_json: bool) -> None:
    """Record what waits: in the store, or at the service that LINEAGE_URL names."""
    from lineage.cli.context import emit

    result = deliver_all(load_settings())

    def human() -> None:
        click.echo(f"{result.items} delivered, {result.refused} refused, {result.damaged} damaged")
        for digest, why in result.blobs.missing.items():
            click.echo(f"without the blob {digest}: {why}")

    if result.fault is not None:
        raise result.fault
    emit(result.as_dict(), as_json=as_json, human=human)


def deliver_all(settings: Settings) -> Delivered:
    """Empty the spool. Raises ``LineageError`` when the store cannot be opened."""
    waiting = Spool(settings.spool)
    if not waiting.pending():
        return Delivered()
    if settings.url:
        return _deliver_to_service(waiting, settings)
    from lineage.wiring import open_workspace

    with open_workspace(settings) as opened:
        return deliver(waiting, store_sink(opened.recorder, opened.actor))


def _deliver_to_service(waiting: Spool, settings: Settings) -> Delivered:
    from lineage.capture.service import HttpSink, Service, Upload
    from lineage.store.blobs import DirectoryBlobs

    service = Service(settings.url, token=settings.token)
    return deliver(waiting, HttpSink(service), Upload(service, DirectoryBlobs(settings.blobs)))


def store_sink(recorder: Recorder, actor: Actor) -> Sink:
    """A sink that records into a store, each file of the spool in one transaction."""
    from lineage.record.recorder import Incoming

    def sink(items: Sequence[Item]) -> None:
        incoming = [
            Incoming(item.kind, item.v, item.source, item.body, item.event_at, item.event_id)
            for item in items
        ]
        recorder.record(incoming, actor)

    return sink
