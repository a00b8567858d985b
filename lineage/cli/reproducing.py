"""What `lineage check` and `lineage reproduce` share: where they work, how findings are shown."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from lineage.cli.context import show_error
from lineage.errors import IsolationError, ReproduceError
from lineage.query.names import resolve_name
from lineage.reproduce.facts import RunFacts, load_run
from lineage.reproduce.findings import Preflight
from lineage.reproduce.pin import find_pin
from lineage.reproduce.staging import Surroundings
from lineage.settings import Settings
from lineage.store.contract import View
from lineage.wiring import Workspace

__all__ = [
    "cannot_run", "find", "preflight_as_dict", "print_findings", "steps", "surroundings",
    "verdict_line",
]  # fmt: skip

_COLOURS = {
    "REPRODUCIBLE": "green", "IDENTICAL": "green", "EQUIVALENT": "green",
    "DEGRADED": "yellow", "DIFFERENT": "red", "LOST": "red", "ERASED": "red", "FAILED": "red",
}  # fmt: skip


def find(ws: Workspace, name: str) -> RunFacts:
    """The run that NAME means, or that made it."""
    view = View(ws.store.head().seq)
    node = resolve_name(ws.store, name, view, base=os.getcwd())  # noqa: PTH109 - as typed
    return load_run(ws.store, node, view)


def surroundings(ws: Workspace, tell: Callable[[str], None] = lambda _: None) -> Surroundings:
    """Scratch below the home of the settings; the store is what no job may see."""
    return Surroundings(
        ws.settings.home / "reproductions", ws.blobs, find_pin, _ours(ws.settings), tell
    )


def _ours(settings: Settings) -> tuple[str, ...]:
    store = os.path.realpath(settings.store_path)
    paths = (settings.key_path, settings.blobs, settings.spool, settings.accepted,
             settings.dead_letters, settings.cache)  # fmt: skip
    return (store, f"{store}-wal", f"{store}-shm", *map(os.path.realpath, paths))


@contextmanager
def cannot_run(ctx: click.Context, *, as_json: bool) -> Iterator[None]:
    """What cannot be run again is exit code 2: 1 is a verdict. Other errors keep their own."""
    try:
        yield
    except IsolationError:
        raise
    except ReproduceError as fault:
        show_error(fault, as_json=as_json)
        ctx.exit(2)


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """Yields a function that is told what is being done: a spinner on a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status("") as shown:
        yield lambda step: shown.update(Text(step))  # a command may look like markup


def preflight_as_dict(preflight: Preflight) -> dict[str, Any]:
    """A pre-flight as plain data."""
    return {
        "verdict": preflight.verdict,
        "findings": [finding.as_dict() for finding in preflight.findings],
    }


def verdict_line(verdict: str, subject: str) -> None:
    """The verdict and what it is on."""
    click.echo(f"{click.style(verdict, fg=_COLOURS.get(verdict), bold=True)}  {subject}")


def print_findings(preflight: Preflight) -> None:
    """Every finding: what it means, what it is about, and what helps."""
    for finding in preflight.findings:
        name = finding.effect.name.lower()
        click.echo(f"  {name:9} {finding.what:11} {finding.subject}")
        click.echo(f"  {'':9} {'':11} {finding.detail}")
        for file in finding.facts.get("files", ()) if finding.what == "table" else ():
            click.echo(f"  {'':9} {'':11}   {file}")
        if (more := finding.facts.get("missing", 0) - len(finding.facts.get("files", ()))) > 0:
            click.echo(f"  {'':9} {'':11}   and {more} more files")
        if since := finding.facts.get("since"):
            shown = since if isinstance(since, str) else ", ".join(since)
            click.echo(f"  {'':9} {'':11} since: {shown}")
        if finding.remedy:
            click.echo(f"  {'':9} {'':11} hint: {finding.remedy}")
