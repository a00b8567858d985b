"""`lineage dlq`: what was taken in but not understood."""

from __future__ import annotations

from typing import Any

import click

from lineage.cli.consuming import open_intake
from lineage.cli.context import emit, json_option
from lineage.model.canonical import iso
from lineage.record.dead_letters import DeadLetter, DeadLetters
from lineage.settings import load_settings


@click.group()
def dlq() -> None:
    """The dead-letter queue: refused events, kept until they can be recorded."""


def _letters() -> DeadLetters:
    """They are looked at without the store: it may be away."""
    return DeadLetters(load_settings().dead_letters)


def _shown(letter: DeadLetter) -> dict[str, Any]:
    return {**letter.as_dict(), "received_at": iso(letter.received_at)}


def _origin(shown: dict[str, Any]) -> str:
    return "{topic}/{partition}@{offset}".format(**shown["origin"]) if shown["origin"] else ""


@dlq.command(name="list")
@json_option
def list_letters(*, as_json: bool) -> None:
    """Every letter with the reason it was refused, oldest first."""
    letters = [_shown(letter) for letter in _letters().list()]

    def human() -> None:
        for letter in letters:
            place = letter["pointer"] or "-"
            head = f"{letter['id'][:12]}  {letter['received_at']}  {letter['code']:<20} {place}"
            click.echo(f"{head}  {_origin(letter)}".rstrip())
        if not letters:
            click.echo("no dead letters")

    emit(letters, as_json=as_json, human=human)


@dlq.command()
@click.argument("letter")
@json_option
def show(*, letter: str, as_json: bool) -> None:
    """One letter with its body."""
    value = _shown(_letters().get(letter))

    def human() -> None:
        for name, text in {**value, "origin": _origin(value)}.items():
            click.echo(f"{name:<12} {text}")

    emit(value, as_json=as_json, human=human)


@dlq.command()
@click.argument("letters", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Replay every letter.")
@json_option
def replay(*, letters: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Try letters again; the recorded ones leave the queue. Exit 1 if any is refused again.

    With LINEAGE_URL set they go to that service.
    """
    if not letters and not every:
        raise click.UsageError("name letters, or --all")
    results: list[dict[str, Any]] = []
    queue = _letters()
    named = list(queue.list()) if every else [queue.get(letter) for letter in letters]
    with open_intake(load_settings()) as (intake, actor):
        for letter in named:
            outcome = intake.retake(letter, actor)
            results.append({"id": letter.id, **outcome.as_dict()})

    def human() -> None:
        for row in results:
            click.echo(f"{row['id'][:12]}  {row['status']}  {row.get('code', row.get('seq', ''))}")

    emit(results, as_json=as_json, human=human)
    if any(row["status"] == "refused" for row in results):
        raise click.exceptions.Exit(1)


@dlq.command()
@click.argument("letters", nargs=-1, required=True)
@json_option
def drop(*, letters: tuple[str, ...], as_json: bool) -> None:
    """Forget letters for good, bytes and all: nobody else may have them any more."""
    queue = _letters()
    named = [queue.get(letter) for letter in letters]
    for letter in named:
        queue.remove(letter.id)

    def human() -> None:
        for letter in named:
            click.echo(f"{letter.id[:12]}  dropped")

    emit([letter.id for letter in named], as_json=as_json, human=human)
