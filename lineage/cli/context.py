"""What commands share: the workspace, output as text or JSON, errors on stderr."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from lineage.errors import LineageError
from lineage.settings import Settings, load_settings
from lineage.wiring import Workspace, open_workspace

__all__ = [
    "OF_AUDIT",
    "counted",
    "emit",
    "json_option",
    "note_access",
    "purpose_option",
    "settings_here",
    "show_error",
    "show_internal",
    "workspace",
]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
purpose_option = click.option("--purpose", default="", help="Why: it is kept in the audit log.")
OF_AUDIT = "lineage.audit"
"""Set in the context of commands that are about the audit log."""


@contextmanager
def workspace(
    *, read_only: bool = False, settings: Settings | None = None, bind: bool = True
) -> Iterator[Workspace]:
    """The store and all that belongs to it, closed at the end."""
    with open_workspace(settings or settings_here(), read_only=read_only, bind=bind) as opened:
        yield opened


def settings_here() -> Settings:
    """The settings of this command: below `lineage audit` they are those of the audit log."""
    settings, context = load_settings(), click.get_current_context(silent=True)
    return settings.audit if context and context.meta.get(OF_AUDIT) else settings


def note_access(
    ws: Workspace, what: str, entries: Iterable[int], *, place: str = "", purpose: str = ""
) -> None:
    """Note in the audit log that bodies of entries are handed out; nothing is before it returns.

    Raises ``NotAuditedError``.
    """
    position = ws.store.head().seq
    ws.audit.note(what, entries, ws.actor, position=position, place=place, purpose=purpose)


def counted(number: int, one: str, many: str = "") -> str:
    """How many of something: ``1 blob``, ``2 blobs``."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def emit(value: Any, *, as_json: bool, human: Callable[[], None]) -> None:
    """Print ``value`` as JSON, or let ``human`` print it for a person."""
    if as_json:
        click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
    else:
        human()


def show_internal(fault: Exception, *, as_json: bool) -> None:
    """A fault of the program itself: what to report, and where in the code it was."""
    frames = traceback.extract_tb(fault.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    problem = LineageError(
        f"{type(fault).__name__}: {fault}",
        hint="this is a fault of the program: please report it with the command and this message",
        place=place,
    )
    show_error(problem, as_json=as_json)


def show_error(fault: LineageError, *, as_json: bool) -> None:
    """An error on stderr: what, what to do next, and the page that says more."""
    if as_json:
        click.echo(json.dumps({"error": fault.as_dict()}, default=str), err=True)
        return
    click.echo(
        f"{click.style('error', fg='red', bold=True)} {fault.code}: {_shown(fault.message)}",
        err=True,
    )
    if fault.pointer:
        click.echo(f"  at    {_shown(fault.pointer)}", err=True)
    for name, value in fault.where.items():
        values = value if isinstance(value, list) else [value]
        shown = "\n        ".join(map(_shown, values))
        click.echo(f"  {name:5} {shown}", err=True)
    if fault.hint:
        click.echo(f"  hint  {_shown(fault.hint)}", err=True)
    click.echo(f"  more  docs/errors/{fault.code}.md", err=True)
    sys.stderr.flush()


def _shown(value: object) -> str:
    """Text for a terminal: names that others chose could move its cursor, or set its title."""
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in str(value)
    )
