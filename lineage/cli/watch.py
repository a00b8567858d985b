"""`lineage watch`: follow a source and record what happens in it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import click

from lineage.capture.delta.follow import Follower, Step
from lineage.capture.delta.log import event_id_of_commit, source_of
from lineage.capture.delta.position import CursorFile, Position
from lineage.capture.delta.storage import LocalLog, local_path, table_ref
from lineage.capture.delta.tail import DeltaTail
from lineage.capture.spool import Item, Spool
from lineage.cli.context import emit, json_option, show_error
from lineage.cli.delivering import Target, open_target
from lineage.cli.progress import progress
from lineage.cli.stopping import stopped_by_signals
from lineage.cli.watching import Printer, Seen
from lineage.errors import InputError, LineageError, SourceUnavailableError
from lineage.settings import load_settings

__all__ = ["watch"]

_PATIENCE = 5.0
_PATIENCE_ONCE = 2.0
_LONGEST_PAUSE = 60.0


@click.group()
def watch() -> None:
    """Follow a source and record what happens in it, without touching the source."""


@watch.command()
@click.argument("path")
@click.option("--once", is_flag=True, help="Record what is there, then end.")
@click.option(
    "--interval", default=1.0, show_default=True, type=click.FloatRange(min=0.01),
    help="Seconds between looks at the log.",
)  # fmt: skip
@click.option(
    "--from-start", is_flag=True, help="Read the whole log again (records nothing twice)."
)
@json_option
def delta(*, path: str, once: bool, interval: float, from_start: bool, as_json: bool) -> None:
    """Record every commit of the Delta table at PATH, then follow it until stopped.

    Ends with status 0 on SIGINT or SIGTERM. What was lost of the log is recorded as a gap.
    """
    settings = load_settings()
    table = local_path(path)
    ref = table_ref(table)
    log = LocalLog(table)
    with open_target(settings) as target, stopped_by_signals() as stop:
        tail = DeltaTail(
            log, ref, patience=_PATIENCE_ONCE if once else _PATIENCE,
            recorded=lambda event_id: target.has(source_of(ref), event_id),
        )  # fmt: skip
        cursor = CursorFile(settings.home / "cursors", tail.source, target.name)
        if not from_start:
            tail.position = _trusted(target, tail.source, cursor.load())
        spool = Spool(settings.spool)
        follower = Follower(
            tail, target.sink, save=cursor.save,
            refuse=lambda item, fault: _set_aside(spool, item, fault),
        )  # fmt: skip
        seen = Seen(table=str(table))
        show = Printer(seen, as_json=as_json, once=once)
        _read_what_is_there(follower, log, seen, show, stop)
        if once:
            _finish_once(follower, tail, seen, show, stop)
        else:
            _follow(follower, show, stop, interval)
    if once:
        emit(seen.as_dict(), as_json=as_json, human=lambda: click.echo(seen.summary()))


# --- the loop


def _read_what_is_there(
    follower: Follower,
    log: LocalLog,
    seen: Seen,
    show: Printer,
    stop: threading.Event,
) -> None:
    names = log.names()
    total = None if names is None else sum(name.endswith(".json") for name in names)
    with progress(f"reading {seen.table}", total) as tick:
        while not stop.is_set():
            try:
                step = follower.step()
            except LineageError as fault:
                if show.once or not fault.retryable:
                    raise
                show_error(fault, as_json=False)
                return
            show(step)
            tick(seen.commits)
            if not step.changes:
                return


def _finish_once(
    follower: Follower,
    tail: DeltaTail,
    seen: Seen,
    show: Callable[[Step], None],
    stop: threading.Event,
) -> None:
    """Give a commit that cannot be read yet its time; a table that is not there is an error."""
    if tail.position is None and not seen.ended:
        raise SourceUnavailableError(
            f"no Delta table at {seen.table}",
            hint="check the path; without --once the watch waits for the table to be made",
        )
    if tail.waiting:
        stop.wait(_PATIENCE_ONCE)
    while not stop.is_set() and (step := follower.step()).changes:
        show(step)


def _follow(
    follower: Follower, show: Callable[[Step], None], stop: threading.Event, interval: float
) -> None:
    pause = interval
    while not stop.is_set():
        try:
            step = follower.step()
        except LineageError as fault:
            if not fault.retryable:
                raise
            show_error(fault, as_json=False)
            pause = min(pause * 2, max(_LONGEST_PAUSE, interval))
        else:
            show(step)
            pause = 0.0 if step.changes else interval
        stop.wait(pause)
        pause = pause or interval


def _trusted(target: Target, source: str, position: Position | None) -> Position | None:
    """A cursor that the store does not bear out (another store, a restored one) is not followed."""
    if position is None or not target.asked:
        return position
    event_id = event_id_of_commit(position.table_id, position.version)
    return position if target.has(source, event_id) else None


def _set_aside(spool: Spool, item: Item, fault: InputError) -> None:
    spool.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    spool.refuse(item, fault.as_dict())
    show_error(fault, as_json=False)
