"""`lineage spool`: captured changes that wait to be recorded."""

from __future__ import annotations

import click

from lineage.capture.spool import Spool
from lineage.cli.delivering import deliver_all
from lineage.settings import load_settings

__all__ = ["spool"]


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
