"""`lineage pin`: keep the table versions that something was made from."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from lineage.cli.context import emit, json_option, show_error, workspace
from lineage.errors import InputError, LineageError
from lineage.model.changes import PinCreated, PinRemoved
from lineage.model.claims import StateType
from lineage.model.ids import token_of
from lineage.query.names import resolve_name
from lineage.reproduce.needs import Needs, needs_of, table_path
from lineage.reproduce.pin import Pin, find_pin, pin_version, remove_pin
from lineage.store.contract import View
from lineage.wiring import Workspace

__all__ = ["pin", "pin_and_record"]

_SOURCE = "lineage.pin"


@click.command()
@click.argument("name", metavar="[ID]", required=False)
@click.option("--copy", is_flag=True, help="Copy files where links are impossible.")
@click.option("--list", "listed", is_flag=True, help="List pins.")
@click.option("--remove", is_flag=True, help="Give the pins of ID up.")
@click.option("--reason", default="", help="Why; kept with the record.")
@json_option
def pin(
    *, name: str | None, copy: bool, listed: bool, remove: bool, reason: str, as_json: bool
) -> None:
    """Keep what ID needs: the table versions a model or a run was made from, or a table version.

    A pin is a clone of one version beside its table, of hard links: it costs no space, and survives
    every vacuum of the table.
    """
    if listed == bool(name) or (listed and remove):
        raise click.UsageError("say one of: ID, --list, --remove ID")
    if listed:
        known = _listed()
        emit({"pins": known}, as_json=as_json, human=lambda: _print_list(known))
        return
    with workspace() as ws:
        view = View(ws.store.head().seq)
        node = resolve_name(ws.store, name or "", view, base=str(Path.cwd()))
        needs = needs_of(ws.store, node, view)
        if remove:
            removed = [row for need in needs.versions for row in _remove(ws, need, view)]
            value = {"subject": node, "removed": removed}
            emit(value, as_json=as_json, human=lambda: _print_removed(removed))
            return
        if not needs.versions:
            raise _nothing_to_pin(node, needs)
        rows: list[dict[str, Any]] = []
        faults: list[LineageError] = []
        for need in needs.versions:
            try:
                made = pin_and_record(ws, need, view, copy=copy, reason=reason)
                rows.append(_as_row(need, made))
            except LineageError as fault:
                faults.append(fault)
    value = {"subject": node, "pins": rows, "unresolved": needs.unresolved,
             "faults": [one.as_dict() for one in faults]}  # fmt: skip
    emit(value, as_json=as_json, human=lambda: _print_pins(rows, needs.unresolved))
    for other in faults[1:]:
        show_error(other, as_json=as_json)
    if faults:
        raise faults[0]


def pin_and_record(
    ws: Workspace, version: str, view: View, *, copy: bool = False, reason: str = ""
) -> Pin:
    """Pin a table version by its id, and record it where that is new to the record."""
    table = table_path(ws.store, version, view)
    made = pin_version(table, token_of(version), copy=copy)
    known = ws.store.states(view, subjects=[version], types=[StateType.PINNED_BY])
    if made.new or str(made.location) not in {state.object for state in known}:
        change = PinCreated(
            event_at=time.time_ns() // 1000, target=version, location=str(made.location),
            method=made.method, files=made.files, bytes=made.bytes,
            bytes_copied=made.bytes_copied, reason=reason,
        )  # fmt: skip
        ws.recorder.record_changes([change], source=_SOURCE, actor=ws.actor)
    return made


def _remove(ws: Workspace, version: str, view: View) -> list[dict[str, str]]:
    token = token_of(version)
    table = table_path(ws.store, version, view)
    location = find_pin(table, token)
    places = {
        state.object
        for state in ws.store.states(view, subjects=[version], types=[StateType.PINNED_BY])
    }
    if location is not None:
        places.add(str(location))
        remove_pin(table, token)
    now = time.time_ns() // 1000
    changes = [PinRemoved(event_at=now, target=version, location=place) for place in sorted(places)]
    if changes:
        ws.recorder.record_changes(changes, source=_SOURCE, actor=ws.actor)
    return [{"version": version, "location": place} for place in sorted(places)]


def _listed() -> list[dict[str, Any]]:
    from lineage.reproduce.delta import lost_reason

    with workspace(read_only=True) as ws:
        pinned = ws.store.states(View(ws.store.head().seq), types=[StateType.PINNED_BY])
    return [
        {
            "version": state.subject,
            "location": state.object,
            "since": state.since,
            "fault": lost_reason(state.object, token_of(state.subject)),
        }
        for state in pinned
    ]


def _nothing_to_pin(node: str, needs: Needs) -> LineageError:
    if needs.unresolved:
        return InputError(
            f"{node} used tables of which no version is known: {', '.join(needs.unresolved)}",
            hint="watch the tables (`lineage watch delta PATH --once`): then uses find versions",
        )
    return InputError(f"{node} used no tables: there is nothing to pin")


def _as_row(version: str, made: Pin) -> dict[str, Any]:
    return {
        "version": version,
        "location": str(made.location),
        "method": made.method,
        "files": made.files,
        "bytes": made.bytes,
        "bytes_copied": made.bytes_copied,
        "new": made.new,
    }


# --- for people


def _print_pins(rows: list[dict[str, Any]], unresolved: list[str]) -> None:
    for row in rows:
        state = "pinned" if row["new"] else "was pinned already"
        cost = f"{row['bytes_copied']:,} bytes copied" if row["bytes_copied"] else "no space"
        click.echo(f"{state}  {row['version']}")
        click.echo(
            f"        {row['files']} files, {row['bytes']:,} bytes by {row['method']} ({cost})"
        )
        click.echo(f"        {row['location']}")
    for table in unresolved:
        click.echo(f"not pinned, no version is known: {table}", err=True)


def _print_removed(removed: list[dict[str, str]]) -> None:
    for row in removed:
        click.echo(f"removed  {row['location']}")
    if not removed:
        click.echo("there was no pin")


def _print_list(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        click.echo(f"{'damaged' if row['fault'] else 'whole  '}  {row['version']}")
        click.echo(f"         {row['location']}")
        if row["fault"]:
            click.echo(f"         {row['fault']}")
    if not rows:
        click.echo("no pins")
