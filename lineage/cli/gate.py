"""`lineage gate`: may this be done to that? Exit 0 allow, 1 deny, 2 could not decide.

Whatever goes wrong is 2: a pipeline that asks must not take a broken installation, an unknown name
or a store that is away for an answer. So everything beyond the command line is imported and done
inside one try.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from lineage.ownership.gate import Decision

__all__ = ["gate"]

UNDECIDED = 2
_COLOURS = {"allow": "green", "deny": "red"}


@click.command()
@click.argument("action")
@click.argument("subject", metavar="ID")
@click.option(
    "--policy", type=click.Path(path_type=Path), help="A policy file instead of the default."
)
@click.option("--no-record", is_flag=True, help="Decide without recording the decision.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def gate(
    ctx: click.Context,
    *,
    action: str,
    subject: str,
    policy: Path | None,
    no_record: bool,
    as_json: bool,
) -> None:
    """Decide whether ACTION (deploy) may be done to ID.

    ID is a version, or an artifact: then its latest version. Exit 0: allow. 1: deny. 2: could not
    decide, which means no.
    """
    try:
        status = _gate(action, subject, policy, record=not no_record, as_json=as_json)
    except (Exception, KeyboardInterrupt) as fault:  # noqa: BLE001  # no error is an answer
        _show(fault, as_json=as_json)
        status = UNDECIDED
    ctx.exit(status)


def _gate(action: str, subject: str, path: Path | None, *, record: bool, as_json: bool) -> int:
    from lineage.cli.context import emit, workspace
    from lineage.ownership.gate import decide
    from lineage.ownership.policy import default_policy, read_policy
    from lineage.query.names import resolve_name
    from lineage.store.contract import View

    policy = default_policy(action) if path is None else read_policy(path, action)
    with workspace(read_only=not record) as ws:
        view = View(ws.store.head().seq)
        node = resolve_name(ws.store, subject, view, base=str(Path.cwd()))
        now = time.time_ns() // 1000
        decision = decide(ws.store, node, policy, now=now)
        seq = None
        if record:
            change = decision.change(actor=ws.actor, now=now)
            (receipt,) = ws.recorder.record_changes([change], source="lineage:cli", actor=ws.actor)
            seq = receipt.seq
    value = {**decision.as_dict(), "seq": seq}
    emit(value, as_json=as_json, human=lambda: _print(decision, seq))
    return decision.verdict.exit_status


def _show(fault: BaseException, *, as_json: bool) -> None:
    """Why it could not be decided, on stderr."""
    try:
        from lineage.cli.context import show_error
        from lineage.errors import LineageError

        if isinstance(fault, LineageError):
            show_error(fault, as_json=as_json)
        else:
            click.echo(f"error: {type(fault).__name__}: {fault}", err=True)
        if not as_json:
            click.echo("could not decide, which means no (exit 2)", err=True)
    except Exception:  # noqa: BLE001, S110  # stderr may be gone too; the status still tells
        pass


def _print(decision: Decision, seq: int | None) -> None:
    evidence, verdict = decision.evidence, decision.verdict.value
    shown = {"undecided": "could not decide"}.get(verdict, verdict)
    styled = click.style(shown, fg=_COLOURS.get(verdict, "yellow"), bold=True)
    click.echo(f"{styled}  {evidence.action} {decision.subject}")
    if verdict != "allow":
        for one in decision.blocking:
            click.echo(f"\n  {one.name}  {one.node}")
            click.echo(f"    {one.why}")
            for command in one.remedy.commands:
                click.echo(f"    $ {command}")
            if one.remedy.advice:
                click.echo(f"    {one.remedy.advice}")
        click.echo()
    recorded = "not recorded" if seq is None else f"recorded as {seq}"
    click.echo(
        f"  upstream: {_count(len(evidence.artifacts), 'artifact')}, "
        f"{_count(len(evidence.runs), 'run')}; "
        f"policy {decision.policy.name} {decision.policy.sha256[:12]}, "
        f"position {evidence.position}, {recorded}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
