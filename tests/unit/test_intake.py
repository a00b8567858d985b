"""Taking in: recorded, recorded with a warning, refused and kept, or refused and gone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lineage.capture.offered import AUTO, OPENLINEAGE, Offered, read_body
from lineage.errors import LineageError, MalformedError
from lineage.model.envelope import Actor
from lineage.record.dead_letters import DeadLetters
from lineage.record.intake import Intake, Outcome
from lineage.record.interpret import interpret
from lineage.record.rebuild import rebuild
from lineage.record.recorder import Recorder
from lineage.store.contract import View
from lineage.store.memory import MemoryStore

ACTOR = Actor("person:test")
EVENT: dict[str, Any] = {
    "eventTime": "2026-11-21T08:00:00Z",
    "eventType": "COMPLETE",
    "run": {"runId": "01936893-9751-7a91-a2a0-a51101a3970c"},
    "job": {"namespace": "n", "name": "j"},
    "inputs": [{"namespace": "s3a://lake/", "name": "raw"}],
    "outputs": [{"namespace": "s3://lake", "name": "tx"}],
    "producer": "https://example.test/producer",
    "schemaURL": "https://example.test/schema",
}


class Desk:
    """An intake over a memory store."""

    def __init__(self, tmp_path: Path) -> None:
        self.store = MemoryStore(interpret)
        self.letters = DeadLetters(tmp_path / "dlq")
        recorder = Recorder(self.store, key=b"k" * 32)
        self.intake = Intake(recorder.record, self.letters, max_event=100_000)

    def take(self, value: Any) -> list[Outcome]:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.intake.take_openlineage(body, ACTOR)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_valid_event_is_recorded_as_received(desk: Desk) -> None:
    body = json.dumps(EVENT, indent=3).encode()
    assert desk.take(body) == [Outcome("recorded", 1)]
    (entry,) = desk.store.entries()
    assert entry.body == body
    assert (entry.kind, entry.source) == (
        "openlineage.run",
        "openlineage:https://example.test/producer",
    )


def test_the_same_again_changes_nothing(desk: Desk) -> None:
    desk.take(EVENT)
    digest = desk.store.digest()
    reordered = dict(reversed(EVENT.items()))
    assert desk.take(reordered) == [Outcome("duplicate", 1)]
    assert desk.store.digest() == digest


def test_an_array_keeps_each_body_as_received(desk: Desk) -> None:
    other = {**EVENT, "eventTime": "2026-11-21T09:00:00+01:00", "eventType": "START"}
    one, two = json.dumps(EVENT, indent=1), json.dumps(other, separators=(",", ":"))
    outcomes = desk.take(f"\n [ {one} ,\n\t{two}\n]".encode())
    assert [o.status for o in outcomes] == ["recorded", "recorded"]
    assert [e.body.decode() for e in desk.store.entries()] == [one, two]


WARNED = [
    ({"producer": "feast"}, "producer-not-a-uri"),
    ({"producer": None}, "no-producer"),
    ({"schemaURL": None}, "no-schema-url"),
    ({"run": {"runId": "run_id"}}, "run-id-not-uuid"),
    ({"eventType": None}, "no-event-type"),
    ({"eventType": "complete"}, "event-type-not-upper-case"),
    ({"eventType": "DONE"}, "unknown-event-type"),
    ({"run": {"runId": "r", "facets": []}}, "facets-not-an-object /run/facets"),
    ({"eventTime": "2999-01-01T00:00:00Z"}, "time-in-the-future"),
]


@pytest.mark.parametrize(("change", "warning"), WARNED, ids=[w for _, w in WARNED])
def test_off_spec_but_clear_is_recorded_with_a_warning(
    desk: Desk, change: dict[str, Any], warning: str
) -> None:
    (outcome,) = desk.take({**EVENT, **change})
    assert outcome.status == "recorded"
    assert warning in outcome.warnings
    assert len(desk.letters) == 0


REFUSED = [
    ({"run": {}}, "no-run-id", "/run/runId"),
    ({"run": {"runId": ""}}, "no-run-id", "/run/runId"),
    ({"run": None}, "no-run-id", "/run/runId"),
    ({"run": []}, "bad-type", "/run"),
    ({"run": {"runId": 7}}, "bad-type", "/run/runId"),
    ({"eventTime": None}, "no-event-time", "/eventTime"),
    ({"eventTime": "2021-11-03T10:53:52"}, "time-without-zone", "/eventTime"),
    ({"eventTime": "2016-12-31T23:59:60Z"}, "leap-second", "/eventTime"),
    ({"eventTime": 5}, "bad-time", "/eventTime"),
    ({"job": None}, "no-name", "/job"),
    ({"job": {"namespace": "n"}}, "no-name", "/job/name"),
    ({"job": {"namespace": "", "name": "x"}}, "no-name", "/job/namespace"),
    ({"job": "x"}, "bad-type", "/job"),
    ({"inputs": {}}, "bad-type", "/inputs"),
    ({"inputs": [{"name": "x"}]}, "no-name", "/inputs/0/namespace"),
    ({"outputs": [EVENT["outputs"][0], 3]}, "bad-type", "/outputs/1"),
    ({"eventType": 3}, "bad-type", "/eventType"),
]


@pytest.mark.parametrize(("change", "code", "pointer"), REFUSED)
def test_what_means_nothing_is_refused_and_kept(
    desk: Desk, change: dict[str, Any], code: str, pointer: str
) -> None:
    body = json.dumps({**EVENT, **change}).encode()
    (outcome,) = desk.take(body)
    assert (outcome.status, outcome.code, outcome.pointer) == ("refused", code, pointer)
    (letter,) = desk.letters.list()
    assert (letter.body, letter.code, letter.pointer) == (body, code, pointer)
    assert desk.store.head().seq == 0


@pytest.mark.parametrize("value", [[1], "x", {}, {"a": 1}])
def test_what_is_no_event_is_refused(desk: Desk, value: Any) -> None:
    assert desk.take(value)[0].code == "not-an-event"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[]", b"[1,", b'{"a":1}{', b"[1,]", b"[1 2]", b"[1]]", b"["]
)
def test_what_is_no_json_is_not_kept(desk: Desk, body: bytes) -> None:
    with pytest.raises(MalformedError):
        desk.take(body)
    assert len(desk.letters) == 0


def test_one_bad_event_of_an_array_does_not_hurt_the_others(desk: Desk) -> None:
    outcomes = desk.take([EVENT, {**EVENT, "run": {}}, {**EVENT, "eventType": "START"}])
    assert [o.status for o in outcomes] == ["recorded", "refused", "recorded"]
    assert [o.seq for o in outcomes] == [1, None, 2]


def test_a_large_event_is_refused_and_not_kept(desk: Desk) -> None:
    (outcome,) = desk.take({**EVENT, "x": "y" * 200_000})
    assert (outcome.status, outcome.code) == ("refused", "too-large")
    assert len(desk.letters) == 0


def test_a_letter_that_is_understood_later_leaves_the_queue(desk: Desk) -> None:
    desk.take({**EVENT, "run": {}})
    (letter,) = desk.letters.list()
    assert desk.intake.retake(letter, ACTOR).status == "refused"
    assert len(desk.letters) == 1
    mended = replace(letter, body=json.dumps(EVENT).encode())
    assert desk.intake.retake(mended, ACTOR).status == "recorded"
    assert len(desk.letters) == 0


def test_the_same_fault_twice_is_one_letter(desk: Desk) -> None:
    desk.take({**EVENT, "run": {}})
    desk.take({**EVENT, "run": {}})
    assert len(desk.letters) == 1


PLACE = {"topic": "t", "partition": 0, "offset": 7}


def test_what_cannot_be_sent_again_is_kept_whatever_is_wrong_with_it(desk: Desk) -> None:
    bad = {"no-run-id": {**EVENT, "run": {}}, "too-large": {**EVENT, "x": "y" * 200_000}}
    offered = [read_body(json.dumps(v).encode(), AUTO, PLACE)[0] for v in bad.values()]
    cut = Offered(b"{", None, AUTO, PLACE, MalformedError("cut off"))
    assert [o.code for o in desk.intake.take([*offered, cut], ACTOR)] == [*bad, "malformed"]
    letters = {letter.code: letter for letter in desk.letters.list()}
    assert letters["malformed"].body == b"{"
    assert all(letter.origin == PLACE for letter in letters.values())
    assert len(letters) == 3
    assert desk.intake.retake(letters["malformed"], ACTOR).code == "malformed"
    assert len(desk.letters) == 3


def test_a_letter_is_one_for_each_place_it_was_found_at(desk: Desk) -> None:
    body = json.dumps({**EVENT, "run": {}}).encode()
    for offset in (7, 7, 8):
        desk.intake.take(read_body(body, AUTO, {**PLACE, "offset": offset}), ACTOR)
    assert [letter.origin["offset"] for letter in desk.letters.list()] == [7, 8]


def test_an_unreadable_letter_leaves_when_its_parts_are_recorded_or_letters(desk: Desk) -> None:
    body = json.dumps([EVENT, {**EVENT, "run": {}}]).encode()
    desk.intake.take([Offered(body, None, AUTO, PLACE, MalformedError("misread"))], ACTOR)
    (whole,) = desk.letters.list()
    assert desk.intake.retake(whole, ACTOR).code == "no-run-id"
    (part,) = desk.letters.list()
    assert (part.code, part.origin) == ("no-run-id", PLACE)
    assert desk.store.head().seq == 1


def test_our_own_changes_are_taken_with_their_event_ids(desk: Desk) -> None:
    change = {"kind": "owner.claimed", "v": 1, "event_at": 5, "target": "team:a", "team": "team:b"}
    item = {"source": "site", "event_id": "7", "change": change}
    body = json.dumps({"changes": [item, item, {**item, "event_id": "8", "change": {"kind": "?"}}]})
    outcomes = desk.intake.take_changes(body.encode(), ACTOR)
    assert [o.status for o in outcomes] == ["recorded", "duplicate", "refused"]
    assert outcomes[2].code == "unknown-kind"
    assert desk.store.find("site", "7") == 1


def test_splitting_gives_back_the_very_bytes() -> None:
    parts = ['{"a": "]},{["}', "[1, 2]", '"\\u00e9é"', "-1.50e3", "null"]
    found = read_body(("[" + " , ".join(parts) + "]").encode(), OPENLINEAGE)
    assert found == [Offered(part.encode(), json.loads(part), OPENLINEAGE) for part in parts]


def test_a_failing_store_refuses_everything(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Any:
        raise LineageError("away")

    monkeypatch.setattr(desk.intake, "_record", fail)
    with pytest.raises(LineageError):
        desk.take([EVENT, {**EVENT, "eventType": "START"}])
    assert not desk.store.known(["run:n,j,x"], View(9))


def _change(position: str, /, **fields: Any) -> dict[str, Any]:
    return {"source": "t", "event_id": position, "change": {"v": 1, "event_at": 5, **fields}}


CLAIM = {"kind": "owner.claimed", "target": "team:a", "team": "team:b"}


@pytest.mark.parametrize("stub", ["{}", "[]", '{"eventTime": "x"}', "3", "null"])
def test_a_redaction_of_the_wrong_shape_poisons_nothing(desk: Desk, stub: str) -> None:
    """It comes before its target: nobody can tell yet what the target will be."""
    redaction = {"kind": "entry.redacted", "source": "t", "event_id": "A", "stub": stub,
                 "reason": "r", "by": "b"}  # fmt: skip
    first = {"changes": [_change("R", **redaction)]}
    assert desk.intake.take_changes(json.dumps(first).encode(), ACTOR)[0].status == "recorded"
    then = {"changes": [_change("A", **CLAIM), _change("B", **CLAIM)]}
    outcomes = desk.intake.take_changes(json.dumps(then).encode(), ACTOR)
    assert [o.status for o in outcomes] == ["recorded", "recorded"]
    erased = next(desk.store.entries(1, 1))
    assert (erased.body, erased.salt) == (stub.encode(), None)
    again = MemoryStore(interpret)
    rebuild(desk.store, again)
    assert again.digest() == desk.store.digest()


def test_a_refused_redaction_does_not_hurt_its_neighbours(desk: Desk) -> None:
    first = {"changes": [_change("A", **CLAIM)]}
    desk.intake.take_changes(json.dumps(first).encode(), ACTOR)
    redaction = {"kind": "entry.redacted", "source": "t", "event_id": "A", "stub": "{}",
                 "reason": "r", "by": "b"}  # fmt: skip
    body = {"changes": [_change("B", **CLAIM), _change("R", **redaction), _change("C", **CLAIM)]}
    outcomes = desk.intake.take_changes(json.dumps(body).encode(), ACTOR)
    assert [o.status for o in outcomes] == ["recorded", "refused", "recorded"]
    assert outcomes[1].code == "uninterpretable-body"
    assert len(desk.letters) == 1


@pytest.mark.parametrize("kind", [["a"], {"a": 1}, None, 3, "", "x"])
def test_a_kind_of_any_type_is_refused_by_name(desk: Desk, kind: Any) -> None:
    body = {"changes": [_change("A", **{**CLAIM, "kind": kind}), _change("B", **CLAIM)]}
    outcomes = desk.intake.take_changes(json.dumps(body).encode(), ACTOR)
    assert [o.status for o in outcomes] == ["refused", "recorded"]
    assert outcomes[0].code == "unknown-kind"
