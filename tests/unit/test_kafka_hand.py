"""Kafka, the pure part: what is in hand, and which offsets are owed to the group."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import pytest

from lineage.capture.kafka.follow import Consuming
from lineage.capture.kafka.hand import Hand
from lineage.capture.kafka.messages import Gap, Message, Place
from lineage.errors import LineageError, StoreBusyError, StoreDamagedError

A, B = ("t", 0), ("t", 1)


def message(place: Place, offset: int, value: bytes | None = b"x") -> Message:
    return Message(*place, offset, value)


def test_nothing_is_owed_before_it_is_recorded() -> None:
    hand = Hand()
    for one in (message(A, 4), message(B, 9), message(A, 5)):
        hand.take(one)
    assert hand.owed == {}
    hand.recorded()
    assert hand.owed == {A: 6, B: 10}
    assert not hand


def test_what_the_group_has_is_owed_no_more_but_what_came_since_is() -> None:
    hand = Hand()
    hand.take(message(A, 4))
    hand.recorded()
    sent = hand.owed
    hand.take(message(A, 5))
    hand.recorded()
    hand.committed(sent)
    assert hand.owed == {A: 6}
    hand.committed({A: 6, B: 1})
    assert hand.owed == {}


def test_a_batch_ends_by_number_and_by_bytes() -> None:
    hand = Hand(2, 10)
    hand.take(message(A, 0))
    assert not hand.full
    hand.take(message(A, 1, None))
    assert hand.full


def test_a_batch_that_is_dropped_has_room_again() -> None:
    hand = Hand(2, 10)
    hand.take(message(A, 2, b"0123456789"))
    assert hand.full
    hand.drop([A])
    assert not bool(hand.full)


def test_what_is_anothers_is_dropped_and_not_owed() -> None:
    hand = Hand()
    hand.take(message(A, 1))
    hand.recorded()
    hand.take(message(A, 2))
    hand.take(message(B, 7))
    assert hand.drop([A]) == 1
    assert [each.place for each in hand.messages] == [B]
    assert hand.owed == {}


class Script:
    """A membership that plays what it is told to, and notes what it is told."""

    def __init__(self, *steps: object) -> None:
        self.steps = list(steps)
        self.done: list[object] = []
        self.committing = False
        self.consuming: Consuming

    def poll(self, seconds: float) -> Message | Place | None:
        step = self.steps.pop(0) if self.steps else None
        if callable(step):
            step()
            return None
        assert step is None or isinstance(step, (Message, tuple))
        return step

    def commit(self, offsets: Mapping[Place, int]) -> None:
        self.done.append(("commit", dict(offsets)))
        self.consuming.committed(offsets)

    def commit_now(self, offsets: Mapping[Place, int]) -> None:
        self.done.append(("commit now", dict(offsets)))

    def hold(self) -> None:
        self.done.append("hold")

    def release(self) -> None:
        self.done.append("release")

    def close(self) -> None:
        self.done.append("close")


class Desk:
    """Records, or does not, as it is told."""

    def __init__(self, *faults: LineageError | None) -> None:
        self.faults = list(faults)
        self.recorded: list[int] = []
        self.told: list[str] = []

    def record(self, messages: Sequence[Message], gaps: Sequence[Gap]) -> None:
        fault = self.faults.pop(0) if self.faults else None
        if fault:
            raise fault
        self.recorded += [each.offset for each in messages]

    def waiting(self, fault: LineageError) -> None:
        self.told.append(fault.code)

    def back(self) -> None:
        self.told.append("back")


def play(script: Script, desk: Desk) -> Script:
    script.consuming = Consuming(Hand(), desk.record, desk, stop=threading.Event(), until_end=True)
    script.consuming.run(script)
    return script


def test_offsets_are_committed_after_recording_and_then_it_leaves() -> None:
    desk, script = Desk(), Script()
    script.steps = [lambda: script.consuming.assigned({A: 2}, []), message(A, 0), message(A, 1)]
    play(script, desk)
    assert desk.recorded == [0, 1]
    assert script.done == [("commit", {A: 2}), "hold", "close"]


def test_the_end_is_where_the_partition_ended_when_we_came() -> None:
    desk, script = Desk(), Script()
    script.steps = [lambda: script.consuming.assigned({A: 1, B: None}, []), message(A, 0),
                    message(A, 1), B, message(A, 2)]  # fmt: skip
    play(script, desk)
    assert desk.recorded == [0, 1, 2]
    assert not script.steps


def test_while_the_store_is_away_the_batch_is_kept_and_the_group_is_polled() -> None:
    desk = Desk(StoreBusyError("away"), StoreBusyError("away"))
    polled: list[int] = []
    script = Script()
    script.steps = [lambda: script.consuming.assigned({A: 1}, []), message(A, 0), None,
                    *[lambda: polled.append(1)] * 5]  # fmt: skip
    play(script, desk)
    assert desk.recorded == [0]
    assert len(polled) == 5
    assert desk.told == ["store-busy", "store-busy", "back"]
    assert script.done == ["hold", "release", ("commit", {A: 1}), "hold", "close"]


def test_what_no_waiting_mends_ends_it_and_commits_nothing_of_it() -> None:
    desk, script = Desk(StoreDamagedError("gone")), Script()
    script.steps = [lambda: script.consuming.assigned({A: 1}, []), message(A, 0)]
    with pytest.raises(StoreDamagedError):
        play(script, desk)
    assert script.done == ["hold", "close"]


def test_a_partition_that_is_taken_away_is_recorded_and_committed_first() -> None:
    desk, script = Desk(), Script()
    script.steps = [
        lambda: script.consuming.assigned({A: 9, B: 1}, []), message(A, 0), message(B, 0),
        lambda: script.consuming.revoked([A], lost=False),
    ]  # fmt: skip
    play(script, desk)
    assert desk.recorded == [0, 0]
    assert script.done == [("commit now", {A: 1}), ("commit", {B: 1}), "hold", "close"]


def test_a_partition_that_is_lost_is_dropped() -> None:
    desk, script = Desk(), Script()
    script.steps = [
        lambda: script.consuming.assigned({A: 9, B: 1}, []), message(A, 0), message(B, 0),
        lambda: script.consuming.revoked([A], lost=True),
    ]  # fmt: skip
    play(script, desk)
    assert desk.recorded == [0]
    assert script.done == [("commit", {B: 1}), "hold", "close"]


def test_a_partition_that_is_taken_while_the_store_is_away_is_not_skipped() -> None:
    desk, script = Desk(*[StoreBusyError("away")] * 2), Script()
    script.steps = [
        lambda: script.consuming.assigned({A: 9, B: 1}, []), message(A, 0), message(B, 0), None,
        lambda: script.consuming.revoked([A], lost=False),
    ]  # fmt: skip
    play(script, desk)
    assert desk.recorded == [0]
    assert script.done == ["hold", "release", ("commit", {B: 1}), "hold", "close"]
