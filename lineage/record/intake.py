"""Taking in: bytes to entries, refusals to the dead-letter queue, and what the sender is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lineage.capture.offered import CHANGES, OPENLINEAGE, Offered, read_body
from lineage.capture.openlineage.check import check
from lineage.errors import InputError, RefusedError, TooLargeError
from lineage.model.changes import AuditAccessed, encode_change, parse_change
from lineage.model.envelope import Actor
from lineage.record.dead_letters import DeadLetter, DeadLetters
from lineage.record.recorder import Incoming
from lineage.store.contract import Receipt

__all__ = ["Intake", "Outcome"]

_FUTURE = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one event: ``recorded``, ``duplicate`` or ``refused`` (with its fault).

    Or ``accepted``: durable in the backlog, to be recorded when the store is back.
    """

    status: str
    seq: int | None = None
    warnings: tuple[str, ...] = ()
    code: str = ""
    message: str = ""
    pointer: str = ""
    hint: str = ""
    dead_letter: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain data without the empty fields."""
        return {k: v for k, v in asdict(self).items() if v not in (None, "", ())}


@dataclass(frozen=True, slots=True)
class _Ready:
    incoming: Incoming
    warnings: tuple[str, ...]
    offered: Offered


Record = Callable[[Sequence[Incoming], Actor], Sequence[Receipt | None]]
"""``Recorder.record``, or ``Accepting.accept``, where None is accepted and not recorded yet."""


def _now() -> int:
    return time.time_ns() // 1000


class Intake:
    """The way in for events that others send."""

    def __init__(
        self,
        record: Record,
        dead_letters: DeadLetters,
        *,
        max_event: int,
        clock: Callable[[], int] = _now,
    ) -> None:
        self._record = record
        self._dead_letters = dead_letters
        self._max_event = max_event
        self._clock = clock

    def take_openlineage(self, body: bytes, actor: Actor) -> list[Outcome]:
        """One OpenLineage event, or an array of them: an outcome for each, in order.

        Raises ``MalformedError`` for what is not JSON (nothing is kept), ``RefusedError`` for
        JSON that has no exact encoding, ``StoreError``.
        """
        return self.take(read_body(body, OPENLINEAGE), actor)

    def take_changes(self, body: bytes, actor: Actor) -> list[Outcome]:
        """Our own changes: ``{"changes": [{"source", "event_id", "change"}, ...]}``."""
        return self.take(read_body(body, CHANGES), actor)

    def take(self, offered: Sequence[Offered], actor: Actor) -> list[Outcome]:
        """Record what is understood in one transaction; an outcome for each, in order."""
        outcomes: list[Outcome | None] = []
        ready: list[_Ready] = []
        for item in offered:
            try:
                ready.append(self._understand(item))
                outcomes.append(None)
            except InputError as fault:
                outcomes.append(self._refuse(item, fault, actor))
        recorded = iter(self._record_ready(ready, actor))
        return [next(recorded) if outcome is None else outcome for outcome in outcomes]

    def retake(self, letter: DeadLetter, actor: Actor) -> Outcome:
        """Try a dead letter again: what became of it, or of the first in it that is refused.

        It leaves the queue when all of it is recorded or in letters of its own.
        """
        try:
            offered = read_body(letter.body, letter.offered_as, letter.origin)
        except InputError as fault:
            return _refused(fault, letter.id)
        outcomes = self.take(offered, actor)
        refused = [outcome for outcome in outcomes if outcome.status == "refused"]
        if all(outcome.dead_letter not in {"", letter.id} for outcome in refused):
            self._dead_letters.remove(letter.id)
        return refused[0] if refused else outcomes[0]

    def _record_ready(self, ready: Sequence[_Ready], actor: Actor) -> list[Outcome]:
        """One transaction; if something in it is refused one for each, so that none suffers."""
        if not ready:
            return []
        try:
            receipts = self._record([item.incoming for item in ready], actor)
        except RefusedError as fault:
            if len(ready) > 1:
                return [self._record_ready([item], actor)[0] for item in ready]
            return [self._refuse(ready[0].offered, fault, actor)]
        return [
            _accepted(receipt, item.warnings) for receipt, item in zip(receipts, ready, strict=True)
        ]

    def _refuse(self, item: Offered, fault: InputError, actor: Actor) -> Outcome:
        """Keep what could be parsed; of what its sender cannot send again, everything."""
        if not isinstance(fault, RefusedError) and not item.origin:
            return _refused(fault)
        letter = self._dead_letters.put(
            item.body, fault, offered_as=item.offered_as, origin=item.origin,
            received_at=self._clock(), actor=actor.id,
        )  # fmt: skip
        return _refused(fault, letter)

    def _understand(self, item: Offered) -> _Ready:
        if item.fault is not None:
            raise item.fault
        self._check_size(item.body)
        return self._openlineage(item) if item.offered_as == OPENLINEAGE else self._change(item)

    def _openlineage(self, item: Offered) -> _Ready:
        checked = check(item.value)
        warnings = checked.warnings
        if checked.event_at > self._clock() + _FUTURE:
            warnings = (*warnings, "time-in-the-future")
        incoming = Incoming(
            checked.kind, 1, checked.source, item.body, checked.event_at, value=item.value
        )
        return _Ready(incoming, warnings, item)

    def _change(self, item: Offered) -> _Ready:
        said = item.value if isinstance(item.value, dict) else {}
        source, event_id = said.get("source"), said.get("event_id")
        if not isinstance(source, str) or not source:
            raise RefusedError("a change without its source", code="bad-change", pointer="/source")
        if event_id is not None and (not isinstance(event_id, str) or not 0 < len(event_id) < 1024):
            raise RefusedError("not an event id", code="bad-change", pointer="/event_id")
        change = parse_change(said.get("change"))
        if isinstance(change, AuditAccessed):
            raise RefusedError(
                "accesses are noted in the audit log, by whoever hands something out",
                code="unknown-kind", pointer="/change/kind",
            )  # fmt: skip
        encoded = encode_change(change)
        incoming = Incoming(
            said["change"]["kind"], change.v, source, encoded, change.event_at, event_id
        )
        return _Ready(incoming, (), item)

    def _check_size(self, body: bytes) -> None:
        if len(body) > self._max_event:
            raise TooLargeError(
                f"an event of {len(body):,} bytes; the limit is {self._max_event:,}",
                hint="raise LINEAGE_MAX_EVENT, or leave out what is not lineage",
            )


def _accepted(receipt: Receipt | None, warnings: tuple[str, ...]) -> Outcome:
    if receipt is None:
        return Outcome("accepted", None, warnings)
    return Outcome("recorded" if receipt.new else "duplicate", receipt.seq, warnings)


def _refused(fault: InputError, letter: str = "") -> Outcome:
    return Outcome(
        "refused", code=fault.code, message=fault.message, pointer=fault.pointer, hint=fault.hint,
        dead_letter=letter,
    )  # fmt: skip
