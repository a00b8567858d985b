"""`lineage ledger`, `lineage rebuild`, `lineage backup`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from lineage.cli.context import emit, json_option, note_access, purpose_option, workspace
from lineage.cli.counts import counted
from lineage.cli.entries import list_entries, show_entry
from lineage.cli.export import export
from lineage.cli.progress import progress
from lineage.errors import ConfigError, TamperedError
from lineage.model.canonical import iso
from lineage.record import backup as backups
from lineage.record.copies import BACKUP
from lineage.record.ledger import verify as verify_ledger
from lineage.record.rebuild import Comparison, compare
from lineage.record.rebuild import rebuild as rebuild_into
from lineage.record.seal.checking import promises
from lineage.wiring import Workspace, copyable, noted_copy, require_key, scratch_store


@click.group()
def ledger() -> None:
    """The record itself: its head, its entries, whether it was altered."""


for _command in (export, list_entries, show_entry):
    ledger.add_command(_command)


@ledger.command()
@json_option
def head(*, as_json: bool) -> None:
    """Where the ledger ends: position, time, Merkle root. Keep SEQ:ROOT somewhere else."""
    with workspace(read_only=True) as ws:
        end = ws.store.head()
        root, counts = end.frontier.root().hex(), ws.store.counts()
        value = {
            "seq": end.seq,
            "recorded_at": iso(end.recorded_at) if end.seq else None,
            "root": root,
            "counts": counts,
        }

    def human() -> None:
        click.echo(f"{end.seq}:{root}")
        counted = ", ".join(f"{count:,} {what}" for what, count in counts.items())
        click.echo(f"recorded {value['recorded_at'] or 'nothing yet'}; {counted}")

    emit(value, as_json=as_json, human=human)


@ledger.command()
@click.option(
    "--expect", multiple=True, metavar="SEQ:ROOT", help="A root that was kept elsewhere; repeat."
)
@click.option("--ledger-only", is_flag=True, help="Do not compare the graph with its ledger.")
@json_option
def verify(*, expect: tuple[str, ...], ledger_only: bool, as_json: bool) -> None:
    """Re-read everything; name the first position that does not hold (exit 1).

    Checkpoints have to be signed by keys that the ledger names, and their roots to be those of its
    entries. The graph that answers are given from is compared with what the ledger says, too.
    """
    roots = dict(map(kept_root, expect))
    with workspace(read_only=True) as ws:
        with progress("reading checkpoints") as tick:
            sealed = promises(ws.store, progress=tick)
        total = ws.store.head().seq
        with progress("verifying", total) as tick:
            expected = {**sealed.roots, **roots}
            result = verify_ledger(ws.store, ws.blobs, expect=expected, progress=tick)
        result.faults += sealed.faults
        result.faults.sort(key=lambda fault: (fault.position == 0, fault.position))
        graph = None
        if not ledger_only and not result.faults:
            graph = _compared(ws).equal
    value = {
        "sound": not result.faults and graph is not False,
        "entries": result.entries,
        "root": result.root,
        "graph_follows_from_ledger": graph,
        "redacted": result.redacted,
        "uninterpreted": result.uninterpreted,
        "blobs": result.blobs,
        "checkpoints": sealed.count,
        "sealed": sealed.last,
        "first_bad": result.first_bad,
        "faults": [asdict(fault) for fault in result.faults[:100]],
    }

    def human() -> None:
        shown = "sound" if value["sound"] else "NOT SOUND"
        click.echo(
            f"{shown}: {counted(result.entries, 'entry')}, {counted(result.blobs, 'blob')}, "
            f"root {result.root}"
        )
        if sealed.count:
            click.echo(f"sealed up to entry {sealed.last:,} by {sealed.count:,} checkpoints")
        if graph is not None:
            click.echo(f"the graph {'is' if graph else 'is NOT'} what the ledger says")
        for count, what in (
            (result.redacted, "redacted"),
            (result.uninterpreted, "of unknown kind"),
        ):
            if count:
                click.echo(f"{count:,} {what}")
        for fault in result.faults[:20]:
            click.echo(f"  {f'entry {fault.position}' if fault.position else 'head'}: {fault.what}")

    emit(value, as_json=as_json, human=human)
    if result.faults:
        raise TamperedError(
            f"the ledger does not hold: {result.faults[0].what}",
            hint="keep this file as it is, and restore a copy from a backup beside it to compare",
            position=result.first_bad,
        )
    if graph is False:
        raise _other_graph()


def kept_root(text: str) -> tuple[int, bytes]:
    """A position and its root, as `lineage ledger head` prints them. Raises ``ConfigError``."""
    seq, _, root = text.partition(":")
    try:
        size, digest = int(seq), bytes.fromhex(root)
    except ValueError:
        size, digest = 0, b""
    if size < 1 or len(digest) != 32:
        raise ConfigError(
            f"not a position and its root: {text!r}",
            hint="write it as `lineage ledger head` prints it: SEQ:ROOT",
        )
    return size, digest


def _compared(ws: Workspace) -> Comparison:
    """Whether the live graph is what its ledger says."""
    with scratch_store(ws.settings) as built, progress("rebuilding", ws.store.head().seq) as tick:
        return compare(ws.store, built, progress=tick)


def _other_graph() -> TamperedError:
    return TamperedError(
        "the graph is not what the ledger says",
        hint="it was altered, or written by another interpreter; the ledger itself is the record: "
        "`lineage rebuild --keep FILE` writes a store whose graph follows from it",
    )


@click.command()
@click.option("--keep", type=click.Path(path_type=Path), help="Keep the rebuilt store here.")
@json_option
def rebuild(*, keep: Path | None, as_json: bool) -> None:
    """Read the ledger once more beside the live graph; exit 1 unless both are equal."""
    with workspace(read_only=True) as ws:
        if keep is not None:
            _keep(ws, keep)
        made = _compared(ws)
    value = {
        "entries": made.position, "equal": made.equal, "live": made.live, "rebuilt": made.rebuilt,
    }  # fmt: skip

    def human() -> None:
        shown = "equal" if made.equal else "NOT equal"
        click.echo(f"{counted(made.position, 'entry')} read again: {shown}")
        click.echo(f"live    {made.live}\nrebuilt {made.rebuilt}")

    emit(value, as_json=as_json, human=human)
    if not made.equal:
        raise _other_graph()


def _keep(ws: Workspace, target: Path) -> None:
    if target.exists():
        raise ConfigError(f"{target} exists", hint="name a new file")
    entries = range(1, ws.store.head().seq + 1)
    note_access(ws, "rebuild", entries, place=str(target.absolute()))
    with scratch_store(ws.settings) as built:
        rebuild_into(ws.store, built)
        copyable(built).backup(target)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@purpose_option
@json_option
def backup(*, file: Path, purpose: str, as_json: bool) -> None:
    """Write a consistent copy of the live store, with its key and blobs, to FILE (tar)."""
    with (
        workspace(read_only=True) as ws,
        progress("copying blobs") as tick,
        noted_copy(ws, BACKUP, str(file.absolute())),
    ):
        entries = range(1, ws.store.head().seq + 1)
        note_access(ws, "backup", entries, place=str(file.absolute()), purpose=purpose)
        require_key(ws.settings)
        store = copyable(ws.store)
        made = backups.backup(store, ws.settings.key_path, ws.blobs, file, progress=tick)
    value = {"path": str(made.path), "bytes": made.size, "blobs": made.blobs}

    def human() -> None:
        click.echo(
            f"{made.path}: {made.size:,} bytes, {counted(made.blobs, 'blob')}; "
            "it holds the store's key"
        )

    emit(value, as_json=as_json, human=human)
