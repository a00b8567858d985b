"""`lineage audit`: who read or took out what, in a ledger of its own."""

from __future__ import annotations

from typing import Any

import click

from lineage.cli import ledger as ledgers
from lineage.cli import sealing
from lineage.cli.context import OF_AUDIT, emit, json_option, workspace
from lineage.cli.entries import show_entry
from lineage.cli.export import export
from lineage.model.canonical import iso
from lineage.model.changes import AuditAccessed
from lineage.record.audit import accesses
from lineage.store.contract import StoredEntry

__all__ = ["audit"]


@click.group()
@click.pass_context
def audit(context: click.Context) -> None:
    """Who was given bodies of entries, when and why: a second ledger beside the first.

    Backups, archives, exports, proofs, `lineage ledger show` and GraphQL answers with bodies are
    noted before they are handed out. It is verified, sealed and proved as the first ledger is.
    """
    context.meta[OF_AUDIT] = True


@audit.command(name="list")
@click.option("--entry", type=int, help="Only what concerns this entry of the ledger.")
@click.option("--after", default=0, show_default=True, help="After this position of the audit log.")
@click.option("--limit", default=100, show_default=True, help="The last so many.")
@json_option
def list_accesses(*, entry: int | None, after: int, limit: int, as_json: bool) -> None:
    """What was handed out, one a line."""
    rows: list[dict[str, Any]] = []
    with workspace(read_only=True) as ws:
        for noted, access in accesses(ws.store, after=after, seqs=() if entry is None else [entry]):
            rows = [*rows, _row(noted, access)][-limit:]

    def human() -> None:
        for row in rows:
            what = f"{row['what']:<8} {_ranges(row['ranges'])}"
            why = f"  ({row['purpose']})" if row["purpose"] else ""
            click.echo(f"{row['at']}  {row['by']}  {what}  {row['place']}{why}".rstrip())

    emit(rows, as_json=as_json, human=human)


def _row(noted: StoredEntry, access: AuditAccessed) -> dict[str, Any]:
    return {
        "seq": noted.seq, "at": iso(noted.recorded_at), "by": noted.actor.id,
        "verified": noted.actor.verified, "what": access.what, "position": access.position,
        "ranges": [list(span) for span in access.ranges], "place": access.place,
        "purpose": access.purpose,
    }  # fmt: skip


def _ranges(ranges: list[list[int]]) -> str:
    shown = [str(low) if low == high else f"{low}-{high}" for low, high in ranges[:5]]
    return ", ".join(shown) + (", ..." if len(ranges) > 5 else "")


for _command in (
    ledgers.head, ledgers.verify, show_entry, export, sealing.init_key,
    sealing.checkpoint, sealing.checkpoints, sealing.keys, sealing.prove, sealing.consistency,
):  # fmt: skip
    audit.add_command(_command)
