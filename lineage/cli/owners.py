"""`lineage owners`: who answers for what; to claim, to accept, to retract; teams."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from lineage.cli.context import emit, json_option, workspace
from lineage.cli.owning import (
    SOURCE,
    display_name_of,
    now,
    plain,
    print_ownership,
    target_of,
    view_at,
)
from lineage.cli.teams import team
from lineage.errors import OwnershipError
from lineage.model.canonical import micros
from lineage.model.changes import OwnerAccepted, OwnerClaimed, OwnerRetracted
from lineage.ownership.changes import EXPLICIT, Terms, accept, claim, retract, team_of
from lineage.ownership.claims import owned_as, standing_of
from lineage.ownership.kinds import NEED_OWNER, scan_owned
from lineage.ownership.notes import notes_on
from lineage.ownership.precedence import Ownership, Status
from lineage.query.batch import Batch
from lineage.query.names import resolve_name
from lineage.store.contract import Store, View
from lineage.wiring import Workspace

__all__ = ["owners"]

_TARGET = "[TARGET] TEAM"

_scope = click.option(
    "--scope",
    nargs=2,
    metavar="NAMESPACE NAME",
    help="Instead of TARGET: all that two globs match.",
)
_words = click.argument("words", nargs=-1, metavar=_TARGET)
_source = click.option("--source", default="", help="Claim source, where there are several.")
_as_of = click.option("--as-of", default="", help="As it was then (ISO 8601 with a zone).")
_known_at = click.option("--known-at", default="", help="As it was known: a seq, or a time.")


@click.group()
def owners() -> None:
    """Who answers for what.

    TARGET is an id, a name (`model:fraud`), or a path; a scope is two globs, over namespace and
    name: `*` within a path segment, `**` across, `?` one character.
    """


# --- asking ---------------------------------------------------------------------------------------


@owners.command()
@click.argument("target")
@_as_of
@_known_at
@json_option
def show(*, target: str, as_of: str, known_at: str, as_json: bool) -> None:
    """Who answers for TARGET, and every claim on it, those that decide first."""
    with workspace(read_only=True) as ws:
        view = view_at(ws.store, as_of, known_at)
        node = resolve_name(ws.store, target, view, base=str(Path.cwd()))
        standing = standing_of(ws.store, node, view)
        name = display_name_of(ws.store, owned_as(node), view)
    value = plain(standing)
    emit(value, as_json=as_json, human=lambda: print_ownership(standing, name))


@owners.command(name="list")
@click.option("--orphaned", is_flag=True, help="Nobody claims it.")
@click.option("--contested", is_flag=True, help="Equal claims of several teams.")
@click.option("--unaccepted", is_flag=True, help="Claimed, but the team has not accepted.")
@click.option("--team", default="", help="What this team answers for or claims.")
@click.option(
    "--kind", "kinds", multiple=True, help="Kinds to list (default: those that need one)."
)
@_as_of
@_known_at
@json_option
def list_owners(
    *,
    orphaned: bool,
    contested: bool,
    unaccepted: bool,
    team: str,
    kinds: tuple[str, ...],
    as_of: str,
    known_at: str,
    as_json: bool,
) -> None:
    """Artifacts that exist and who answers for them, of the kinds that must have an owner."""
    flags = (orphaned, contested, unaccepted)
    statuses = (Status.ORPHANED, Status.CONTESTED, Status.CLAIMED)
    wanted = {status for flag, status in zip(flags, statuses, strict=True) if flag} or set(Status)
    named = team_of(team) if team else ""
    rows: list[dict[str, Any]] = []
    with workspace(read_only=True) as ws:
        view = view_at(ws.store, as_of, known_at)
        for standing, kind, name in _rows(ws.store, view, kinds or NEED_OWNER):
            if standing.status in wanted and (not named or _concerns(standing, named)):
                rows.append({"name": name, "kind": kind, **plain(standing)})

    def human() -> None:
        for row in rows:
            click.echo(f"{row['status']:<9} {row['team'] or '-':<20} {row['name']}  {row['node']}")
        click.echo(f"{len(rows)} artifacts")

    emit(rows, as_json=as_json, human=human)


def _rows(store: Store, view: View, kinds: tuple[str, ...]) -> Iterator[tuple[Ownership, str, str]]:
    """Ownership, kind and name of every artifact of ``kinds`` that exists at ``view``."""
    # What a thing is called, and is, does not depend on the time that is asked about.
    ever = View(view.position)
    for _, listed in scan_owned(store, view, kinds):
        batch = Batch(store, ever, [each.node for each in listed])
        for each in listed:
            kind = batch.kind(each.node)
            yield each.ownership, kind, batch.name(each.node, kind)


def _concerns(standing: Ownership, team: str) -> bool:
    """A team answers for something, or is one of those in contest over it."""
    return any(claim.team == team for claim in standing.deciding())


# --- changing -------------------------------------------------------------------------------------


@owners.command(name="claim")
@_words
@_scope
@click.option("--source", default=EXPLICIT, show_default=True, help="Where the claim comes from.")
@click.option("--from", "since", default="", help="From when on (default: now).")
@click.option("--until", default="", help="Until when (default: without end).")
@click.option("--reason", default="", help="Why; a claim from before now must say.")
@json_option
def claim_owner(
    *,
    words: tuple[str, ...],
    scope: tuple[str, str] | None,
    source: str,
    since: str,
    until: str,
    reason: str,
    as_json: bool,
) -> None:
    """TEAM is to answer for TARGET. It counts at gates once it is accepted."""
    terms = Terms(
        source,
        micros(since, "--from") if since else None,
        micros(until, "--until") if until else None,
        reason,
    )
    with workspace() as ws:
        target, team = target_of(ws.store, words, scope)
        change = claim(ws.store, target, team, terms, actor=ws.actor, now=now())
        _record(ws, change, as_json=as_json)


@owners.command(name="accept")
@_words
@_scope
@_source
@click.option("--reason", default="", help="Why you accept for a team that you do not belong to.")
@json_option
def accept_owner(
    *,
    words: tuple[str, ...],
    scope: tuple[str, str] | None,
    source: str,
    reason: str,
    as_json: bool,
) -> None:
    """TEAM accepts the claim on TARGET: one of its members does, where they are recorded."""
    with workspace() as ws:
        target, team = target_of(ws.store, words, scope)
        try:
            change = accept(
                ws.store, target, team, actor=ws.actor, now=now(), source=source, reason=reason
            )
        except OwnershipError as fault:
            if fault.code != "already-accepted":
                raise
            # Said again, it is as it should be: a script may run twice.
            said = fault.message
            value = {"seq": None, "message": said}
            emit(value, as_json=as_json, human=lambda: click.echo(said))
            return
        _record(ws, change, as_json=as_json)


@owners.command(name="retract")
@_words
@_scope
@_source
@click.option("--reason", default="", help="Why.")
@json_option
def retract_owner(
    *,
    words: tuple[str, ...],
    scope: tuple[str, str] | None,
    source: str,
    reason: str,
    as_json: bool,
) -> None:
    """The claim of TEAM on TARGET holds no longer, from now on."""
    with workspace() as ws:
        target, team = target_of(ws.store, words, scope)
        change = retract(
            ws.store, target, team, actor=ws.actor, now=now(), source=source, reason=reason
        )
        _record(ws, change, as_json=as_json)


def _record(
    ws: Workspace, change: OwnerClaimed | OwnerAccepted | OwnerRetracted, *, as_json: bool
) -> None:
    (receipt,) = ws.recorder.record_changes([change], source=SOURCE, actor=ws.actor)
    view = View(receipt.seq, max(now(), change.event_at))
    before = standing_of(ws.store, change.target, View(receipt.seq - 1, view.as_of))
    standing = standing_of(ws.store, change.target, view)
    name = display_name_of(ws.store, change.target, view)
    notes = notes_on(ws.store, change, ws.actor, before, standing, receipt.seq)
    value = {
        "seq": receipt.seq, "kind": change.kind, "ownership": plain(standing), "notes": notes,
    }  # fmt: skip
    emit(value, as_json=as_json, human=lambda: print_ownership(standing, name))
    for note in () if as_json else notes:
        click.echo(note, err=True)


owners.add_command(team)
