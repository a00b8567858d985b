"""`lineage sweep`: runs that were never heard of again."""

from __future__ import annotations

import time

import click

from lineage.cli.context import emit, json_option, workspace
from lineage.record.sweep import sweep as sweep_runs


@click.command()
@click.option("--hours", default=24.0, show_default=True, help="Time to live without an event.")
@json_option
def sweep(*, hours: float, as_json: bool) -> None:
    """Mark runs as abandoned that nothing was heard of for too long."""
    with workspace() as ws:
        found = sweep_runs(
            ws.recorder,
            ws.actor,
            now=time.time_ns() // 1000,
            time_to_live=int(hours * 3_600_000_000),
        )

    def human() -> None:
        for run in found:
            click.echo(run)
        click.echo(f"{len(found)} abandoned")

    emit({"abandoned": found}, as_json=as_json, human=human)
