"""`lineage owners team`: teams and who belongs to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from lineage.cli.context import emit, json_option, workspace
from lineage.cli.owning import SOURCE, now
from lineage.errors import OwnershipError
from lineage.model.changes import Change, MemberAdded, MemberRemoved, TeamDescribed
from lineage.model.claims import StateType
from lineage.model.ids import PERSON, TEAM, parse_id
from lineage.ownership.changes import team_of
from lineage.store.contract import Store, View
from lineage.wiring import Workspace

__all__ = ["team"]

_PAGE = 500


@click.group()
def team() -> None:
    """Teams and their members."""


@team.command(name="add")
@click.argument("name")
@click.option("--title", default="", help="What people call it.")
@json_option
def add_team(*, name: str, title: str, as_json: bool) -> None:
    """Make a team known."""
    attributes = {"title": title} if title else {}
    change = TeamDescribed(event_at=now(), team=team_of(name), attributes=attributes)
    with workspace() as ws:
        _record(ws, change, change.team, as_json=as_json)


@team.command(name="member")
@click.argument("name")
@click.option("--person", default="", help="person:ID (default: you).")
@click.option("--role", default="member", show_default=True)
@click.option("--remove", is_flag=True, help="The person belongs to it no longer.")
@json_option
def set_member(*, name: str, person: str, role: str, remove: bool, as_json: bool) -> None:
    """A person belongs to a team."""
    with workspace() as ws:
        who = person or ws.actor.id
        if parse_id(who).cls != PERSON:
            raise OwnershipError(f"not a person: {who!r:.100}", hint="name it like person:ID")
        change: Change
        if remove:
            change = MemberRemoved(event_at=now(), person=who, team=team_of(name))
        else:
            change = MemberAdded(event_at=now(), person=who, team=team_of(name), role=role)
        _record(ws, change, team_of(name), as_json=as_json)


@team.command(name="list")
@json_option
def list_teams(*, as_json: bool) -> None:
    """Every team that was named, with its members."""
    with workspace(read_only=True) as ws:
        view = View(ws.store.head().seq, now())
        rows = [_team_row(ws.store, node, view) for node in _all_teams(ws.store, view)]

    def human() -> None:
        for row in rows:
            people = ", ".join(f"{who} ({role})" for who, role in row["members"].items())
            click.echo(f"{row['team']:<24} {people or 'no members'}")
        click.echo(f"{len(rows)} teams")

    emit(rows, as_json=as_json, human=human)


def _record(ws: Workspace, change: Change, node: str, *, as_json: bool) -> None:
    (receipt,) = ws.recorder.record_changes([change], source=SOURCE, actor=ws.actor)
    row = _team_row(ws.store, node, View(receipt.seq, max(now(), change.event_at)))
    people = ", ".join(row["members"]) or "no members"
    value = {"seq": receipt.seq, **row}
    emit(value, as_json=as_json, human=lambda: click.echo(f"{node}  {people}"))


def _all_teams(store: Store, view: View) -> Iterator[str]:
    after = ""
    while ids := store.page(view, classes=[TEAM], after=after, limit=_PAGE):
        yield from ids
        after = ids[-1]


def _team_row(store: Store, node: str, view: View) -> dict[str, Any]:
    members = store.states(view, objects=[node], types=[StateType.MEMBER_OF])
    return {"team": node, "members": {state.subject: state.value for state in members}}
