"""`lineage redactions`: who may redact, what was redacted, and what is left to be done."""

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
    reason_option,
    tell,
)
from lineage.errors import UnknownNameError
from lineage.model.canonical import iso
from lineage.record.redact.erase import finish
from lineage.record.redact.erase import redact as redact_all
from lineage.record.redact.history import redactions as recorded
from lineage.record.redact.proposing import find_proposal, plan_of, rule
from lineage.record.redact.rules import Proposal, people_needed, proposals
from lineage.store.contract import Store
from lineage.wiring import Workspace, erasing_places

__all__ = ["redactions"]

_SHOWN = 8
"""How many positions of one redaction are printed."""


@click.group()
def redactions() -> None:
    """Who may redact, what was redacted, what waits to be approved, what is left to be erased."""


@redactions.command(name="list")
@json_option
def list_redactions(*, as_json: bool) -> None:
    """The rule, what was redacted, proposals that wait, copies, and whether anything is left."""
    with workspace(read_only=True) as ws:
        waiting = [each for each in proposals(ws.store) if not each.done(ws.store)]
        places = erasing_places(ws)
        value = {
            "people": people_needed(ws.store),
            "redactions": _done(ws.store),
            "proposals": [_shown(each) for each in waiting],
            "unfinished": places.unfinished(),
            "copies": [{"kind": c.kind, "place": c.place, "made_at": iso(c.made_at)}
                       for c in places.copies.all()],
        }  # fmt: skip
    emit(value, as_json=as_json, human=lambda: _print_list(value))


def _done(store: Store) -> list[dict[str, Any]]:
    """What was redacted: one of each command, however many entries it was of."""
    found: dict[tuple[int, str, str, str], list[int]] = {}
    for each in recorded(store):
        change = each.change
        key = (change.event_at, each.entry.actor.id, change.reason, change.proposal)
        seq = store.find(change.source, change.event_id)
        found.setdefault(key, []).extend([] if seq is None else [seq])
    return [
        {"at": iso(at), "by": by, "reason": reason, "proposal": proposal or None,
         "entries": sorted(set(seqs))}
        for (at, by, reason, proposal), seqs in found.items()
    ]  # fmt: skip


def _shown(each: Proposal) -> dict[str, Any]:
    return {
        "id": each.id, "by": each.entry.actor.id, "at": iso(each.entry.recorded_at),
        "reason": each.change.reason, "entries": len(each.change.targets),
        "person": each.change.person, "people": each.change.people,
    }  # fmt: skip


def _print_list(value: dict[str, Any]) -> None:
    click.echo(f"a redaction takes {_people(value['people'])}")
    for each in value["redactions"]:
        seqs = each["entries"]
        named = ", ".join(map(str, seqs[:_SHOWN])) + (", ..." if len(seqs) > _SHOWN else "")
        entries = f"{counted(len(seqs), 'entry', 'entries')} ({named or 'not here yet'})"
        click.echo(f"redacted  at {each['at']}  by {each['by']}  {entries}")
        click.echo(f"          reason: {each['reason']}")
    for each in value["proposals"]:
        entries = counted(each["entries"], "entry", "entries")
        what = f"the rule: {_people(each['people'])}" if each["people"] else entries
        whose = f" of {each['person']}" if each["person"] else ""
        click.echo(f"proposed  at {each['at']}  by {each['by']}  {what}{whose}")
        click.echo(f"          reason: {each['reason']}")
        click.echo(f"          approve: lineage redactions approve {each['id'][:20]}")
    for copy in value["copies"]:
        click.echo(f"copy      at {copy['made_at']}  {copy['kind']} {copy['place']}")
    if value["unfinished"]:
        click.echo("not everything redacted is erased yet: lineage redactions finish")


def _people(count: int) -> str:
    return "one person" if count == 1 else "two people"


@redactions.command()
@click.argument("proposal")
@json_option
def approve(*, proposal: str, as_json: bool) -> None:
    """Approve what somebody else proposed, and do it. Repeat after a failure or a crash."""
    with workspace() as ws, progress("looking", ws.store.head().seq) as tick:
        found = find_proposal(ws.store, proposal)
        order = order_of(ws, found.change.reason, found.id)
        if found.change.people is not None:
            rule(ws.recorder, found.change.people, order)
            _emit_rule(ws, as_json=as_json)
            return
        plan = plan_of(ws.store, ws.blobs, found, tick)
        value = {"proposal": found.id, **planned(plan), "handed_out": handed_out(ws, plan)}
        tell(redact_all(erasing_places(ws), plan, order, tick), value, as_json=as_json)


@redactions.command()
@click.argument("people", type=click.IntRange(1, 2))
@reason_option
@json_option
def require(*, people: int, reason: str, as_json: bool) -> None:
    """Let redactions take one person or two from here on. Going back to one takes two."""
    with workspace() as ws:
        proposal = rule(ws.recorder, people, order_of(ws, reason))
        if proposal is None:
            _emit_rule(ws, as_json=as_json)
            return
    value = {"proposal": proposal.id}
    emit(value, as_json=as_json, human=lambda: print_proposal(proposal, 0))


def _emit_rule(ws: Workspace, *, as_json: bool) -> None:
    people = people_needed(ws.store)
    emit(
        {"people": people},
        as_json=as_json,
        human=lambda: click.echo(f"a redaction takes {_people(people)} from here on"),
    )


@redactions.command(name="finish")
@json_option
def finish_command(*, as_json: bool) -> None:
    """Erase what was redacted, in whatever way, and is not erased yet. Exit 1 if some is left."""
    with workspace() as ws, progress("reading", ws.store.head().seq) as tick:
        report = finish(erasing_places(ws), tick)
    tell(report, {}, as_json=as_json)


@redactions.command()
@click.argument("place")
@json_option
def forget(*, place: str, as_json: bool) -> None:
    """A backup or archive was deleted by hand: redactions need not reach it any more."""
    with workspace(read_only=True) as ws:
        copies = erasing_places(ws).copies
        known = copies.forget(place) or copies.forget(str(Path(place).absolute()))
    if not known:
        raise UnknownNameError(
            f"no backup or archive at {place} is known",
            hint="`lineage redactions list --json` lists them",
        )
    emit({"forgotten": place}, as_json=as_json, human=lambda: click.echo(f"{place}  forgotten"))
