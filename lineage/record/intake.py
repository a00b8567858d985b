"""Taking in: bytes to entries, refusals to the dead-letter queue, and what the sender is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lineage.capture.openlineage.check import check
from lineage.errors import MalformedError, RefusedError, TooLargeError
from lineage.model.canonical import canonical, parse_elements, parse_json
from lineage.model.changes import encode_change, parse_change
from lineage.model.envelope import Actor
from lineage.record.dead_letters import DeadLetter, DeadLetters
from lineage.record.recorder import Incoming
from lineage.store.contract import Receipt

__all__ = ["Intake", "Outcome"]

OPENLINEAGE = "openlineage"
CHANGE = "change"
_FUTURE = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one event: ``recorded``, ``duplicate`` or ``refused`` (with its fault)."""

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
    offered: bytes


_Item = tuple[bytes, Any]
"""Bytes as received, and what they say."""

Record = Callable[[Sequence[Incoming], Actor], list[Receipt]]
"""``Recorder.record`` or ``GroupCommitter.record``."""


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
        items = split_events(body)
        return self._take(items, OPENLINEAGE, self._openlineage, actor)

    def take_changes(self, body: bytes, actor: Actor) -> list[Outcome]:
        """Our own changes: ``{"changes": [{"source", "event_id", "change"}, ...]}``."""
        value = parse_json(body)
        items = value.get("changes") if isinstance(value, dict) else None
        if not isinstance(items, list):
            raise RefusedError(
                "not a list of changes", code="bad-change", pointer="/changes",
                hint='send {"changes": [{"source": ..., "event_id": ..., "change": {...}}]}',
            )  # fmt: skip
        return self._take([(canonical(i), i) for i in items], CHANGE, self._change, actor)

    def retake(self, letter: DeadLetter, actor: Actor) -> Outcome:
        """Try a dead letter again; it leaves the queue when it is recorded."""
        ready = self._openlineage if letter.offered_as == OPENLINEAGE else self._change
        item = (letter.body, parse_json(letter.body))
        outcome = self._take([item], letter.offered_as, ready, actor)[0]
        if outcome.status != "refused":
            self._dead_letters.remove(letter.id)
        return outcome

    def _take(
        self,
        items: Sequence[_Item],
        offered_as: str,
        understand: Callable[[bytes, Any], _Ready],
        actor: Actor,
    ) -> list[Outcome]:
        outcomes: list[Outcome | None] = []
        ready: list[_Ready] = []
        for body, value in items:
            try:
                ready.append(understand(body, value))
                outcomes.append(None)
            except TooLargeError as fault:
                outcomes.append(_refused(fault))
            except RefusedError as fault:
                outcomes.append(self._refuse(body, fault, offered_as, actor))
        recorded = iter(self._record_ready(ready, offered_as, actor))
        return [next(recorded) if outcome is None else outcome for outcome in outcomes]

    def _record_ready(
        self, ready: Sequence[_Ready], offered_as: str, actor: Actor
    ) -> list[Outcome]:
        """One transaction; if something in it is refused one for each, so that none suffers."""
        if not ready:
            return []
        try:
            receipts = self._record([item.incoming for item in ready], actor)
        except RefusedError as fault:
            if len(ready) > 1:
                return [self._record_ready([item], offered_as, actor)[0] for item in ready]
            return [self._refuse(ready[0].offered, fault, offered_as, actor)]
        return [
            _accepted(receipt, item.warnings) for receipt, item in zip(receipts, ready, strict=True)
        ]

    def _refuse(self, body: bytes, fault: RefusedError, offered_as: str, actor: Actor) -> Outcome:
        letter = self._dead_letters.put(
            body, fault, offered_as=offered_as, received_at=self._clock(), actor=actor.id
        )
        return _refused(fault, letter)

    def _openlineage(self, body: bytes, event: Any) -> _Ready:
        self._check_size(body)
        checked = check(event)
        warnings = checked.warnings
        if checked.event_at > self._clock() + _FUTURE:
            warnings = (*warnings, "time-in-the-future")
        incoming = Incoming(checked.kind, 1, checked.source, body, checked.event_at, value=event)
        return _Ready(incoming, warnings, body)

    def _change(self, body: bytes, item: Any) -> _Ready:
        self._check_size(body)
        source, event_id = (
            (item.get("source"), item.get("event_id")) if isinstance(item, dict) else (None, None)
        )
        if not isinstance(source, str) or not source:
            raise RefusedError("a change without its source", code="bad-change", pointer="/source")
        if event_id is not None and (not isinstance(event_id, str) or not 0 < len(event_id) < 1024):
            raise RefusedError("not an event id", code="bad-change", pointer="/event_id")
        change = parse_change(item.get("change"))
        encoded = encode_change(change)
        incoming = Incoming(
            item["change"]["kind"], change.v, source, encoded, change.event_at, event_id
        )
        return _Ready(incoming, (), body)

    def _check_size(self, body: bytes) -> None:
        if len(body) > self._max_event:
            raise TooLargeError(
                f"an event of {len(body):,} bytes; the limit is {self._max_event:,}",
                hint="raise LINEAGE_MAX_EVENT, or leave out what is not lineage",
            )


def split_events(body: bytes) -> list[_Item]:
    """The events of a body: each as it was received, byte for byte, and parsed."""
    elements = parse_elements(body)
    if elements is None:
        return [(body.strip(), parse_json(body))]
    if not elements:
        raise MalformedError("an empty array", hint="send one event or an array of events")
    return elements


def _accepted(receipt: Receipt, warnings: tuple[str, ...]) -> Outcome:
    return Outcome("recorded" if receipt.new else "duplicate", receipt.seq, warnings)


def _refused(fault: RefusedError | TooLargeError, letter: str = "") -> Outcome:
    return Outcome(
        "refused", code=fault.code, message=fault.message, pointer=fault.pointer, hint=fault.hint,
        dead_letter=letter,
    )  # fmt: skip
