"""What the commands about owners share: naming a target, the clock, rendering."""

from __future__ import annotations

import posixpath
import time
from pathlib import Path
from typing import Any

import click

from lineage.errors import RefusedError, UnknownNameError
from lineage.model.canonical import FOREVER, iso
from lineage.model.ids import artifact_of, parse_id
from lineage.model.naming import FILE
from lineage.ownership.changes import scope_target
from lineage.ownership.claims import owned_as
from lineage.ownership.precedence import Claim, Ownership, Status
from lineage.query.facts import kind_of, name_of
from lineage.query.names import resolve_name
from lineage.query.views import Times, view_of
from lineage.store.contract import LATEST, Store, View

__all__ = [
    "SOURCE",
    "display_name_of",
    "known_or_id",
    "now",
    "plain",
    "print_ownership",
    "target_of",
    "view_at",
]

SOURCE = "lineage:cli"
"""The source of changes that are made on the command line."""


def target_of(
    store: Store, words: tuple[str, ...], scope: tuple[str, str] | None
) -> tuple[str, str]:
    """The subject and the team that the words of a command name."""
    if len(words) != (1 if scope else 2):
        raise click.UsageError("say TARGET TEAM, or --scope NAMESPACE NAME TEAM")
    if scope:
        namespace, name = scope
        if namespace == FILE and not name.startswith(("/", "*")):
            name = posixpath.join(str(Path.cwd()), name)
        return scope_target(namespace, name), words[0]
    return known_or_id(store, words[0], View(store.head().seq), base=str(Path.cwd())), words[1]


def known_or_id(store: Store, text: str, view: View, *, base: str) -> str:
    """The id that a text means; a whole id may be spoken of before anything is known of it.

    Raises ``UnknownNameError`` for a name that nothing is known by: it could be a typo.
    """
    try:
        return resolve_name(store, text, view, base=base)
    except UnknownNameError:
        try:
            parse_id(text)
        except RefusedError:
            pass
        else:
            return text
        raise


def now() -> int:
    """UTC microseconds."""
    return time.time_ns() // 1000


def view_at(store: Store, as_of: str, known_at: str) -> View:
    """Where a question stands; without a time it is the present: a claim may end later."""
    view = view_of(store, Times(as_of, known_at), store.head().seq)
    return View(view.position, now()) if view.as_of == LATEST else view


def display_name_of(store: Store, node: str, view: View) -> str:
    """What people call a node."""
    artifact = artifact_of(node)
    attributes = {each.id: each.attributes for each in store.nodes([artifact], view)}
    return name_of(node, kind_of(node, attributes.get(artifact, {})), {})


def plain(standing: Ownership) -> dict[str, Any]:
    """Ownership as JSON, with times as text."""
    value = standing.as_dict()
    for each in value["claims"]:
        each["since"] = iso(each["since"])
        each["until"] = None if each["until"] is None else iso(each["until"])
    return value


def print_ownership(standing: Ownership, name: str) -> None:
    """Who answers for something, for a person."""
    click.echo(f"{name}  {standing.node}")
    who = f" by {standing.team}" if standing.team else ""
    said = {
        Status.OWNED: f"owned{who}",
        Status.CLAIMED: f"claimed{who}, which has not accepted",
        Status.ORPHANED: "orphaned: nobody answers for it",
        Status.CONTESTED: "contested: equal claims of several teams",
    }
    click.echo(f"  {said[standing.status]}")
    for each in standing.claims:
        click.echo(f"  - {_claim_line(each, standing)}")


def _claim_line(each: Claim, standing: Ownership) -> str:
    through = "" if each.subject == owned_as(standing.node) else f", through {each.subject}"
    word = "proposed" if each.proposed else "accepted" if each.accepted else "claimed"
    until = "" if each.until >= FOREVER else f" until {iso(each.until)}"
    note = "; backdated: awaits a second person" if each.proposed else ""
    return f"{each.team} {word} ({each.source}) since {iso(each.since)}{until}{through}{note}"
