"""`lineage check`: can a run be reproduced, and if not, why."""

from __future__ import annotations

import click

from lineage.cli.context import emit, json_option, workspace
from lineage.cli.reproducing import (
    cannot_run,
    find,
    preflight_as_dict,
    print_findings,
    steps,
    surroundings,
    verdict_line,
)
from lineage.reproduce import rerun

__all__ = ["check"]


@click.command()
@click.argument("name", metavar="ID")
@json_option
@click.pass_context
def check(ctx: click.Context, *, name: str, as_json: bool) -> None:
    """Say whether a run can be reproduced, and name every reason against it.

    ID is a run, or what a run made: an id, model:NAME, a path. Nothing is run and nothing changes.
    Exit code: 0 REPRODUCIBLE, 1 DEGRADED, 2 LOST or ERASED.
    """
    with workspace(read_only=True) as ws, cannot_run(ctx, as_json=as_json), steps() as tell:
        run = find(ws, name)
        tell("looking at what stands now")
        preflight = rerun.check(run, surroundings(ws))

    def human() -> None:
        verdict_line(preflight.verdict, run.subject)
        print_findings(preflight)

    plain = {"subject": run.subject, "run": run.run, **preflight_as_dict(preflight)}
    emit(plain, as_json=as_json, human=human)
    ctx.exit(preflight.exit_status)
