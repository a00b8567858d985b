"""`lineage ledger list`, `lineage ledger show`: the entries of the record."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import islice
from typing import Any

import click

from lineage.cli.context import emit, json_option, note_access, purpose_option, workspace
from lineage.errors import UnknownNameError
from lineage.model.canonical import iso
from lineage.store.contract import StoredEntry

__all__ = ["list_entries", "show_entry"]

_ESCAPE = re.compile(r'(?:\\u[0-9a-fA-F]{4})+|\\["\\/bfnrt]')
"""What JSON writes in the place of a character; two halves of one stand together."""


@click.command(name="list")
@click.option("--after", default=0, show_default=True, help="Entries after this position.")
@click.option("--limit", default=20, show_default=True, help="How many at most.")
@click.option("--grep", metavar="TEXT", help="Only entries whose body contains TEXT.")
@json_option
def list_entries(*, after: int, limit: int, grep: str | None, as_json: bool) -> None:
    """Entries, one a line: position, time, kind, actor, source."""
    with workspace(read_only=True) as ws:
        entries: Iterable[StoredEntry] = ws.store.entries(after, None if grep else limit)
        if grep:
            entries = islice((each for each in entries if _contains(each.body, grep)), limit)
        rows = [_row(entry) for entry in entries]

    def human() -> None:
        for row in rows:
            click.echo(
                f"{row['seq']:>8}  {row['recorded_at']}  {row['kind']:<22}  {row['actor']}  "
                f"{row['source']}"
            )

    emit(rows, as_json=as_json, human=human)


def _contains(body: bytes, text: str) -> bool:
    """Whether a body has a text, as it is written or as it is meant."""
    written = body.decode("utf-8", "replace")
    return text in written or text in _ESCAPE.sub(_meant, written)


def _meant(escape: re.Match[str]) -> str:
    meant: str = json.loads(f'"{escape[0]}"')
    return meant


@click.command(name="show")
@click.argument("seq", type=int)
@purpose_option
@json_option
def show_entry(*, seq: int, purpose: str, as_json: bool) -> None:
    """One entry with its body."""
    with workspace(read_only=True) as ws:
        entry = next(ws.store.entries(seq - 1, 1), None)
        if entry is None or entry.seq != seq:
            hint = "`lineage ledger head` says where it ends"
            raise UnknownNameError(f"no entry {seq}", hint=hint)
        note_access(ws, "body", [seq], purpose=purpose)
    value = {**_row(entry), "body": entry.body.decode("utf-8", "backslashreplace")}
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
