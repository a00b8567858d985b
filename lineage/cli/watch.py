"""`lineage watch`: follow a source and record what happens in it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import click

from lineage.capture.deliver import Sink
from lineage.capture.delta.follow import Follower, Step
from lineage.capture.delta.log import event_id_of_commit, source_of
from lineage.capture.delta.position import CursorFile, Position
from lineage.capture.delta.storage import LocalLog, local_path, table_ref
from lineage.capture.delta.tail import DeltaTail
from lineage.capture.service import HttpSink, Service
from lineage.capture.spool import Item, Spool
from lineage.cli.context import emit, json_option, show_error, workspace
from lineage.cli.progress import progress
from lineage.errors import InputError, LineageError, SourceUnavailableError
from lineage.record.recorder import Incoming
from lineage.settings import Settings, load_settings
from lineage.wiring import Workspace

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
    with _target(settings) as target, _stopped_by_signals() as stop:
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
        show = _Printer(seen, as_json=as_json, once=once)
        _read_what_is_there(follower, log, seen, show, stop)
        if once:
            _finish_once(follower, tail, seen, show, stop)
        else:
            _follow(follower, show, stop, interval)
    if once:
        emit(seen.as_dict(), as_json=as_json, human=lambda: click.echo(seen.summary()))


@dataclass
class Seen:
    """What a watch has recorded so far."""

    table: str
    commits: int = 0
    first: int | None = None
    last: int | None = None
    ended: int = 0
    refused: int = 0
    gaps: list[dict[str, str]] = field(default_factory=list)

    def add(self, step: Step) -> None:
        """Count a step."""
        self.commits += len(step.versions)
        if step.versions:
            self.first = step.versions[0] if self.first is None else self.first
            self.last = step.versions[-1]
        self.ended += step.ended
        self.refused += step.refused
        self.gaps += [_plain_gap(gap.from_position, gap.to_position, gap.reason)
                      for gap in step.gaps]  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return dict(vars(self))

    def summary(self) -> str:
        """One line for people."""
        if not self.commits and not self.gaps:
            return f"{self.table}: nothing new"
        span = "" if self.first is None else f", versions {self.first} to {self.last}"
        gaps = f", {_count(len(self.gaps), 'gap')}" if self.gaps else ""
        return f"{self.table}: {_count(self.commits, 'commit')}{span}{gaps}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _plain_gap(first: str, last: str, reason: str) -> dict[str, str]:
    return {"from": first, "to": last, "reason": reason}


class _Printer:
    """Says what a step did: a line for people on stderr, a JSON object a line in a pipe."""

    def __init__(self, seen: Seen, *, as_json: bool, once: bool) -> None:
        self._seen = seen
        self._as_json = as_json
        self.once = once
        self._waiting = ""

    def __call__(self, step: Step) -> None:
        self._seen.add(step)
        if step.waiting != self._waiting and step.waiting and not self.once:
            click.echo(f"{self._seen.table}: {step.waiting}; waiting", err=True)
        self._waiting = step.waiting
        for gap in step.gaps:
            span = f"{gap.from_position} to {gap.to_position}"
            click.echo(f"{self._seen.table}: gap, versions {span} ({gap.reason})", err=True)
        if self.once or not step.changes:
            return
        one = Seen(self._seen.table)
        one.add(step)
        emit_line = one.as_dict() if self._as_json else one.summary()
        _echo_line(emit_line)


def _echo_line(value: dict[str, Any] | str) -> None:
    import json

    click.echo(value if isinstance(value, str) else json.dumps(value))


# --- the loop


def _read_what_is_there(
    follower: Follower,
    log: LocalLog,
    seen: Seen,
    show: _Printer,
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


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set: the step under way ends first."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


# --- where it goes


@dataclass(frozen=True)
class _Target:
    """Where changes go: a name for its cursors, and whether it is known to have an event.

    A service is not asked: ``asked`` says so, and its cursors are believed.
    """

    name: str
    sink: Sink
    has: Callable[[str, str], bool]
    asked: bool


@contextmanager
def _target(settings: Settings) -> Iterator[_Target]:
    if settings.url:
        sink = HttpSink(Service(settings.url, token=settings.token))
        yield _Target(settings.url, sink, lambda _source, _event_id: False, asked=False)
        return
    with workspace(settings=settings) as opened:

        def has(source: str, event_id: str) -> bool:
            return opened.store.find(source, event_id) is not None

        yield _Target(str(settings.store_path.absolute()), _into(opened), has, asked=True)


def _trusted(target: _Target, source: str, position: Position | None) -> Position | None:
    """A cursor that the store does not bear out (another store, a restored one) is not followed."""
    if position is None or not target.asked:
        return position
    event_id = event_id_of_commit(position.table_id, position.version)
    return position if target.has(source, event_id) else None


def _into(opened: Workspace) -> Sink:
    def sink(items: Sequence[Item]) -> None:
        incoming = [
            Incoming(item.kind, item.v, item.source, item.body, item.event_at, item.event_id)
            for item in items
        ]
        opened.recorder.record(incoming, opened.actor)

    return sink


def _set_aside(spool: Spool, item: Item, fault: InputError) -> None:
    spool.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    spool.refuse(item, fault.as_dict())
    show_error(fault, as_json=False)
