"""`lineage ledger export`."""

from __future__ import annotations

from pathlib import Path

import click

from lineage.cli.context import emit, json_option, note_access, purpose_option, workspace
from lineage.cli.progress import progress
from lineage.record.export import export as export_ledger

__all__ = ["export"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@purpose_option
@json_option
def export(*, file: Path, purpose: str, as_json: bool) -> None:
    """Write every entry with its body and every checkpoint to FILE, for `lineage-verify`.

    It holds all bodies that were not redacted, and never the store's key.
    """
    with workspace(read_only=True) as ws, progress("exporting", ws.store.head().seq) as tick:
        entries = range(1, ws.store.head().seq + 1)
        note_access(ws, "export", entries, place=str(file.absolute()), purpose=purpose)
        made = export_ledger(ws.store, file, progress=tick)
    value = {
        "path": str(made.path), "bytes": made.size, "entries": made.entries,
        "sealed": made.sealed, "root": made.root.hex(),
    }  # fmt: skip

    def human() -> None:
        click.echo(f"{made.path}: {made.size:,} bytes, {made.entries:,} entries")
        click.echo(f"{made.entries}:{made.root.hex()}")
        if made.sealed < made.entries:
            click.echo(f"the last {made.entries - made.sealed:,} are not sealed by a checkpoint")

    emit(value, as_json=as_json, human=human)
