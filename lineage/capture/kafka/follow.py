"""From topics to where changes are recorded: read, record, and only then tell the group.

While recording is impossible the batch is kept, the partitions are paused and the group goes on to
be polled: it would take the partitions from a member that is not heard of (max.poll.interval.ms).
A partition that is taken away is recorded and committed up to what was in hand; if that cannot be,
it is dropped, and whoever has the partition next reads it again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from lineage.capture.kafka.hand import Hand
from lineage.capture.kafka.messages import Gap, Message, Place
from lineage.errors import LineageError

__all__ = ["Consuming", "Listener", "Membership"]

_WAIT = 0.5
"""Seconds to wait for a message: a signal is noticed when they are over."""
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0
_LEAVING = 5.0
"""Seconds for the last offsets. A broker that is away does not hold up the end of a process."""


class Membership(Protocol):
    """What is needed of a member of a group (``group.Group``)."""

    @property
    def committing(self) -> bool:
        """Whether offsets are on their way."""
        ...

    def poll(self, seconds: float) -> Message | Place | None:
        """The next message, a partition that has been read to its end, or nothing for now."""
        ...

    def commit(self, offsets: Mapping[Place, int]) -> None:
        """Send offsets; the member hears of it by ``committed``."""
        ...

    def commit_now(self, offsets: Mapping[Place, int]) -> None:
        """Send offsets and wait."""
        ...

    def hold(self) -> None:
        """Take no more messages, of partitions to come neither."""
        ...

    def release(self) -> None:
        """Take them again."""
        ...

    def close(self) -> None:
        """Leave the group."""
        ...


class Listener(Protocol):
    """Who is told that recording has to wait."""

    def waiting(self, fault: LineageError, /) -> None:
        """It cannot be done now; called at every attempt."""
        ...

    def back(self) -> None:
        """It is done again."""
        ...


class Consuming:
    """Reads as a member of a group until it is stopped, or until the end.

    ``record`` makes messages durable, all or none of a batch; it raises a retryable
    ``LineageError`` for "not now".
    """

    def __init__(
        self,
        hand: Hand,
        record: Callable[[Sequence[Message], Sequence[Gap]], None],
        listener: Listener,
        *,
        stop: threading.Event,
        until_end: bool = False,
    ) -> None:
        self._group: Membership
        self._hand = hand
        self._record = record
        self._listener = listener
        self._stop = stop
        self._until_end = until_end
        self._joined = False
        self._held = False
        self._goals: dict[Place, int | None] = {}

    def run(self, group: Membership) -> None:
        """Read on as one of ``group``.

        Raises ``LineageError`` for what no waiting mends; what is in hand then is not committed,
        and read again by the next who comes.
        """
        self._group = group
        try:
            while not self._stop.is_set() and not self._finished():
                self._gather()
                if self._hand:
                    self._record_all()
                self._commit()
        finally:
            self._leave()

    # --- what the group says, within poll and close

    def assigned(self, goals: Mapping[Place, int | None], gaps: Sequence[Gap]) -> None:
        """Partitions are ours; they end before ``goals`` (None: not known)."""
        self._joined = True
        self._goals.update(goals)
        for gap in gaps:
            self._hand.take_gap(gap)

    def revoked(self, places: Collection[Place], *, lost: bool) -> None:
        """Partitions are about to be another's; ``lost``: they are already."""
        if not lost and not self._held:
            self._finish(places)
        self._hand.drop(places)
        for place in places:
            self._goals.pop(place, None)

    def committed(self, offsets: Mapping[Place, int]) -> None:
        """The group has these offsets."""
        self._hand.committed(offsets)

    def _finish(self, places: Collection[Place]) -> None:
        if self._hand:
            try:
                self._record_once()
            except LineageError as fault:
                if not fault.retryable:
                    raise
                self._listener.waiting(fault)
        owed = {place: offset for place, offset in self._hand.owed.items() if place in places}
        if owed:
            self._group.commit_now(owed)

    # --- the steps

    def _finished(self) -> bool:
        return self._until_end and self._joined and not self._goals and not self._hand

    def _gather(self) -> None:
        more = self._poll(_WAIT)
        while more and not self._hand.full and not self._stop.is_set():
            more = self._poll(0)

    def _poll(self, seconds: float) -> bool:
        found = self._group.poll(seconds)
        if isinstance(found, Message):
            self._hand.take(found)
            goal = self._goals.get(found.place)
            if goal is not None and found.offset + 1 >= goal:
                del self._goals[found.place]
        elif found is not None:
            self._goals.pop(found, None)
        return found is not None

    def _record_once(self) -> None:
        self._record(self._hand.messages, self._hand.gaps)
        self._hand.recorded()

    def _record_all(self) -> None:
        pause = _FIRST_PAUSE
        while self._hand:  # all of it may be revoked while we wait
            try:
                self._record_once()
            except LineageError as fault:
                if not fault.retryable:
                    raise
                self._listener.waiting(fault)
                if self._stop.is_set():
                    return
                self._wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
        if self._held:
            self._held = False
            self._group.release()
            self._listener.back()

    def _wait(self, seconds: float) -> None:
        if not self._held:
            self._held = True
            self._group.hold()
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._stop.is_set():
            self._poll(min(left, _WAIT))

    def _commit(self) -> None:
        """Sent once what is before them is recorded; one request at a time, so in order.

        Nobody waits for the answer: a signal has to be noticed while the broker is away.
        """
        if (owed := self._hand.owed) and not self._group.committing:
            self._group.commit(owed)

    def _leave(self) -> None:
        self._held = True  # what is in hand now could not be recorded
        self._group.hold()
        until = time.monotonic() + _LEAVING
        while self._hand.owed and time.monotonic() < until:
            self._commit()
            self._group.poll(0.1)
        if self._group.committing:
            return  # to leave is to wait for the answer of a broker that is away
        self._group.close()
