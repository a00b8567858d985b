"""What waits outside the store: what is recorded goes, the rest goes on without a person."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from lineage.capture.offered import CHANGE, OPENLINEAGE
from lineage.capture.openlineage.check import check
from lineage.capture.spool import Item, Spool
from lineage.errors import RefusedError
from lineage.model.canonical import canonical
from lineage.model.changes import TagAdded, encode_change, kind_of
from lineage.model.claims import EntryRef
from lineage.model.envelope import Actor
from lineage.record.backlog import Backlog
from lineage.record.dead_letters import DeadLetters
from lineage.record.interpret import interpret
from lineage.record.recorder import Incoming, Recorder
from lineage.record.redact.stubs import Words
from lineage.record.redact.waiting import Wanted, clear_backlog, clear_letters, clear_spool
from lineage.store.memory import MemoryStore
from tests.serving import event

KEY = b"k" * 32
ANN = Wanted(person="person:3f2a", words=Words(["Erica"]))
FAULT = RefusedError("not now", code="refused")


def _tag(value: str, event_id: str) -> Item:
    change = TagAdded(event_at=1, target="team:x", tag="t", value=value)
    return Item("s", event_id, kind_of(change), 1, 1, encode_change(change), Actor("person:b"))


def _values(items: list[Item] | None) -> list[tuple[str, str]]:
    return [(item.event_id, json.loads(item.body)["value"]) for item in items or []]


def test_a_backlog_that_is_in_use_is_cleared_under_its_process(tmp_path: Path) -> None:
    backlog = Backlog(tmp_path / "accepted", most=1 << 20)
    backlog.put([_tag("by Erica", "1"), _tag("by Bob", "2")])
    backlog.put([_tag("Erica", "3")])
    backlog.put([_tag("x", "4")])
    assert clear_backlog(tmp_path / "accepted", ANN) == 2
    assert clear_backlog(tmp_path / "accepted", Wanted({EntryRef("s", "4")})) == 1
    assert [_values(file.items()) for file in backlog.first(99)] == [
        [("1", "by [erased]"), ("2", "by Bob")], [("3", "[erased]")], [],
    ]  # fmt: skip
    backlog.done(backlog.first(99))
    assert backlog.empty
    backlog.close()


def test_a_file_without_anything_of_it_is_not_touched(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    name = spool.put([_tag("by Bob", "1")])
    before = (tmp_path / name).stat()
    assert clear_spool(tmp_path, ANN) == 0
    assert (tmp_path / name).stat() == before
    assert clear_spool(tmp_path / "nowhere", ANN) == 0


def test_what_was_set_aside_goes_by_its_name_or_by_the_person(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for n, value in enumerate(["by Erica", "by Bob", "other"]):
        spool.refuse(_tag(value, f"id {n}"), {"code": "x"})
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/torn").write_bytes(b'{"source": "s", "event_id": "id 2", "bo')
    assert clear_spool(tmp_path, ANN) == 1
    assert clear_spool(tmp_path, Wanted({EntryRef("s", "id 2")})) == 2
    (left,) = (tmp_path / "refused").iterdir()
    assert "by Bob" in json.loads(left.read_bytes())["body"]


def _ref(kind: str, body: bytes, source: str, at: int) -> EntryRef:
    """What a body is recorded as."""
    recorder = Recorder(MemoryStore(interpret), key=KEY)
    (entry,) = recorder.entries([Incoming(kind, 1, source, body, at)], Actor("person:b"))
    return EntryRef(entry.source, entry.event_id)


def _put(letters: DeadLetters, body: Any, offered_as: str) -> str:
    return letters.put(
        canonical(body), FAULT, offered_as=offered_as, received_at=1, actor="person:b"
    )


def test_letters_go_by_what_they_were_recorded_as_later(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    ours = _tag("value", "unused")
    run = event("1")
    change = {"source": "s", "change": json.loads(ours.body)}
    named = {**change, "event_id": "own id"}
    kept = {_put(letters, event("2"), OPENLINEAGE), _put(letters, {"source": "s"}, CHANGE)}
    for body, offered_as in ((run, OPENLINEAGE), (change, CHANGE), (named, CHANGE)):
        _put(letters, body, offered_as)
    told = check(run)
    refs = {
        _ref(told.kind, canonical(run), told.source, told.event_at),
        _ref(ours.kind, ours.body, "s", 1), EntryRef("s", "own id"),
    }  # fmt: skip
    assert clear_letters(letters, Wanted(refs), b"another key" + bytes(21)) == 1
    assert clear_letters(letters, Wanted(refs), KEY) == 2
    assert {letter.id for letter in letters.list()} == kept


@pytest.mark.parametrize(("age", "left"), [(7200, 0), (0, 1)])
def test_what_a_writer_left_long_ago_goes(tmp_path: Path, age: float, left: int) -> None:
    path = tmp_path / "x.1.tmp"
    path.write_bytes(b"Erica")
    os.utime(path, (time.time() - age,) * 2)
    assert clear_letters(DeadLetters(tmp_path), ANN, KEY) == 1 - left
    assert path.exists() == bool(left)
