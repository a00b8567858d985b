"""`lineage reproduce`: run it again, as it was, and compare."""

from __future__ import annotations

import math
import time
from typing import Any

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
from lineage.model.changes import ReproductionFinished
from lineage.reproduce.isolation import MODES, Ended
from lineage.reproduce.rerun import Options, Reproduction
from lineage.reproduce.rerun import reproduce as run_again
from lineage.reproduce.verdict import Verdict
from lineage.wiring import Workspace

__all__ = ["reproduce"]

SOURCE = "reproduce"
_MOST_RECORDED = 1000


@click.command()
@click.argument("name", metavar="ID")
@click.option("--isolation", type=click.Choice(MODES), help="Default: LINEAGE_ISOLATION, or auto.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Numbers in JSON, CSV and text are equal within this, relatively.",
)
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds.")
@click.option("--rebuild-env", is_flag=True, help="Build the recorded environment anew.")
@click.option(
    "--allow-install",
    is_flag=True,
    help="Let --rebuild-env download packages. The job itself stays without network.",
)
@click.option("--allow-network", is_flag=True, help="The job may use the network.")
@click.option("--allow-credentials", is_flag=True, help="The job may read ~/.aws, ~/.ssh, ...")
@click.option("--keep", is_flag=True, help="Keep the scratch space with all that was written.")
@click.option("--no-record", is_flag=True, help="Do not record the verdict.")
@click.option("--verbose", is_flag=True, help="Show what the program said.")
@json_option
@click.pass_context
def reproduce(ctx: click.Context, /, *, name: str, as_json: bool, **given: Any) -> None:
    """Run a recorded run again, on the data as it was, and compare what it writes.

    ID is a run, or what a run made: an id, model:NAME, a path. The program is the same, unmodified;
    it can touch nothing real. Exit code: 0 IDENTICAL or EQUIVALENT, 1 DIFFERENT, 2 could not be
    run or compared (LOST, ERASED, FAILED).
    """
    if given["rebuild_env"] and not given["allow_install"]:
        raise click.UsageError("--rebuild-env downloads packages: add --allow-install")
    record = not given["no_record"]
    with workspace(read_only=not record) as ws:
        with cannot_run(ctx, as_json=as_json), steps() as tell:
            run = find(ws, name)
            done = run_again(run, surroundings(ws, tell), _options(ws, given))
        if record and done.outcome is not None:
            _record(ws, done)
    emit(
        _as_dict(done, verbose=given["verbose"]),
        as_json=as_json, human=lambda: _print(done, verbose=given["verbose"]),
    )  # fmt: skip
    ctx.exit(done.exit_status)


def _options(ws: Workspace, given: dict[str, Any]) -> Options:
    tolerance: float = given["tolerance"]
    if not math.isfinite(tolerance):
        raise click.UsageError("--tolerance is a finite number")
    return Options(
        isolation=given["isolation"] or ws.settings.isolation,
        network=given["allow_network"],
        credentials=given["allow_credentials"],
        rebuild_environment=given["rebuild_env"],
        tolerance=tolerance,
        timeout=given["timeout"],
        keep=given["keep"],
    )


def _record(ws: Workspace, done: Reproduction) -> None:
    assert done.outcome is not None  # noqa: S101  # the caller's condition, for the type checker
    decisive = done.outcome.decisive
    change = ReproductionFinished(
        event_at=time.time_ns() // 1000,
        subject=done.run.subject,
        run=done.run.run,
        verdict=done.outcome.verdict.value,
        isolation=done.ended.isolation if done.ended else "",
        preflight=done.preflight.verdict,
        first_difference=decisive.difference if decisive else {},
        outputs=[output.as_dict() for output in done.outputs[:_MOST_RECORDED]],
    )
    ws.recorder.record_changes([change], source=SOURCE, actor=ws.actor)


def _as_dict(done: Reproduction, *, verbose: bool) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "subject": done.run.subject,
        "run": done.run.run,
        "verdict": done.outcome.verdict.value if done.outcome else done.preflight.verdict,
        "reason": done.outcome.reason if done.outcome else done.preflight.reason,
        "preflight": preflight_as_dict(done.preflight),
        "outputs": [output.as_dict() for output in done.outputs],
    }
    if done.ended is not None:
        plain |= {
            "isolation": done.ended.isolation, "shared_inodes": list(done.ended.shared),
            "exit_code": done.ended.exit_code,
            "signal": done.ended.signal, "seconds": round(done.ended.took, 3),
            "sandbox_seconds": round(done.ended.setup, 4),
        }  # fmt: skip
    if verbose or (done.outcome and done.outcome.verdict is Verdict.FAILED):
        plain |= {"stdout": done.stdout, "stderr": done.stderr}
    if done.scratch is not None:
        plain["scratch"] = str(done.scratch)
    return plain


def _print(done: Reproduction, *, verbose: bool) -> None:
    if done.outcome is None:
        verdict_line(done.preflight.verdict, done.run.subject)
        print_findings(done.preflight)
        return
    failed = done.outcome.verdict is Verdict.FAILED
    if verbose or failed:
        for name, said in (("stdout", done.stdout), ("stderr", done.stderr)):
            for line in said.splitlines():
                click.echo(f"  {name} | {line}", err=True)
    verdict_line(done.outcome.verdict, done.run.subject)
    click.echo(f"  {done.outcome.reason}")
    for output in done.outputs:
        click.echo(f"  {output.state.lower():13} {output.path}")
        lines = [f"{key}: {value}" for key, value in output.difference.items()]
        for line in [*lines, *([output.detail] if output.detail else [])]:
            click.echo(f"  {'':13}   {line}")
    if done.ended is not None:
        _print_isolation(done.ended)
    if done.preflight.verdict != "REPRODUCIBLE":
        click.echo(f"  pre-flight: {done.preflight.verdict}")
        print_findings(done.preflight)
    if done.scratch is not None:
        click.echo(f"  kept in {done.scratch}")


def _print_isolation(ended: Ended) -> None:
    click.echo(f"  isolation: {ended.isolation}, {ended.took:.2f} s")
    for path in ended.shared:
        click.echo(f"  {'':13}   read-only, but with its real pipes and locks: {path}")
