"""`lineage ready`: whether a store can take something now, and how far it is sealed."""

from __future__ import annotations

import click

from lineage.cli.context import emit, json_option, workspace
from lineage.model.canonical import iso

__all__ = ["ready"]


@click.command()
@json_option
def ready(*, as_json: bool) -> None:
    """Whether the store can be appended to: exit 0, or the error that an append would meet.

    Every copy of the last checkpoint is compared with the ledger: in the store, beside it, and
    where it is published. Nothing is recorded.
    """
    with workspace() as ws:
        ws.sealer.guard.judge(thorough=True)
        ws.store.append([])  # takes the lock, and asks what every append asks
        head, last = ws.store.head(), ws.store.last_checkpoint()
        size = last.size if last else 0
        value = {
            "ready": True,
            "store": ws.settings.store_name,
            "position": head.seq,
            "sealed": size,
            "sealed_at": iso(last.sealed_at) if last else None,
            "has_key": ws.sealer.has_key,
            "unreachable": {
                name: fault.message for name, fault in ws.sealer.guard.unreachable.items()
            },
        }

    def human() -> None:
        click.echo(f"ready: {value['store']}, {head.seq:,} entries, sealed up to {size:,}")
        for name, why in ws.sealer.guard.unreachable.items():
            click.echo(f"  not asked: {name}: {why}")

    emit(value, as_json=as_json, human=human)
