"""Canonical JSON and times: one encoding for everything that is hashed.

Canonical JSON: sorted keys, no spaces, ASCII, exact integers; no NaN or infinity. Times are UTC
microseconds since the epoch (``int``); text times must carry a zone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from lineage.errors import MalformedError, RefusedError

__all__ = ["FOREVER", "MAX_DEPTH", "canonical", "iso", "micros", "parse_elements", "parse_json"]

FOREVER = 1 << 62
"""The open end of an interval, in microseconds: later than any time that can be said."""

MAX_DEPTH = 100
"""How deeply JSON may nest."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
_WHITE = re.compile(r"[ \t\r\n]*")
_LEAP = re.compile(r"T\d{2}:?\d{2}:?60")


def canonical(value: Any) -> bytes:
    """Canonical JSON of plain data.

    Raises ``RefusedError`` (``number-out-of-range``, ``too-deep``) for what has no exact encoding.
    """
    try:
        return _ENCODER.encode(value).encode("ascii")
    except RecursionError as fault:
        raise _too_deep() from fault
    except ValueError as fault:
        raise _bad_number() from fault


def parse_json(body: bytes | str) -> Any:
    """Parse JSON strictly.

    Raises ``MalformedError`` for what is not JSON in UTF-8, ``RefusedError`` for numbers beyond a
    double or of over 4,300 digits and for nesting over ``MAX_DEPTH``.
    """
    text = _text_of(body)
    with _strictly():
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    _check_depth(text, value)
    return value


def parse_elements(body: bytes) -> list[tuple[bytes, Any]] | None:
    """The elements of a JSON array: each its very bytes and its value. None for another value.

    Raises as :func:`parse_json`.
    """
    text = _text_of(body)
    at = _WHITE.match(text).end()  # type: ignore[union-attr]  # matches the empty text
    if text[at : at + 1] != "[":
        return None
    elements: list[tuple[bytes, Any]] = []
    with _strictly():
        at = _WHITE.match(text, at + 1).end()  # type: ignore[union-attr]
        while text[at : at + 1] != "]":
            value, end = _DECODER.raw_decode(text, at)
            _check_depth(text[at:end], value, MAX_DEPTH - 1)
            elements.append((text[at:end].encode("utf-8"), value))
            at = _WHITE.match(text, end).end()  # type: ignore[union-attr]
            if text[at : at + 1] == ",":
                at = _WHITE.match(text, at + 1).end()  # type: ignore[union-attr]
                if text[at : at + 1] == "]":
                    raise json.JSONDecodeError("Expecting value", text, at)
            elif text[at : at + 1] != "]":
                raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
        at = _WHITE.match(text, at + 1).end()  # type: ignore[union-attr]
        if at != len(text):
            raise json.JSONDecodeError("Extra data", text, at)
    return elements


def _text_of(body: bytes | str) -> str:
    try:
        return body.decode("utf-8") if isinstance(body, bytes) else body
    except UnicodeDecodeError as fault:
        raise MalformedError(f"not UTF-8: {fault.reason} at byte {fault.start}") from fault


@contextmanager
def _strictly() -> Iterator[None]:
    try:
        yield
    except json.JSONDecodeError as fault:
        raise MalformedError(
            f"not JSON: {fault.msg} at line {fault.lineno} column {fault.colno}"
        ) from fault
    except RecursionError as fault:
        raise _too_deep() from fault
    except ValueError as fault:  # over 4,300 digits
        raise _bad_number() from fault


def _check_depth(text: str, value: Any, most: int = MAX_DEPTH) -> None:
    # Cheap first: a text with few brackets cannot nest deeply.
    if text.count("[") + text.count("{") > most and _depth(value) > most:
        raise _too_deep()


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedError(f"not JSON: {name} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _bad_number()
    return value


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            return depth
        level = [
            child
            for item in level
            if isinstance(item, (dict, list))
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return depth


def _too_deep() -> RefusedError:
    return RefusedError(f"nested deeper than {MAX_DEPTH} levels", code="too-deep")


def _bad_number() -> RefusedError:
    return RefusedError(
        "a number that a double cannot hold, or of over 4,300 digits", code="number-out-of-range"
    )


def micros(text: Any, pointer: str = "") -> int:
    """UTC microseconds of an ISO 8601 text with a zone.

    Raises ``RefusedError``: ``bad-time``, ``time-without-zone`` or ``leap-second``.
    """
    try:
        when = datetime.fromisoformat(text)
    except (TypeError, ValueError) as fault:
        if isinstance(text, str) and _LEAP.search(text):
            raise RefusedError(
                f"a leap second: {text!r}", code="leap-second", pointer=pointer
            ) from fault
        raise RefusedError(
            f"not a time: {text!r:.100}",
            code="bad-time",
            pointer=pointer,
            hint="ISO 8601 with a zone, like 2026-11-21T08:00:00Z",
        ) from fault
    if when.tzinfo is None:
        raise RefusedError(
            f"a time without a zone: {text!r}",
            code="time-without-zone",
            pointer=pointer,
            hint="add the offset, like +00:00; a time without one may be hours away",
        )
    try:
        passed = when - _EPOCH
    except OverflowError as fault:
        raise RefusedError(f"not a time: {text!r}", code="bad-time", pointer=pointer) from fault
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def iso(time: int) -> str:
    """ISO 8601 text in UTC of ``time`` (microseconds); beyond the calendar, its ends."""
    try:
        when = _EPOCH + timedelta(microseconds=time)
    except OverflowError:
        when = datetime.max.replace(tzinfo=UTC) if time > 0 else datetime.min.replace(tzinfo=UTC)
    return when.isoformat(timespec="microseconds").replace("+00:00", "Z")
