"""What consuming records, where it goes, and what is told of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import click

from lineage.capture.kafka.messages import Gap, Message, offered_by
from lineage.capture.offered import Offered
from lineage.cli.context import show_error
from lineage.errors import LineageError
from lineage.model.envelope import Actor
from lineage.record.dead_letters import DeadLetters
from lineage.record.intake import Intake, Outcome
from lineage.settings import Settings

__all__ = ["Printer", "Recording", "Taken", "open_intake"]


@contextmanager
def open_intake(settings: Settings) -> Iterator[tuple[Intake, Actor]]:
    """An intake into the store, or through the service that LINEAGE_URL names.

    What is refused is kept here in both cases: the service does not know a message's offset.
    """
    from lineage.wiring import local_actor, open_workspace

    if not settings.url:
        with open_workspace(settings) as opened:
            yield opened.intake, opened.actor
        return
    from lineage.capture.service import Service
    from lineage.record.remote import RemoteRecorder

    remote = RemoteRecorder(Service(settings.url, token=settings.token))
    letters = DeadLetters(settings.dead_letters)
    yield Intake(remote.record, letters, max_event=settings.max_event), local_actor(settings)


@dataclass
class Taken:
    """What became of messages: events that are new, were there before, or were refused."""

    messages: int = 0
    recorded: int = 0
    duplicates: int = 0
    refused: int = 0
    gaps: int = 0
    offsets: dict[str, int] = field(default_factory=dict)
    """By ``topic/partition``, the offset after the last that was recorded."""

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return dict(vars(self))

    def add(self, other: Taken) -> None:
        """Count another batch."""
        self.messages += other.messages
        self.recorded += other.recorded
        self.duplicates += other.duplicates
        self.refused += other.refused
        self.gaps += other.gaps
        self.offsets |= other.offsets

    def summary(self) -> str:
        """One line for people."""
        more = [
            f"{number} {what}"
            for number, what in (
                (self.duplicates, "known before"),
                (self.refused, "refused (lineage dlq list)"),
                (self.gaps, "lost stretches"),
            )
            if number
        ]
        return ", ".join([f"{self.messages} messages: {self.recorded} events recorded", *more])


class Recording:
    """Takes batches in, and tells of each: the ``record`` of ``Consuming``."""

    def __init__(
        self, intake: Intake, actor: Actor, form: str, told: Callable[[Taken], None]
    ) -> None:
        self._intake = intake
        self._actor = actor
        self._form = form
        self._told = told

    def __call__(self, messages: Sequence[Message], gaps: Sequence[Gap]) -> None:
        """Record a batch in one append. Raises ``LineageError``: then nothing of it is known."""
        offered: list[Offered] = [gap.offered() for gap in gaps]
        for message in messages:
            offered += offered_by(message, self._form)
        outcomes = self._intake.take(offered, self._actor)
        for item, outcome in zip(offered, outcomes, strict=True):
            if outcome.status == "refused":
                _tell_refused(item, outcome)
        for gap in gaps:
            click.echo(
                f"{gap.topic}/{gap.partition}: offsets {gap.first} to {gap.last} are lost"
                f" ({gap.reason}); recorded as a gap", err=True,
            )  # fmt: skip
        self._told(_taken(messages, outcomes, len(gaps)))


def _taken(messages: Sequence[Message], outcomes: Sequence[Outcome], gaps: int) -> Taken:
    of_messages = [outcome.status for outcome in outcomes[gaps:]]
    duplicates, refused = of_messages.count("duplicate"), of_messages.count("refused")
    return Taken(
        len(messages), len(of_messages) - duplicates - refused, duplicates, refused, gaps,
        {f"{each.topic}/{each.partition}": each.offset + 1 for each in messages},
    )  # fmt: skip


def _tell_refused(item: Offered, outcome: Outcome) -> None:
    place = "{topic}/{partition}@{offset}".format(**item.origin)
    click.echo(
        f"refused {place}: {outcome.code}: {outcome.message} ({outcome.dead_letter[:12]})", err=True
    )


class Printer:
    """Says what is done: a JSON object a batch in a pipe, else only what is out of the ordinary."""

    def __init__(self, *, as_json: bool, lines: bool, tick: Callable[[int], None]) -> None:
        self.seen = Taken()
        self._as_json = as_json
        self._lines = lines
        self._tick = tick
        self._waiting = ""

    def took(self, taken: Taken) -> None:
        """A batch is recorded."""
        self.seen.add(taken)
        self._tick(self.seen.messages)
        if self._as_json and self._lines:
            click.echo(json.dumps(taken.as_dict()))

    def say(self, fault: LineageError) -> None:
        """Something that is got over."""
        show_error(fault, as_json=self._as_json)

    def waiting(self, fault: LineageError) -> None:
        """Recording has to wait: said once for each reason."""
        if fault.code != self._waiting:
            self.say(fault)
        self._waiting = fault.code

    def back(self) -> None:
        """Recording goes on."""
        click.echo("recording again", err=True)
        self._waiting = ""
