"""`lineage redact`: erasing what was recorded, everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lineage.cli.context import counted, emit, json_option, workspace
from lineage.cli.progress import progress
from lineage.cli.redacting import (
    handed_out,
    order_of,
    planned,
    print_proposal,
    print_reach,
    reason_option,
    tell,
)
from lineage.errors import AmbiguousNameError, UnknownNameError
from lineage.query.names import resolve_name
from lineage.record.redact.erase import redact as redact_all
from lineage.record.redact.people import Tick, people_called
from lineage.record.redact.plan import Plan, plan_entries, plan_person
from lineage.record.redact.proposing import propose
from lineage.record.redact.rules import people_needed
from lineage.store.contract import View
from lineage.wiring import Workspace, erasing_places

__all__ = ["redact"]


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="ENTRY... | PERSON")
@reason_option
@click.option("--dry-run", is_flag=True, help="Say what would go; nothing is recorded or erased.")
@json_option
def redact(*, targets: tuple[str, ...], reason: str, dry_run: bool, as_json: bool) -> None:
    """Erase the bodies of entries (by position), or a PERSON from every entry that tells of them.

    A person is named by id, or by a name, address or login that the record tells of them.
    Everything goes but names: from the store's file, spool, backlog, dead letters, blobs,
    archives and backups. Exit 1 if something is left to be done by hand. Where the store asks for
    two people this only proposes it. After a failure or a crash, repeat the command.
    """
    with workspace(read_only=dry_run) as ws, progress("looking", ws.store.head().seq) as tick:
        plan = _plan(ws, targets, tick)
        order = order_of(ws, reason)
        places = erasing_places(ws)
        value: dict[str, Any] = planned(plan)
        if dry_run:
            value["copies"] = [
                {"kind": copy.kind, "place": copy.place}
                for copy in places.reached(new=bool(plan.new))
            ]
            value["handed_out"] = handed_out(ws, plan)
            emit(value, as_json=as_json, human=lambda: _print_plan(value))
        elif people_needed(ws.store) > 1 and plan.new:
            proposal = propose(ws.recorder, plan, order)
            value["proposal"] = proposal.id
            emit(value, as_json=as_json, human=lambda: print_proposal(proposal, len(plan.new)))
        else:
            value["handed_out"] = handed_out(ws, plan)
            tell(redact_all(places, plan, order, tick), value, as_json=as_json)


def _plan(ws: Workspace, targets: tuple[str, ...], tick: Tick) -> Plan:
    if all(target.isdecimal() for target in targets):
        return plan_entries(ws.store, ws.blobs, [int(target) for target in targets], tick)
    if len(targets) > 1:
        raise click.UsageError("name entries by their positions, or one person")
    return plan_person(ws.store, ws.blobs, _person(ws, targets[0], tick), tick=tick)


def _person(ws: Workspace, text: str, tick: Tick) -> str:
    """The one whom a text means, in whatever way: what is erased of somebody else is gone.

    Raises ``UnknownNameError``, ``AmbiguousNameError`` whose ``candidates`` are ids.
    """
    found = set(people_called(ws.store, text.removeprefix("person:"), tick))
    try:
        found.add(resolve_name(ws.store, text, View(ws.store.head().seq), base=str(Path.cwd())))
    except AmbiguousNameError as fault:
        found.update(fault.where["candidates"])
    except UnknownNameError:
        pass  # what a run told of somebody is no name of theirs
    people = sorted(each for each in found if each.startswith("person:"))
    if len(people) > 1:
        hint = "use one of the ids"
        raise AmbiguousNameError(
            f"{text!r:.200} means {len(people)} people", candidates=people[:10], hint=hint
        )
    if people:
        return people[0]
    if erasing_places(ws).unfinished():
        hint = "what was redacted and is not erased yet: `lineage redactions finish`"
    else:
        hint = "entries that hold a text: `lineage ledger list --grep TEXT`; redact by position"
    other = f"{next(iter(found))} is no person" if found else f"nobody is known by {text!r:.200}"
    raise UnknownNameError(other, hint=hint)


def _print_plan(value: dict[str, Any]) -> None:
    for entry in value["entries"]:
        note = "  (redacted already)" if entry["redacted_already"] else ""
        click.echo(f"{entry['seq']:>8}  {entry['kind']:<22}  {entry['source']}{note}")
    entries = counted(len(value["entries"]), "entry", "entries")
    click.echo(f"{entries}, {counted(len(value['blobs_to_erase']), 'blob')}")
    for copy in value["copies"]:
        click.echo(f"would be rewritten  {copy['kind']} {copy['place']}")
    print_reach(value)
