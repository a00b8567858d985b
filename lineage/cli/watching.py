"""What a watch tells of what it records: a line for people, a JSON object a line in a pipe."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import click

from lineage.capture.delta.follow import Step

__all__ = ["Printer", "Seen"]


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


class Printer:
    """Says what a step did: a line for people on stderr, a JSON object a line in a pipe."""

    def __init__(self, seen: Seen, *, as_json: bool, once: bool) -> None:
        self._seen = seen
        self._as_json = as_json
        self.once = once
        self._waiting = ""

    def __call__(self, step: Step) -> None:
        """Say it, and count it."""
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
        click.echo(json.dumps(one.as_dict()) if self._as_json else one.summary())
