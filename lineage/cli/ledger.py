"""`lineage ledger`, `lineage rebuild`, `lineage backup`, `lineage migrate`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from lineage.cli.context import emit, json_option, workspace
from lineage.cli.progress import progress
from lineage.errors import ConfigError, TamperedError
from lineage.model.canonical import iso
from lineage.record import backup as backups
from lineage.record.interpret import interpret
from lineage.record.ledger import verify as verify_ledger
from lineage.record.rebuild import rebuild as rebuild_into
from lineage.store.contract import StoredEntry


@click.group()
def ledger() -> None:
    """The record itself: its head, its entries, whether it was altered."""


@ledger.command()
@json_option
def head(*, as_json: bool) -> None:
    """Where the ledger ends: position, time, Merkle root."""
    with workspace(read_only=True) as ws:
        end = ws.store.head()
        value = {
            "seq": end.seq,
            "recorded_at": iso(end.recorded_at) if end.seq else None,
            "root": end.frontier.root().hex(),
            "counts": ws.store.counts(),
        }
    emit(value, as_json=as_json, human=lambda: _print(value))


@ledger.command()
@json_option
def verify(*, as_json: bool) -> None:
    """Re-read everything; name the first position that does not hold (exit 1)."""
    with workspace(read_only=True) as ws, progress("verifying", ws.store.head().seq) as tick:
        result = verify_ledger(ws.store, ws.blobs, progress=tick)
    value = {
        "sound": not result.faults,
        "entries": result.entries,
        "redacted": result.redacted,
        "uninterpreted": result.uninterpreted,
        "blobs": result.blobs,
        "root": result.root,
        "first_bad": result.first_bad,
        "faults": [asdict(fault) for fault in result.faults[:100]],
    }
    emit(value, as_json=as_json, human=lambda: _print(value))
    if result.faults:
        raise TamperedError(
            f"the ledger does not hold: {result.faults[0].what}",
            hint="keep this file as it is, and restore a copy from a backup beside it to compare",
            position=result.first_bad,
        )


@ledger.command(name="list")
@click.option("--after", default=0, show_default=True, help="Entries after this position.")
@click.option("--limit", default=20, show_default=True, help="How many at most.")
@json_option
def list_entries(*, after: int, limit: int, as_json: bool) -> None:
    """Entries, one a line."""
    with workspace(read_only=True) as ws:
        rows = [_row(entry) for entry in ws.store.entries(after, limit)]

    def human() -> None:
        for row in rows:
            click.echo(f"{row['seq']:>8}  {row['recorded_at']}  {row['kind']:<22}  {row['source']}")

    emit(rows, as_json=as_json, human=human)


@ledger.command(name="show")
@click.argument("seq", type=int)
@json_option
def show_entry(*, seq: int, as_json: bool) -> None:
    """One entry with its body."""
    with workspace(read_only=True) as ws:
        entry = next(ws.store.entries(seq - 1, 1), None)
    if entry is None or entry.seq != seq:
        raise ConfigError(f"no entry {seq}", hint="`lineage ledger head` says where it ends")
    value = {**_row(entry), "body": entry.body.decode("utf-8", "backslashreplace")}
    emit(value, as_json=as_json, human=lambda: _print(value))


@click.command()
@click.option("--keep", type=click.Path(path_type=Path), help="Keep the rebuilt store here.")
@json_option
def rebuild(*, keep: Path | None, as_json: bool) -> None:
    """Read the ledger once more beside the live graph; exit 1 unless both are equal."""
    from lineage.store.sqlite import SqliteStore

    with workspace(read_only=True) as ws:
        target = keep or ws.settings.store_path.with_suffix(".rebuilt.db")
        if target.exists():
            raise ConfigError(f"{target} exists", hint="remove it or name another with --keep")
        built = SqliteStore(target, interpret)
        try:
            with progress("rebuilding", ws.store.head().seq) as tick:
                entries = rebuild_into(ws.store, built, progress=tick)
            live, again = ws.store.digest(), built.digest()
        finally:
            built.close()
            if keep is None:
                for leftover in target.parent.glob(f"{target.name}*"):
                    leftover.unlink()
    value = {"entries": entries, "equal": live == again, "live": live, "rebuilt": again}
    emit(value, as_json=as_json, human=lambda: _print(value))
    if live != again:
        raise TamperedError(
            "the rebuilt graph differs from the live one",
            hint="the live graph was altered, or written by another interpreter",
        )


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def backup(*, file: Path, as_json: bool) -> None:
    """Write a consistent copy of the live store, with its key and blobs, to FILE (tar)."""
    with workspace(read_only=True) as ws:
        store: Any = ws.store
        with progress("copying blobs") as tick:
            made = backups.backup(store, ws.settings.key_path, ws.blobs, file, progress=tick)
    value = {"path": str(made.path), "bytes": made.size, "blobs": made.blobs}
    emit(value, as_json=as_json, human=lambda: _print(value))


@click.command()
@json_option
def migrate(*, as_json: bool) -> None:
    """Bring the store's schema up to date (opening it for writing does)."""
    with workspace() as ws:
        value = {"store": ws.settings.store, "counts": ws.store.counts()}
    emit(value, as_json=as_json, human=lambda: _print(value))


def _row(entry: StoredEntry) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "recorded_at": iso(entry.recorded_at),
        "kind": entry.kind,
        "v": entry.v,
        "source": entry.source,
        "event_id": entry.event_id,
        "actor": entry.actor.id,
        "redacted": entry.salt is None,
        "leaf": entry.leaf.hex(),
    }


def _print(value: dict[str, Any]) -> None:
    width = max(map(len, value))
    for name, shown in value.items():
        click.echo(f"{name:<{width}}  {shown}")
