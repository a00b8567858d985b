"""`lineage vacuum`: delete old files of a table, but not what recorded runs need."""

from __future__ import annotations

from typing import Any

import click

from lineage.cli.context import emit, json_option, workspace
from lineage.cli.pin import pin_and_record
from lineage.errors import VacuumRefusedError
from lineage.reproduce.vacuum import Deleted, Plan, Terms, apply_vacuum, plan_vacuum
from lineage.store.contract import View

__all__ = ["vacuum"]

_SHOWN = 5


@click.command()
@click.argument("path")
@click.option(
    "--retention-hours", type=click.IntRange(min=0),
    help="Keep what was removed within so many hours (default: the table's own).",
)  # fmt: skip
@click.option("--full", is_flag=True, help="Also delete files that no commit ever named.")
@click.option("--keep", type=int, multiple=True, help="Keep the files of this version.")
@click.option("--apply", "applied", is_flag=True, help="Delete; without it only say what would go.")
@click.option("--pin-first", is_flag=True, help="With --apply: pin what would be lost.")
@click.option("--force", is_flag=True, help="With --apply: lose what is not pinned.")
@json_option
def vacuum(
    *,
    path: str,
    retention_hours: int | None,
    full: bool,
    keep: tuple[int, ...],
    applied: bool,
    pin_first: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Delete files of the Delta table at PATH that no version within the retention needs.

    Says first which recorded runs could not be reproduced afterwards. With --apply it refuses
    (exit 1) to lose a version that a run used and that is not pinned.
    """
    if (pin_first or force) and not applied:
        raise click.UsageError("--pin-first and --force go with --apply")
    with workspace() as ws:
        view = View(ws.store.head().seq)
        terms = Terms(retention_hours, full, tuple(sorted(set(keep))))
        plan = plan_vacuum(path, terms, ws.store, view)
        deleted: Deleted | None = None
        if applied:
            if pin_first:
                for version in plan.would_lose:
                    pin_and_record(ws, version.version, view, reason="before a vacuum")
                plan = plan_vacuum(path, terms, ws.store, view)
            _refuse(plan, force=force)
            deleted = apply_vacuum(plan)
    value = _as_dict(plan, deleted)
    emit(value, as_json=as_json, human=lambda: _print(plan, deleted))


def _refuse(plan: Plan, *, force: bool) -> None:
    if force:
        return
    if lost := plan.would_lose:
        runs = sorted({run for version in lost for run in version.runs})
        raise VacuumRefusedError(
            f"{len(lost)} versions that {len(runs)} recorded runs used would be lost",
            hint="--pin-first keeps them (it costs no space), --force loses them",
            table=str(plan.table),
            lost=[version.version for version in lost],
            runs=runs,
        )
    if plan.terms.full and plan.below_retention:
        raise VacuumRefusedError(
            "a full vacuum below the table's retention deletes files that are being written now",
            hint="stop every writer and say --force, or leave --full or --retention-hours out",
            table=str(plan.table),
        )


def _as_dict(plan: Plan, deleted: Deleted | None) -> dict[str, Any]:
    gone = deleted or Deleted(plan.files, plan.bytes)
    return {
        "table": str(plan.table),
        "applied": deleted is not None,
        "files": len(gone.files),
        "bytes": gone.bytes,
        "below_retention": plan.below_retention,
        "affected": [
            {
                "version": version.version,
                "runs": version.runs,
                "products": version.products,
                "files": version.files,
                "pin": str(version.pin) if version.pin else None,
            }
            for version in plan.affected
        ],
        "lost_before": plan.lost_before,
        "paths": gone.files,
    }


def _print(plan: Plan, deleted: Deleted | None) -> None:
    if plan.below_retention:
        click.echo(
            "the retention is shorter than the table's own: a job that reads or writes it now may "
            "lose files", err=True,
        )  # fmt: skip
    gone = deleted or Deleted(plan.files, plan.bytes)
    verb = "would delete" if deleted is None else "deleted"
    click.echo(f"{plan.table}: {verb} {len(gone.files)} files, {gone.bytes:,} bytes")
    for version in plan.affected:
        fate = f"stays readable, pinned at {version.pin}"
        if version.pin is None:
            fate = "would become LOST" if deleted is None else "is LOST"
        click.echo(f"  {version.version}\n    {fate}")
        for name in version.files[:_SHOWN]:
            click.echo(f"    file  {name}")
        if len(version.files) > _SHOWN:
            click.echo(f"    and {len(version.files) - _SHOWN} more files")
        for run in version.runs:
            click.echo(f"    used by  {run}")
        for product in version.products:
            click.echo(f"    made  {product}")
    for lost in plan.lost_before:
        click.echo(f"  {lost}\n    was LOST before")
    if deleted is None:
        click.echo("nothing was deleted: say --apply")
