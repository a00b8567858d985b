"""Scalars: times with a zone, places in the ledger, plain JSON."""

from __future__ import annotations

from typing import Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

from lineage.model.canonical import iso
from lineage.store.contract import LATEST

__all__ = ["JSON", "SCALARS", "KnownAt", "Seq", "Time", "shown_time"]

Time = NewType("Time", str)
KnownAt = NewType("KnownAt", str)
Seq = NewType("Seq", int)


def shown_time(time: int | None) -> Time | None:
    """A time (microseconds) as answers show it: None where there is none, or no end."""
    return None if time is None or time >= LATEST else Time(iso(time))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise GraphQLError("a time is a string like 2026-11-21T08:00:00Z")
    return value


def _known_at(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise GraphQLError("knownAt is a seq like 4711, or a time like 2026-11-21T08:00:00Z")
    return str(value)


def _seq(value: Any) -> int:
    text = str(value)
    if isinstance(value, (bool, float)) or not (text.isascii() and text.isdecimal()):
        raise GraphQLError("a seq is a whole number from 1 on")
    if len(text) > 15:
        raise GraphQLError("a seq this large is in no ledger")
    return int(text)


def _scalar(name: str, about: str, parse: Any, show: Any) -> ScalarDefinition:
    return strawberry.scalar(name=name, description=about, parse_value=parse, serialize=show)


SCALARS: dict[object, ScalarDefinition] = {
    Time: _scalar(
        "Time", "ISO 8601 with a zone; answers are in UTC to the microsecond.", _text, str
    ),
    KnownAt: _scalar(
        "KnownAt", "What was known: a seq of the ledger, or the time of recording.", _known_at, str
    ),
    Seq: _scalar("Seq", "A place in the ledger: a whole number from 1 on.", _seq, int),
}
"""For ``StrawberryConfig(scalar_map=...)``."""
