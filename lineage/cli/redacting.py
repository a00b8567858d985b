"""What the commands that redact share: the order, and what is told of a plan and its outcome."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import click

from lineage.cli.context import counted, emit
from lineage.cli.owning import now
from lineage.errors import RefusedError
from lineage.model.canonical import iso
from lineage.record.audit import accesses
from lineage.record.redact.erase import Order, Report
from lineage.record.redact.plan import Plan
from lineage.record.redact.rules import Proposal
from lineage.wiring import Workspace, open_store

__all__ = [
    "handed_out",
    "order_of",
    "planned",
    "print_proposal",
    "print_reach",
    "reason_option",
    "tell",
]

reason_option = click.option(
    "--reason", required=True, help="Why. It stays in the record for good: name no person in it."
)


def order_of(ws: Workspace, reason: str, proposal: str = "") -> Order:
    """Why, by whom and when: now, or where this clock is behind, as of the ledger's end."""
    if not reason.strip():
        raise RefusedError("no reason is given", code="bad-argument", hint="--reason TEXT")
    # Of several redactions the latest stands: this clock may be behind the ledger's.
    at = max(now(), ws.store.head().recorded_at)
    return Order(reason, ws.actor, at, proposal)


def planned(plan: Plan) -> dict[str, Any]:
    """A plan as plain data."""
    entries = [
        {"seq": t.seq, "kind": t.kind, "source": t.ref.source, "event_id": t.ref.event_id,
         "redacted_already": not t.new}
        for t in plan.targets
    ]  # fmt: skip
    blobs = sorted(plan.blobs)
    return {"entries": entries, "blobs_to_erase": blobs, "in_names": plan.in_names,
            "person": plan.person or None}  # fmt: skip


def handed_out(ws: Workspace, plan: Plan) -> list[dict[str, Any]]:
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


def print_reach(value: dict[str, Any]) -> None:
    """What no redaction reaches: names, and what is in other hands."""
    if count := value.get("in_names"):
        have = "entry has" if count == 1 else "entries have"
        click.echo(f"{count:,} {have} it in names, which stay")
    for each in value.get("handed_out", ()):
        click.echo(f"handed out {each['what']} {each['place']}, {each['at']} to {each['by']}")


def print_proposal(proposal: Proposal, targets: int) -> None:
    """What was proposed, and how it goes on."""
    entries = counted(targets, "entry", "entries")
    what = entries if proposal.change.people is None else "another rule"
    click.echo(f"proposed ({what}): {proposal.id}")
    click.echo(f"somebody else runs: lineage redactions approve {proposal.id[:20]}")


def tell(report: Report, value: dict[str, Any], *, as_json: bool) -> None:
    """What was done; exit 1 if something is left to be done by hand."""
    value |= report.as_dict()

    def human() -> None:
        click.echo(
            f"{counted(report.redacted, 'entry', 'entries')} redacted; erased: "
            f"{counted(report.waiting, 'waiting change')}, "
            f"{counted(report.letters, 'dead letter')}, {counted(report.blobs, 'blob')}"
        )
        for place in report.rewritten:
            click.echo(f"rewritten  {place}")
        print_reach(value)
        for each in report.reminders:
            click.echo(f"remember   {each.place}: {each.why}")
        for left in report.left:
            click.echo(f"LEFT       {left.place}: {left.why}")

    emit(value, as_json=as_json, human=human)
    if report.left:
        raise click.exceptions.Exit(1)
