from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import InputError, RefusedError
from lineage.model.canonical import canonical
from lineage.model.claims import Claims
from lineage.record.interpret import INTERPRETED, interpret
from lineage.record.redact.stubs import Words, stub_of, without

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "tests/e2e/events"
SECRET = "Ann Secret"
WHEN = {"eventTime": "2026-11-21T08:00:00Z"}
LINKS = {"symlinks": {"identifiers": [{"namespace": "m", "name": "e", "type": "TABLE"}]}}
OWNERS = {"ownership": {"owners": [{"name": "team:risk"}, {"name": "user:ann"}]}}
JOB = {"namespace": "n", "name": "j", "facets": OWNERS}
DATASET = {"namespace": "n", "name": "d", "facets": {**LINKS, **OWNERS}}
PROTECTED = {"redaction.proposed", "redaction.ruled", "seal.key_added"}


def _examples() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((ROOT / "schema/events").glob("*/ok-*.json")):
        yield path.parent.name, json.loads(path.read_bytes())
    for line in (EVENTS / "small.jsonl").read_bytes().splitlines():
        with suppress(InputError):  # some are refused, and were never recorded
            event = json.loads(line)
            interpret("openlineage.run", 1, line)
            yield "openlineage.run", event
    yield "openlineage.job", {**WHEN, "job": JOB, "inputs": [DATASET], "outputs": [DATASET]}
    yield "openlineage.dataset", {**WHEN, "dataset": DATASET}


EXAMPLES = [(kind, value) for kind, value in _examples() if kind not in PROTECTED]


def _salted(value: Any) -> Any:
    """The value with a field that nobody knows in every object."""
    if isinstance(value, dict):
        return {**{name: _salted(each) for name, each in value.items()}, "note": SECRET}
    return [_salted(each) for each in value] if isinstance(value, list) else value


def _said(kind: str, body: bytes) -> tuple[Any, ...]:
    claims = interpret(kind, 1, body)
    edges = {(e.type, e.up, e.down, e.at) for e in claims.occurrences}
    return set(claims.nodes()), set(claims.retracts), edges, claims.commits


@pytest.mark.parametrize(("kind", "value"), EXAMPLES)
def test_a_stub_says_every_name_and_edge_and_nothing_else(kind: str, value: Any) -> None:
    body = canonical(_salted(value))
    stub = stub_of(kind, 1, body)
    assert _said(kind, stub) == _said(kind, body)
    assert SECRET.encode() not in stub
    assert stub_of(kind, 1, stub) == stub, "a stub is its own stub"


def test_every_kind_that_means_something_was_looked_at() -> None:
    seen = {kind for kind, _ in EXAMPLES}
    assert {kind for kind, _ in INTERPRETED} - seen == PROTECTED


@pytest.mark.parametrize("kind", sorted(PROTECTED))
def test_what_rules_redactions_is_not_redacted(kind: str) -> None:
    with pytest.raises(RefusedError) as caught:
        stub_of(kind, 1, b"{}")
    assert caught.value.code == "not-redactable"


@pytest.mark.parametrize("body", [b"\xff not JSON", b"[1]", b'{"email":"ann@example.test"}'])
def test_of_a_kind_nobody_knows_nothing_stays(body: bytes) -> None:
    assert stub_of("somebody.else", 9, body) == b"{}"


def test_people_go_and_teams_stay_among_the_owners_of_an_event() -> None:
    owners = [{"name": "team:risk", "type": SECRET}, {"name": "user:ann"}, {"name": "a@b.test"}]
    event = {
        "eventTime": "2026-11-21T08:00:00Z",
        "dataset": {"namespace": "n", "name": "d", "facets": {"ownership": {"owners": owners}}},
    }
    facets = json.loads(stub_of("openlineage.dataset", 1, canonical(event)))["dataset"]["facets"]
    assert facets == {"ownership": {"owners": [{"name": "team:risk"}]}}


# --- a person in what is not about them


def test_words_are_whole_ones_in_any_case() -> None:
    words = Words(["Ann", "ann@example.test"])
    assert words.erased("by ANN (ann@example.test), in planning, /home/ann/x") == (
        "by [erased] ([erased]), in planning, /home/[erased]/x"
    )


def test_a_person_is_erased_and_the_run_stays() -> None:
    run = {"namespace": "local://ann", "job": "train", "run_id": "1"}
    value = {
        "kind": "run.started", "v": 1, "event_at": 5, "run": run, "command": ["train", "--lr=1"],
        "user": {"person": "person:3f2a", "name": "Ann"}, "parameters": {"reviewed by ann": "Ann!"},
    }  # fmt: skip
    left = json.loads(
        without("run.started", 1, canonical(value), Words(["Ann"]), person="person:3f2a")
    )
    assert left == {
        **value, "user": {"person": "person:3f2a"},
        "parameters": {"reviewed by [erased]": "[erased]!"},
    }  # fmt: skip


def test_what_is_said_of_somebody_else_stays() -> None:
    body = canonical({"kind": "person.described", "v": 1, "event_at": 5, "person": "person:77",
                      "attributes": {"name": "Bob"}})  # fmt: skip
    assert without("person.described", 1, body, Words(["Ann"]), person="person:3f2a") is body
    erased = without("person.described", 1, body, Words([]), person="person:77")
    assert json.loads(erased) == {
        "kind": "person.described", "v": 1, "event_at": 5, "person": "person:77",
    }  # fmt: skip


def test_the_stub_in_a_redaction_loses_the_words_that_its_target_loses() -> None:
    target = {"kind": "tag.added", "v": 1, "event_at": 5, "target": "team:x", "tag": "t",
              "value": "for Ann"}  # fmt: skip
    redaction = {"kind": "entry.redacted", "v": 1, "event_at": 6, "source": "s", "event_id": "1",
                 "stub": canonical(target).decode(), "reason": "Ann asked", "by": "x"}  # fmt: skip
    words = Words(["Ann"])
    cleared = json.loads(without("entry.redacted", 1, canonical(redaction), words))
    assert cleared["stub"].encode() == without("tag.added", 1, canonical(target), words)
    assert cleared["reason"] == "[erased] asked"


_TEXTS = st.sampled_from(["ann", "Ann", "planning", "by Ann, today", "x", "ä ANN ö"])


@given(
    st.recursive(
        _TEXTS | st.integers() | st.none(),
        lambda inner: st.lists(inner) | st.dictionaries(_TEXTS, inner),
        max_leaves=12,
    )
)
def test_no_word_is_left_wherever_it_was(value: Any) -> None:
    body = canonical({"kind": "team.described", "v": 1, "event_at": 5, "team": "team:ann",
                      "attributes": {"a": value}})  # fmt: skip
    words = Words(["ann"])
    left = without("team.described", 1, body, words)
    shown = json.dumps(json.loads(left)["attributes"], ensure_ascii=False)
    assert not words.within(shown)
    assert "planning" not in json.dumps(value) or "planning" in shown
    assert interpret("team.described", 1, left) != Claims()
