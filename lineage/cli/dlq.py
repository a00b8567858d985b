"""`lineage dlq`: what was taken in but not understood."""

from __future__ import annotations

from typing import Any

import click

from lineage.cli.context import emit, json_option, workspace
from lineage.model.canonical import iso
from lineage.record.dead_letters import DeadLetter


@click.group()
def dlq() -> None:
    """The dead-letter queue: refused events, kept until they can be recorded."""


def _shown(letter: DeadLetter) -> dict[str, Any]:
    return {**letter.as_dict(), "received_at": iso(letter.received_at)}


@dlq.command(name="list")
@json_option
def list_letters(*, as_json: bool) -> None:
    """Every letter with the reason it was refused, oldest first."""
    with workspace(read_only=True) as ws:
        letters = [_shown(letter) for letter in ws.dead_letters.list()]

    def human() -> None:
        for letter in letters:
            place = letter["pointer"] or "-"
            click.echo(
                f"{letter['id'][:12]}  {letter['received_at']}  {letter['code']:<20} {place}"
            )
        if not letters:
            click.echo("no dead letters")

    emit(letters, as_json=as_json, human=human)


@dlq.command()
@click.argument("letter")
@json_option
def show(*, letter: str, as_json: bool) -> None:
    """One letter with its body."""
    with workspace(read_only=True) as ws:
        value = _shown(ws.dead_letters.get(letter))

    def human() -> None:
        for name, text in value.items():
            click.echo(f"{name:<12} {text}")

    emit(value, as_json=as_json, human=human)


@dlq.command()
@click.argument("letters", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Replay every letter.")
@json_option
def replay(*, letters: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Try letters again; the recorded ones leave the queue. Exit 1 if any is refused again."""
    if not letters and not every:
        raise click.UsageError("name letters, or --all")
    results: list[dict[str, Any]] = []
    with workspace() as ws:
        named = list(ws.dead_letters.list()) if every else [ws.dead_letters.get(x) for x in letters]
        for letter in named:
            outcome = ws.intake.retake(letter, ws.actor)
            results.append({"id": letter.id, **outcome.as_dict()})

    def human() -> None:
        for row in results:
            click.echo(f"{row['id'][:12]}  {row['status']}  {row.get('code', row.get('seq', ''))}")

    emit(results, as_json=as_json, human=human)
    if any(row["status"] == "refused" for row in results):
        raise click.exceptions.Exit(1)
