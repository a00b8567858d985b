"""From the spool to where changes are recorded: at least once, oldest first, nothing lost.

Where they go is a :data:`Sink`: a store on this machine (``wiring`` makes that one) or a service.
Items have the event ids of their source, so that sending one again changes nothing. What cannot be
delivered now stays for the next one who tries; what is refused for good is set aside with its
reason, so that it does not stand in the way of the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from lineage.capture.spool import Item, Spool
from lineage.errors import InputError, LineageError

__all__ = ["Bring", "Brought", "Delivered", "Sink", "deliver", "in_parts"]

_TOGETHER = 2 << 20
"""Bytes of bodies that are sent together: a service takes no larger request than it likes."""


class _HasBody(Protocol):
    @property
    def body(self) -> bytes: ...


Bodied = TypeVar("Bodied", bound=_HasBody)

Sink = Callable[[Sequence[Item]], None]
"""Records items, all or none. Raises ``InputError`` for what no retry can mend."""

Bring = Callable[[Sequence[Item]], "Brought"]
"""Brings the contents that items refer to, before them. Raises ``LineageError`` if it has to wait.
"""


@dataclass(slots=True)
class Brought:
    """Blobs that were ``sent``, and by digest why others are ``missing`` where their change is."""

    sent: int = 0
    missing: dict[str, str] = field(default_factory=dict)


def _all_there(_items: Sequence[Item]) -> Brought:
    return Brought()


@dataclass(slots=True)
class Delivered:
    """What became of the spool. ``fault`` is why ``waiting`` files were left."""

    items: int = 0
    refused: int = 0
    damaged: int = 0
    waiting: int = 0
    fault: LineageError | None = None
    blobs: Brought = field(default_factory=Brought)

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        fault = None if self.fault is None else self.fault.as_dict()
        return {
            "delivered": self.items,
            "refused": self.refused,
            "damaged": self.damaged,
            "waiting": self.waiting,
            "blobs": self.blobs.sent,
            "blobs_missing": self.blobs.missing,
            **({"fault": fault} if fault else {}),
        }


def deliver(spool: Spool, sink: Sink, bring: Bring = _all_there) -> Delivered:
    """Move everything that waits. Never raises for a sink that is away: the result says so.

    Raises ``SpoolError`` when the spool itself cannot be read.
    """
    spool.sweep()
    done = Delivered()
    names = spool.pending()
    for n, name in enumerate(names):
        taken = spool.take(name)
        if taken is None:
            done.damaged += 1
            continue
        try:
            brought = bring(taken)
            turned_down = _send(spool, sink, taken) if taken else 0
        except LineageError as fault:
            done.waiting, done.fault = len(names) - n, fault
            break
        done.items += len(taken) - turned_down
        done.refused += turned_down
        done.blobs.sent += brought.sent
        done.blobs.missing |= brought.missing
        spool.done(name)
    return done


def _send(spool: Spool, sink: Sink, items: Sequence[Item]) -> int:
    """Send a file's items together; where that is refused, one by one. How many were refused."""
    try:
        sink(items)
    except InputError as fault:
        if len(items) == 1:
            spool.refuse(items[0], fault.as_dict())
            return 1
        return sum(_send(spool, sink, [item]) for item in items)
    return 0


def in_parts(items: Iterable[Bodied]) -> Iterator[list[Bodied]]:
    """Items in order, as many together as a service takes in one request."""
    part: list[Bodied] = []
    size = 0
    for item in items:
        if part and size + len(item.body) > _TOGETHER:
            yield part
            part, size = [], 0
        part.append(item)
        size += len(item.body)
    if part:
        yield part
