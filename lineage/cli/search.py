"""`lineage search`: find ids by name."""

from __future__ import annotations

from typing import Any

import click

from lineage.cli.context import emit, json_option, workspace
from lineage.query.batch import Batch
from lineage.query.views import Times, view_of

__all__ = ["search"]


@click.command()
@click.argument("text")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--known-at", default="", help="What was known by this seq or time.")
@json_option
def search(*, text: str, limit: int, known_at: str, as_json: bool) -> None:
    """Things called TEXT: exact names first, then beginnings of names, then of words."""
    with workspace(read_only=True) as ws:
        view = view_of(ws.store, Times(known_at=known_at), ws.store.head().seq)
        hits = ws.store.search(text, view, limit=limit + 1)
        batch = Batch(ws.store, view, [hit.id for hit in hits[:limit]])
        rows = [
            {"id": node, "name": batch.name(node), "kind": batch.kind(node)} for node in batch.ids
        ]
    value: dict[str, Any] = {
        "results": rows, "truncated": len(hits) > limit, "position": view.position
    }  # fmt: skip

    def human() -> None:
        if not rows:
            click.echo(f"nothing is called {text!r} (at position {view.position})")
            return
        kinds = max(len(row["kind"]) for row in rows)
        names = min(max(len(row["name"]) for row in rows), 40)
        for row in rows:
            click.echo(f"{row['kind']:<{kinds}}  {row['name']:<{names}}  {row['id']}")
        if value["truncated"]:
            click.echo(f"... and more: ask with --limit {limit * 5}")

    emit(value, as_json=as_json, human=human)
