"""Ids: every name has one, one thing has one, and everything round-trips."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import RefusedError
from lineage.model import ids

HOSTILE = st.text(st.characters(), max_size=14) | st.sampled_from([
    "", "%", ",", "@", "#", "~", "a%2Cb", "a@1", "é", "\x00", "\ud800", "x" * 1024, "x" * 1025,
    "é" * 400, "日" * 600, "~" + "a" * 64, "x~" + "0" * 64, "s3://l,ake", " ", "\u2028", "%E9",
    "x" * 900 + "~" + "a" * 64, "a" * 899 + "é" * 100, "../..", "\r\n", "\U0001f600" * 300,
])  # fmt: skip


@given(st.lists(HOSTILE, min_size=2, max_size=2), st.none() | HOSTILE)
def test_every_name_round_trips(parts: list[str], version: str | None) -> None:
    node = ids.artifact_id(parts[0], parts[1], version)
    assert node.isascii()
    assert not re.search(r"[\s\x00-\x20\x7f#]", node)
    parsed = ids.parse_id(node)
    named = [*parts, *([version] if version is not None else [])]
    read = [*parsed.parts, *([parsed.version] if parsed.version is not None else [])]
    for text, part in zip(named, read, strict=True):
        if part.digest is None:
            assert part.text == text
        else:
            raw = text.encode("utf-8", "surrogatepass")
            assert part.digest == hashlib.sha256(raw).hexdigest()
    assert ids.artifact_of(node) == ids.artifact_id(*parts)


@given(st.tuples(HOSTILE, HOSTILE, HOSTILE), st.tuples(HOSTILE, HOSTILE, HOSTILE))
def test_different_names_have_different_ids(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert (ids.run_id(*one) == ids.run_id(*other)) == (one == other)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_a_run_belongs_to_its_job(namespace: str, job: str, run: str) -> None:
    assert ids.job_of_run(ids.run_id(namespace, job, run)) == ids.job_id(namespace, job)


@given(st.text(max_size=60) | st.sampled_from(["artifact:a,b", "run:a,b,c"]).flatmap(
    lambda node: st.text(max_size=3).map(lambda tail: node + tail)))  # fmt: skip
def test_only_canonical_ids_are_taken(text: str) -> None:
    try:
        parsed = ids.parse_id(text)
    except RefusedError:
        return  # test_what_is_no_id_is_refused checks the code
    version = None if parsed.version is None else parsed.version.text
    if any(part.digest for part in (*parsed.parts, *filter(None, [parsed.version]))):
        return
    build: Callable[[], str] = {
        "artifact": lambda: ids.artifact_id(parsed.texts[0], parsed.texts[1], version),
        "run": lambda: ids.run_id(*parsed.texts),
        "job": lambda: ids.job_id(*parsed.texts),
        "team": lambda: ids.team_id(*parsed.texts),
        "person": lambda: ids.person_id(*parsed.texts),
        "service": lambda: ids.service_id(*parsed.texts),
        "scope": lambda: ids.scope_id(*parsed.texts),
    }[parsed.cls]
    assert build() == text


@pytest.mark.parametrize("bad", [
    "", "artifact", "artifact:", "artifact:a", "artifact:a,b,c", "team:a@1", "artifact:a,b@1@2",
    "artifact:a b,c", "artifact:a,%2f", "artifact:a,%zz", "artifact:é,b", "thing:a,b", "run:a,b",
    "artifact:a,b~", "artifact:a,%FF",
])  # fmt: skip
def test_what_is_no_id_is_refused(bad: str) -> None:
    with pytest.raises(RefusedError) as refused:
        ids.parse_id(bad)
    assert refused.value.code == "bad-id"


def test_a_shortened_name_cuts_no_escape() -> None:
    node = ids.team_id("a" * 899 + "é" * 200)
    head = node.removeprefix("team:").partition("~")[0]
    assert head == "a" * 899
    assert ids.parse_id(node).parts[0].text == "a" * 899


def test_table_tokens_tell_a_recreated_table_apart() -> None:
    assert ids.delta_token(12, "one") != ids.delta_token(12, "two")
    assert ids.number_of_token(ids.delta_token(12, "one")) == "12"
    assert ids.number_of_token("sha256.12") is None
