"""`lineage redact`, `lineage redactions`: erasing what was recorded, everywhere."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import click

from lineage.cli.context import emit, json_option, workspace
from lineage.cli.owning import now
from lineage.cli.progress import progress
from lineage.errors import RefusedError, UnknownNameError
from lineage.model.canonical import iso
from lineage.query.names import resolve_name
from lineage.record.audit import accesses
from lineage.record.redact.erase import Order, Report, finish
from lineage.record.redact.erase import redact as redact_all
from lineage.record.redact.plan import Plan, Tick, plan_entries, plan_person
from lineage.record.redact.proposing import find_proposal, plan_of, propose, rule
from lineage.record.redact.rules import Proposal, people_needed, proposals
from lineage.store.contract import View
from lineage.wiring import Workspace, erasing_places, open_store

__all__ = ["redact", "redactions"]

_reason = click.option(
    "--reason", required=True, help="Why. It stays in the record for good: name no person in it."
)


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="ENTRY... | PERSON")
@_reason
@click.option("--dry-run", is_flag=True, help="Say what would go; nothing is recorded or erased.")
@json_option
def redact(*, targets: tuple[str, ...], reason: str, dry_run: bool, as_json: bool) -> None:
    """Erase the bodies of entries (by position), or a PERSON from every entry that tells of them.

    Everything goes but names: from the store's file, spool, backlog, dead letters, blobs,
    archives and backups. Exit 1 if something is left to be done by hand. Where the store asks for
    two people this only proposes it. After a failure or a crash, repeat the command.
    """
    with workspace(read_only=dry_run) as ws, progress("looking", ws.store.head().seq) as tick:
        plan = _plan(ws, targets, tick)
        value: dict[str, Any] = _planned(plan)
        order = _order(ws, reason)
        if dry_run:
            emit(value, as_json=as_json, human=lambda: _print_plan(value))
        elif people_needed(ws.store) > 1 and plan.new:
            proposal = propose(ws.recorder, plan, order)
            value["proposal"] = proposal.id
            emit(value, as_json=as_json, human=lambda: _print_proposal(proposal, len(plan.new)))
        else:
            value["handed_out"] = _handed_out(ws, plan)
            _tell(redact_all(erasing_places(ws), plan, order, tick), value, as_json=as_json)


def _plan(ws: Workspace, targets: tuple[str, ...], tick: Tick) -> Plan:
    if all(target.isdecimal() for target in targets):
        return plan_entries(ws.store, ws.blobs, [int(target) for target in targets], tick)
    if len(targets) > 1:
        raise click.UsageError("name entries by their positions, or one person")
    view = View(ws.store.head().seq)
    person = resolve_name(ws.store, targets[0], view, base=str(Path.cwd()))
    if not person.startswith("person:"):
        raise UnknownNameError(
            f"{person} is no person",
            hint="name a person, or entries by position: `lineage ledger list`, `lineage show`",
        )
    return plan_person(ws.store, ws.blobs, person, tick=tick)


def _order(ws: Workspace, reason: str, proposal: str = "") -> Order:
    if not reason.strip():
        raise RefusedError("no reason is given", code="bad-argument", hint="--reason TEXT")
    # Of several redactions the latest stands: this clock may be behind the ledger's.
    at = max(now(), ws.store.head().recorded_at)
    return Order(reason, ws.actor, at, proposal)


def _planned(plan: Plan) -> dict[str, Any]:
    entries = [
        {"seq": t.seq, "kind": t.kind, "source": t.ref.source, "event_id": t.ref.event_id,
         "redacted_already": not t.new}
        for t in plan.targets
    ]  # fmt: skip
    blobs = sorted(plan.blobs)
    return {"entries": entries, "blobs_to_erase": blobs, "in_names": plan.in_names}


def _handed_out(ws: Workspace, plan: Plan) -> list[dict[str, Any]]:
    """Exports and proofs that hold what is redacted: they are in other hands now."""
    settings = ws.settings.audit
    if not plan.targets or not settings.store_path.exists():
        return []
    with closing(open_store(settings, read_only=True)) as log:
        return [
            {"what": access.what, "at": iso(entry.recorded_at), "by": entry.actor.id,
             "place": access.place, "purpose": access.purpose}
            for entry, access in accesses(log, seqs=[target.seq for target in plan.targets])
            if access.what in {"export", "proof", "rebuild"}
        ]  # fmt: skip


def _print_plan(value: dict[str, Any]) -> None:
    for entry in value["entries"]:
        note = "  (redacted already)" if entry["redacted_already"] else ""
        click.echo(f"{entry['seq']:>8}  {entry['kind']:<22}  {entry['source']}{note}")
    click.echo(f"{len(value['entries'])} entries, {len(value['blobs_to_erase'])} blobs")
    if value["in_names"]:
        click.echo(f"{value['in_names']} entries have it in names, which stay")


def _print_proposal(proposal: Proposal, targets: int) -> None:
    what = f"{targets} entries" if proposal.change.people is None else "another rule"
    click.echo(f"proposed ({what}): {proposal.id}")
    click.echo(f"somebody else runs: lineage redactions approve {proposal.id[:20]}")


def _tell(report: Report, value: dict[str, Any], *, as_json: bool) -> None:
    value |= report.as_dict()

    def human() -> None:
        click.echo(
            f"{report.redacted} entries redacted; erased: {report.waiting} waiting changes, "
            f"{report.letters} dead letters, {report.blobs} blobs"
        )
        if value.get("in_names"):
            click.echo(f"{value['in_names']} entries have it in names, which stay")
        for place in report.rewritten:
            click.echo(f"rewritten  {place}")
        for each in value.get("handed_out", ()):
            click.echo(f"handed out {each['what']} {each['place']}, {each['at']} to {each['by']}")
        for left in report.left:
            click.echo(f"LEFT       {left.place}: {left.why}")

    emit(value, as_json=as_json, human=human)
    if report.left:
        raise click.exceptions.Exit(1)


@click.group()
def redactions() -> None:
    """Who may redact, what waits to be approved, and what is left to be erased."""


@redactions.command(name="list")
@json_option
def list_redactions(*, as_json: bool) -> None:
    """The rule, proposals that wait, and whether anything is left to be erased."""
    with workspace(read_only=True) as ws:
        waiting = [each for each in proposals(ws.store) if not each.done(ws.store)]
        places = erasing_places(ws)
        value = {
            "people": people_needed(ws.store),
            "proposals": [_shown(each) for each in waiting],
            "unfinished": places.unfinished(),
            "copies": [{"kind": c.kind, "place": c.place, "made_at": iso(c.made_at)}
                       for c in places.copies.all()],
        }  # fmt: skip

    def human() -> None:
        click.echo(f"a redaction takes {value['people']}")
        for each in map(_shown, waiting):
            what = (
                each["person"] or (each["people"] and f"rule: {each['people']}") or each["entries"]
            )
            click.echo(f"proposed {each['id'][:20]}  {each['at']}  {each['by']}  {what}")
            click.echo(f"         {each['reason']}")
        if value["unfinished"]:
            click.echo("not everything redacted is erased yet: lineage redactions finish")

    emit(value, as_json=as_json, human=human)


def _shown(each: Proposal) -> dict[str, Any]:
    return {
        "id": each.id, "by": each.entry.actor.id, "at": iso(each.entry.recorded_at),
        "reason": each.change.reason, "entries": len(each.change.targets),
        "person": each.change.person, "people": each.change.people,
    }  # fmt: skip


@redactions.command()
@click.argument("proposal")
@json_option
def approve(*, proposal: str, as_json: bool) -> None:
    """Approve what somebody else proposed, and do it. Repeat after a failure or a crash."""
    with workspace() as ws, progress("looking", ws.store.head().seq) as tick:
        found = find_proposal(ws.store, proposal)
        order = _order(ws, found.change.reason, found.id)
        if found.change.people is not None:
            rule(ws.recorder, found.change.people, order)
            _emit_rule(ws, as_json=as_json)
            return
        plan = plan_of(ws.store, ws.blobs, found, tick)
        value = {"proposal": found.id, **_planned(plan), "handed_out": _handed_out(ws, plan)}
        _tell(redact_all(erasing_places(ws), plan, order, tick), value, as_json=as_json)


@redactions.command()
@click.argument("people", type=click.IntRange(1, 2))
@_reason
@json_option
def require(*, people: int, reason: str, as_json: bool) -> None:
    """Let redactions take one person or two from here on. Going back to one takes two."""
    with workspace() as ws:
        proposal = rule(ws.recorder, people, _order(ws, reason))
        if proposal is None:
            _emit_rule(ws, as_json=as_json)
            return
    value = {"proposal": proposal.id}
    emit(value, as_json=as_json, human=lambda: _print_proposal(proposal, 0))


def _emit_rule(ws: Workspace, *, as_json: bool) -> None:
    people = people_needed(ws.store)
    said = "one person" if people == 1 else "two people"
    emit(
        {"people": people},
        as_json=as_json,
        human=lambda: click.echo(f"a redaction takes {said} from here on"),
    )


@redactions.command(name="finish")
@json_option
def finish_command(*, as_json: bool) -> None:
    """Erase what was redacted, in whatever way, and is not erased yet. Exit 1 if some is left."""
    with workspace() as ws, progress("reading", ws.store.head().seq) as tick:
        report = finish(erasing_places(ws), tick)
    _tell(report, {}, as_json=as_json)


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
