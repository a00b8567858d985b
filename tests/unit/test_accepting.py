"""Accepting while the store is away: in order, exactly once in effect, nothing accepted is lost."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from lineage.errors import (
    OutcomeUnknownError,
    RefusedError,
    SpoolError,
    SpoolFullError,
    StoreError,
    StoreUnavailableError,
)
from lineage.model.envelope import Actor
from lineage.record import drainer
from lineage.record.accepting import Accepting
from lineage.record.backlog import Backlog, File
from lineage.record.dead_letters import DeadLetters
from lineage.record.group import GroupCommitter
from lineage.record.intake import Intake
from lineage.record.interpret import interpret
from lineage.record.pulse import Pulse
from lineage.record.recorder import Recorder
from lineage.store.contract import NewEntry, Receipt
from lineage.store.memory import MemoryStore
from tests.serving import event, until

ANN, BOB = Actor("person:ann", "token"), Actor("person:bob")


class Team(MemoryStore):
    """A store that can be away, hang, and refuse a run by name."""

    def __init__(self) -> None:
        super().__init__(interpret)
        self.away = False
        self.answering = threading.Event()
        self.answering.set()
        self.lose_answer = False
        self.poison: dict[str, Exception] = {}
        self.sizes: list[int] = []

    def ask(self) -> int:
        self.answering.wait(20)
        if self.away:
            raise StoreUnavailableError("away")
        return self.head().seq

    @override
    def append(self, entries: Sequence[NewEntry]) -> list[Receipt]:
        self.ask()
        for name, fault in self.poison.items():
            if any(name in entry.body.decode() for entry in entries):
                raise fault
        self.sizes.append(len(entries))
        receipts = super().append(entries)
        if self.lose_answer:
            self.away, self.lose_answer = True, False
            raise OutcomeUnknownError("went away in between")
        return receipts


class Desk:
    """A process of the service, as far as it takes in."""

    def __init__(self, store: Team, place: Path, most: int = 1 << 20) -> None:
        self.store = store
        self.letters = DeadLetters(place / "dlq")
        self.counted: Counter[str] = Counter()
        self.writers = GroupCommitter(store.append)
        self.way = Accepting(
            Recorder(store, key=b"k" * 32), self.writers,
            Backlog(place / "accepted", most=most),
            Pulse(store.ask, every=0.02, late=0.2), self.letters, self._count,
        )  # fmt: skip
        self.intake = Intake(self.way.accept, self.letters, max_event=100_000)

    def _count(self, what: str, events: int) -> None:
        self.counted[what] += events

    def take(self, *names: str, actor: Actor = ANN) -> list[str]:
        body = json.dumps([event(name) for name in names]).encode()
        return [outcome.status for outcome in self.intake.take_openlineage(body, actor)]

    def go_away(self) -> None:
        self.store.away = True
        until(lambda: not self.way.pulse.answers)

    def come_back(self) -> None:
        self.store.away = False
        until(lambda: self.way.backlog.empty)

    def close(self) -> None:
        self.way.close()
        self.writers.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def started(store: Team | None = None, **more: Any) -> Desk:
        desks.append(Desk(store or Team(), tmp_path, **more))
        return desks[-1]

    yield started
    for desk in desks:
        desk.store.answering.set()
        desk.close()


def names(store: MemoryStore) -> list[str]:
    return [json.loads(entry.body)["run"]["runId"] for entry in store.entries()]


def test_while_the_store_answers_a_change_is_recorded_at_once(start: Callable[..., Desk]) -> None:
    desk = start()
    assert desk.take("a", "b") == ["recorded", "recorded"]
    assert desk.take("a") == ["duplicate"]
    assert names(desk.store) == ["a", "b"]


def test_while_it_is_away_changes_are_accepted_and_recorded_in_their_order(
    start: Callable[..., Desk],
) -> None:
    desk = start()
    desk.go_away()
    for n in range(30):
        assert desk.take(f"{n}.a", f"{n}.b", actor=ANN if n % 2 else BOB) == ["accepted"] * 2
    assert desk.way.backlog.waiting().events == 60
    desk.come_back()
    assert names(desk.store) == [f"{n}.{x}" for n in range(30) for x in "ab"]
    assert [entry.actor for entry in desk.store.entries()][:4] == [BOB, BOB, ANN, ANN]
    assert max(desk.store.sizes) == 60, "the backlog goes in large transactions"
    assert desk.counted == {"accepted": 60, "recorded": 60}
    assert desk.take("again") == ["recorded"]


def test_while_anything_waits_nothing_overtakes_it(start: Callable[..., Desk]) -> None:
    desk = start()
    desk.go_away()
    desk.take("first")
    desk.store.poison["first"] = StoreUnavailableError("away for this one")
    desk.store.away = False
    until(lambda: desk.way.pulse.answers)
    assert desk.take("second") == ["accepted"]
    desk.store.poison.clear()
    desk.come_back()
    assert names(desk.store) == ["first", "second"]


def test_an_event_sent_and_recorded_again_is_in_the_ledger_once(start: Callable[..., Desk]) -> None:
    desk = start()
    assert desk.take("a") == ["recorded"]
    desk.store.lose_answer = True
    assert desk.take("b") == ["accepted"], "the commit went through, its answer was lost"
    assert desk.take("a", "b", "c") == ["accepted"] * 3
    desk.come_back()
    assert names(desk.store) == ["a", "b", "c"]


def test_what_was_recorded_and_not_forgotten_is_recorded_again_without_effect(
    start: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a process that dies in between, or a disk that cannot be written to."""
    desk = start()
    desk.go_away()
    desk.take("a", "b")
    forget, failed = desk.way.backlog.done, list[int]()

    def done(files: Sequence[File]) -> None:
        failed.append(len(names(desk.store)))
        if len(failed) == 1:
            raise OSError(30, "read-only file system")
        forget(files)

    monkeypatch.setattr(desk.way.backlog, "done", done)
    desk.come_back()
    assert failed == [2, 2], "recorded first, then forgotten"
    assert names(desk.store) == ["a", "b"]


def test_a_store_that_says_nothing_holds_nobody_up(start: Callable[..., Desk]) -> None:
    desk = start()
    desk.store.answering.clear()
    began = time.monotonic()
    assert desk.take("a") == ["accepted"]
    assert desk.take("b") == ["accepted"]
    assert time.monotonic() - began < 10
    with pytest.raises(StoreUnavailableError):
        desk.way.record([], ANN)
    desk.store.answering.set()
    desk.come_back()
    assert sorted(names(desk.store)) == ["a", "b"]


def test_what_needs_the_stores_answer_is_refused_while_it_is_away(
    start: Callable[..., Desk],
) -> None:
    desk = start()
    desk.way.require()
    desk.go_away()
    with pytest.raises(StoreUnavailableError) as away:
        desk.way.record([], ANN)
    assert (away.value.http_status, away.value.retryable) == (503, True)


def test_what_means_nothing_is_refused_as_ever_while_it_is_away(start: Callable[..., Desk]) -> None:
    desk = start()
    desk.go_away()
    body = json.dumps([event("a"), {**event("b"), "run": {}}]).encode()
    statuses = [outcome.status for outcome in desk.intake.take_openlineage(body, ANN)]
    assert statuses == ["accepted", "refused"]
    assert len(desk.letters) == 1


@pytest.mark.parametrize("fault", [RefusedError("no"), ValueError("ours"), StoreError("no")])
def test_a_change_that_is_refused_later_is_a_dead_letter_and_in_nobodys_way(
    start: Callable[..., Desk], fault: Exception
) -> None:
    desk = start()
    desk.store.poison["bad"] = fault
    desk.go_away()
    assert desk.take("a", "bad", "b") == ["accepted"] * 3
    assert desk.take("c") == ["accepted"]
    change = {"kind": "tag.added", "event_at": 1, "target": "artifact:file,/bad", "tag": "pii"}
    sent = {"changes": [{"source": "tester", "event_id": "1", "change": change}]}
    desk.intake.take_changes(json.dumps(sent).encode(), BOB)
    desk.come_back()
    assert names(desk.store) == ["a", "b", "c"]
    assert desk.counted == {"accepted": 5, "recorded": 3, "refused": 2}
    assert {letter.actor for letter in desk.letters.list()} == {ANN.id, BOB.id}
    desk.store.poison.clear()
    replayed = [desk.intake.retake(letter, ANN).status for letter in desk.letters.list()]
    assert replayed == ["recorded", "recorded"], "what was kept can be offered again"


def test_a_store_that_takes_nothing_makes_no_dead_letters(start: Callable[..., Desk]) -> None:
    desk = start()
    desk.go_away()
    desk.take("a", "b")
    desk.store.poison["out-"] = StoreError("it takes no writes")
    desk.store.away = False
    until(lambda: desk.way.pulse.answers)
    time.sleep(0.3)
    assert len(desk.letters) == 0
    desk.store.poison.clear()
    desk.come_back()
    assert names(desk.store) == ["a", "b"]


def test_a_full_spool_refuses_and_keeps_what_it_has(start: Callable[..., Desk]) -> None:
    desk = start(most=4_000)
    desk.go_away()
    accepted = 0
    with pytest.raises(SpoolFullError) as full:  # noqa: PT012 # any of them may be the one
        for n in range(100):
            desk.take(str(n))
            accepted += 1
    assert (full.value.http_status, full.value.retryable) == (503, True)
    assert 3 <= accepted <= 8
    desk.come_back()
    assert names(desk.store) == [str(n) for n in range(accepted)]
    assert desk.take("more") == ["recorded"]


def test_stopping_records_what_waits_or_leaves_it(start: Callable[..., Desk]) -> None:
    store = Team()
    desk = start(store)
    desk.go_away()
    desk.take("a", "b")
    desk.close()
    assert names(store) == []
    store.away = False
    later = start(store)
    until(lambda: later.way.backlog.empty)
    assert names(store) == ["a", "b"]
    later.go_away()
    later.take("c")
    store.away = False
    until(lambda: later.way.pulse.answers)
    later.close()
    assert names(store) == ["a", "b", "c"]


def test_what_a_process_left_is_recorded_before_anything_new(start: Callable[..., Desk]) -> None:
    store = Team()
    desk = start(store)
    desk.go_away()
    desk.take("old")
    desk.close()
    later = start(store)
    assert later.take("new") == ["accepted"]
    store.away = False
    until(lambda: later.way.backlog.empty)
    assert names(store) == ["old", "new"]


def test_stopping_takes_as_many_transactions_as_it_needs(
    start: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drainer, "_BATCH", 2)
    store = Team()
    desk = start(store)
    desk.go_away()
    for n in range(7):
        desk.take(str(n))
    desk.way.pulse.close()  # it sees that the store is back when it stops, not before
    store.away = False
    desk.way.pulse._beat()
    desk.close()
    assert names(store) == [str(n) for n in range(7)]
    assert max(store.sizes) == 2


def test_a_damaged_file_is_counted_and_in_nobodys_way(
    start: Callable[..., Desk], tmp_path: Path
) -> None:
    desk = start()
    desk.go_away()
    for name in "abc":
        desk.take(name)
    damaged = sorted((tmp_path / "accepted").rglob("*.spool"))[1]
    damaged.write_bytes(damaged.read_bytes()[:-90])
    desk.come_back()
    assert names(desk.store) == ["a", "c"]
    assert desk.counted["damaged"] == 1
    assert list((tmp_path / "accepted").rglob("damaged/*"))


def test_a_spool_that_cannot_be_written_is_a_coded_error(
    start: Callable[..., Desk], tmp_path: Path
) -> None:
    (tmp_path / "accepted").write_text("in the way")
    desk = start()
    assert desk.take("a") == ["recorded"], "it is not needed yet"
    desk.go_away()
    with pytest.raises(SpoolError) as failed:
        desk.take("b")
    assert (failed.value.code, failed.value.http_status) == ("spool-failed", 503)
