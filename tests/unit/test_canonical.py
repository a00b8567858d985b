"""Canonical JSON and times: one encoding, and what has none is refused with its code."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import LineageError
from lineage.model.canonical import canonical, iso, micros, parse_json

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)  # fmt: skip


@given(PLAIN)
def test_canonical_json_round_trips_exactly(value: object) -> None:
    encoded = canonical(value)
    assert encoded.isascii()
    assert canonical(parse_json(encoded)) == encoded
    assert json.loads(encoded) == value


@pytest.mark.parametrize(("body", "code"), [
    (b"{", "malformed"),
    (b"", "malformed"),
    (b"\xff\xfe", "malformed"),
    (b"\xef\xbb\xbf{}", "malformed"),
    (b'{"a": NaN}', "malformed"),
    (b'{"a": Infinity}', "malformed"),
    (b'{"a": 1e999}', "number-out-of-range"),
    (b'{"a": -1e999}', "number-out-of-range"),
    (b'{"a": ' + b"9" * 5000 + b"}", "number-out-of-range"),
    (b"[" * 101 + b"]" * 101, "too-deep"),
    (b"[" * 200_000, "too-deep"),
    (b'{"a":' * 150 + b"1" + b"}" * 150, "too-deep"),
])  # fmt: skip
def test_what_has_no_exact_encoding_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(LineageError) as refused:
        parse_json(body)
    assert refused.value.code == code


def test_wide_is_not_deep() -> None:
    body = b"[" + b",".join([b"[1]"] * 1000) + b"]"
    assert len(parse_json(body)) == 1000


@pytest.mark.parametrize(("text", "code"), [
    ("2021-11-03T10:53:52.427343", "time-without-zone"),
    ("2016-12-31T23:59:60Z", "leap-second"),
    ("yesterday", "bad-time"),
    ("", "bad-time"),
    (None, "bad-time"),
    (17, "bad-time"),
    ("0001-01-01T00:00:00+23:59", ""),
])  # fmt: skip
def test_times_are_understood_or_refused(text: object, code: str) -> None:
    if not code:
        assert isinstance(micros(text), int)
        return
    with pytest.raises(LineageError) as refused:
        micros(text, "/eventTime")
    assert (refused.value.code, refused.value.pointer) == (code, "/eventTime")


@given(st.datetimes(timezones=st.timezones()))
def test_times_keep_their_microsecond(when: object) -> None:
    text = when.isoformat()  # type: ignore[attr-defined]
    try:
        time = micros(text)
    except LineageError:
        return  # offsets with seconds at the ends of the calendar
    assert micros(iso(time)) == time


def test_one_instant_is_one_time() -> None:
    assert micros("2020-12-28T19:52:00.001+10:00") == micros("2020-12-28T09:52:00.001Z")
    assert not math.isnan(micros("1970-01-01T00:00:00Z"))
    assert micros("1970-01-01T00:00:00Z") == 0
    assert iso(1 << 62).startswith("9999")
