"""Where a question stands: *asOf* and *knownAt* as people say them, to a view of the store."""

from __future__ import annotations

from dataclasses import dataclass

from lineage.errors import RefusedError, UnknownNameError
from lineage.model.canonical import iso, micros
from lineage.store.contract import LATEST, Store, View

__all__ = ["Times", "view_of"]

_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Times:
    """The two times of a question, as they were said. Empty: now, and the end of the ledger."""

    as_of: str = ""
    known_at: str = ""


def view_of(store: Store, times: Times, head: int) -> View:
    """The view that ``times`` mean on a ledger that ends at ``head``.

    ``as_of`` is an ISO 8601 time with a zone, ``known_at`` a seq or such a time. Raises
    ``RefusedError`` for what is neither and ``UnknownNameError`` for a seq beyond the ledger.
    """
    as_of = _time(times.as_of, "/asOf") if times.as_of else LATEST
    if not times.known_at:
        return View(head, as_of)
    if times.known_at.isdecimal() and times.known_at.isascii():
        return View(_seq(times.known_at, head), as_of)
    return View(min(store.position_at(_time(times.known_at, "/knownAt")), head), as_of)


def _seq(text: str, head: int) -> int:
    seq = int(text) if len(text) <= _MAX_DIGITS else head + 1
    if seq > head:
        raise UnknownNameError(
            f"no entry {text[:40]}: the ledger ends at {head}",
            pointer="/knownAt",
            hint="knownAt is the seq of a recorded entry, or a time",
        )
    return seq


def _time(text: str, pointer: str) -> int:
    if len(text) > 40:
        raise RefusedError(f"not a time: {text[:40]!r}...", code="bad-time", pointer=pointer)
    return micros(text, pointer)


def shown_time(time: int | None) -> str | None:
    """A time as answers show it, or None where there is none (or no end)."""
    return None if time is None or time >= LATEST else iso(time)
