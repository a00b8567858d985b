"""The drainer: records the backlog when the store answers, oldest first, in large transactions.

A file is forgotten after its entries are recorded, so a crash in between records it again, which
has no effect. A change that is refused goes to the dead-letter queue and is in nobody's way.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from lineage.capture.offered import CHANGE, OPENLINEAGE
from lineage.capture.spool import Item
from lineage.errors import (
    InputError,
    LineageError,
    NotAsSealedError,
    RefusedError,
    StoreError,
)
from lineage.model.canonical import canonical, parse_json
from lineage.record.backlog import Backlog, File
from lineage.record.dead_letters import DeadLetters
from lineage.record.pulse import Pulse
from lineage.record.recorder import Incoming, Recorder
from lineage.store.contract import NewEntry

__all__ = ["Drainer"]

log = logging.getLogger("lineage.record")

_BATCH = 1000
_EVERY = 0.2
_ADOPT_EVERY = 2.0


class Drainer:
    """A thread that empties a backlog."""

    def __init__(
        self,
        recorder: Recorder,
        backlog: Backlog,
        pulse: Pulse,
        dead_letters: DeadLetters,
        count: Callable[[str, int], None],
    ) -> None:
        self._recorder = recorder
        self._backlog = backlog
        self._pulse = pulse
        self._dead_letters = dead_letters
        self._count = count
        self._adopted_at = time.monotonic()
        self._until: float | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drainer", daemon=True)
        self._thread.start()

    def close(self, seconds: float) -> None:
        """Record what waits if that can be done in about this time, then stop."""
        self._until = time.monotonic() + seconds
        self._stopping.set()
        self._thread.join(seconds + 1)

    def _run(self) -> None:
        while True:
            until = self._until  # as it was: what comes amid a step is not seen by it
            went_on = self._step()
            if until is not None and (not went_on or time.monotonic() > until):
                return
            if not went_on:
                self._stopping.wait(_EVERY)

    def _step(self) -> bool:
        """Record a batch; False where nothing waits, or the store cannot now."""
        try:
            if self._until is None:
                self._adopt()
            if self._backlog.empty or not self._pulse.answers:
                return False
            self._drain(self._backlog.first(_BATCH))
        except StoreError as fault:
            if not fault.retryable:
                log.error("what was accepted cannot be recorded now: %s", fault)  # noqa: TRY400
                self._stopping.wait(1)
            return False
        except Exception:
            log.exception("what was accepted cannot be recorded now")
            self._stopping.wait(1)
            return False
        return True

    def _adopt(self) -> None:
        if time.monotonic() - self._adopted_at < _ADOPT_EVERY:
            return
        self._adopted_at = time.monotonic()
        if adopted := self._backlog.adopt():
            log.warning("%d events that a process left are recorded by this one", adopted)

    def _drain(self, files: Sequence[File]) -> None:
        items: list[Item] = []
        for file in files:
            found = file.items()
            if found is None:
                log.error("%s is damaged: %d events in it are lost", file.name, file.events)
                self._count("damaged", file.events)
            items += found or ()
        refused = self._record(items)
        self._count("recorded", len(items) - refused)
        if refused:
            self._count("refused", refused)
        self._backlog.done(files)

    def _record(self, items: Sequence[Item]) -> int:
        """All in one transaction; if that is refused each in its own. How many were refused.

        Raises ``StoreError`` where it is the store that cannot.
        """
        try:
            self._recorder.store.append([self._entry(item) for item in items])
        except StoreError as fault:
            if fault.retryable or isinstance(fault, NotAsSealedError):
                raise
        except Exception:  # noqa: BLE001, S110 - whose fault it is shows when each goes alone
            pass
        else:
            return 0
        return self._record_singly(items)

    def _record_singly(self, items: Sequence[Item]) -> int:
        """A change that fails while others are recorded is refused; if all fail it is the store."""
        failed: list[tuple[Item, Exception]] = []
        took = False
        for item in items:
            try:
                (receipt,) = self._recorder.store.append([self._entry(item)])
                took |= receipt.new
            except StoreError as fault:
                if fault.retryable or isinstance(fault, NotAsSealedError):
                    raise
                failed.append((item, fault))
            except Exception as fault:  # noqa: BLE001 - one of them, and not the others
                failed.append((item, fault))
        for _, why in failed:
            if isinstance(why, StoreError) and not took:
                raise why
        for item, why in failed:
            self._refuse(item, why)
        return len(failed)

    def _refuse(self, item: Item, fault: Exception) -> None:
        log.error("refused after it was accepted: %s", fault)
        code = fault.code if isinstance(fault, LineageError) else LineageError.code
        refusal = RefusedError(f"it was accepted and cannot be recorded: {fault}", code=code)
        offered_as, body = _offered(item)
        self._dead_letters.put(
            body, fault if isinstance(fault, InputError) else refusal, offered_as=offered_as,
            received_at=time.time_ns() // 1000, actor=item.actor.id if item.actor else "",
        )  # fmt: skip

    def _entry(self, item: Item) -> NewEntry:
        assert item.actor is not None  # noqa: S101 - a backlog keeps who sent it
        incoming = Incoming(item.kind, item.v, item.source, item.body, item.event_at, item.event_id)
        return self._recorder.entries([incoming], item.actor)[0]


def _offered(item: Item) -> tuple[str, bytes]:
    """As what it was offered, and how, for the dead-letter queue."""
    if item.kind.startswith(f"{OPENLINEAGE}."):
        return OPENLINEAGE, item.body
    change = parse_json(item.body)
    return CHANGE, canonical({"source": item.source, "event_id": item.event_id, "change": change})
