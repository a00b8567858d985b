"""Group commit: writers share a transaction, and none suffers for another."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from lineage.errors import LineageError, StoreBusyError, StoreUnavailableError
from lineage.model.claims import Claims
from lineage.model.envelope import Actor
from lineage.record.group import GroupCommitter
from lineage.record.interpret import interpret
from lineage.store.contract import NewEntry, Receipt
from lineage.store.memory import MemoryStore
from tests.serving import until

ACTOR = Actor("person:test")


class Slow(MemoryStore):
    """A store that commits when it is let, counts transactions, and refuses ``poison``."""

    def __init__(self) -> None:
        super().__init__(interpret)
        self.gate = threading.Event()
        self.sizes: list[int] = []

    def append(self, entries: Sequence[NewEntry]) -> list[Receipt]:  # type: ignore[explicit-override]
        self.gate.wait(10)
        if any(entry.event_id == "poison" for entry in entries):
            raise LineageError("poison")
        self.sizes.append(len(entries))
        return super().append(entries)


def _entry(n: int | str) -> NewEntry:
    return NewEntry("note", 1, "s", str(n), ACTOR, b"{}", Claims())


def test_those_who_wait_share_a_transaction() -> None:
    store = Slow()
    group = GroupCommitter(store.append)
    futures = [group.submit([_entry(n)]) for n in range(50)]
    store.gate.set()
    seqs = [future.result(10)[0].seq for future in futures]
    assert seqs == list(range(1, 51))
    assert sum(store.sizes) == 50
    assert len(store.sizes) <= 3
    group.close()


def test_one_bad_writer_does_not_hurt_the_others() -> None:
    store = Slow()
    group = GroupCommitter(store.append)
    names: list[Any] = ["first", "a", "poison", "b"]
    futures = [group.submit([_entry(n)]) for n in names]
    store.gate.set()
    results = []
    for name, future in zip(names, futures, strict=True):
        if name == "poison":
            with pytest.raises(LineageError):
                future.result(10)
        else:
            results.append(future.result(10)[0].seq)
    assert results == [1, 2, 3]
    group.close()


def test_closing_records_what_waits_and_then_refuses() -> None:
    store = Slow()
    group = GroupCommitter(store.append)
    futures = [group.submit([_entry(n)]) for n in range(5)]
    closing = threading.Thread(target=group.close)
    closing.start()
    store.gate.set()
    closing.join(10)
    assert [future.result(10)[0].seq for future in futures] == [1, 2, 3, 4, 5]
    with pytest.raises(StoreBusyError):
        group.submit([_entry(9)])


def test_what_is_queued_while_it_closes_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Slow()
    store.gate.set()
    group = GroupCommitter(store.append)
    closing = threading.Thread(target=group.close)
    put = queue.Queue.put_nowait

    def put_late(waiting: queue.Queue[Any], thing: Any) -> None:
        closing.start()
        closing.join(0.5)  # it would end now if it did not wait for us
        put(waiting, thing)

    monkeypatch.setattr(queue.Queue, "put_nowait", put_late)
    assert group.submit([_entry(1)]).result(30)[0].seq == 1
    closing.join(30)


def test_too_many_waiting_is_said_at_once() -> None:
    store = Slow()
    group = GroupCommitter(store.append, waiting=3)
    under_way = group.submit([_entry(0)])
    until(under_way.running)
    refused = 0
    for n in range(1, 21):
        try:
            group.submit([_entry(n)])
        except StoreBusyError:
            refused += 1
    assert refused == 17
    store.gate.set()
    group.close()


def test_a_store_that_is_away_is_asked_once_for_all_who_wait() -> None:
    """Each alone would wait as long, one after the other, to hear the same."""
    asked: list[int] = []
    gate = threading.Event()

    def append(entries: Sequence[NewEntry]) -> list[Receipt]:
        gate.wait(10)
        asked.append(len(entries))
        raise StoreUnavailableError("away")

    group = GroupCommitter(append)
    futures = [group.submit([_entry(n)]) for n in range(50)]
    gate.set()
    for future in futures:
        with pytest.raises(StoreUnavailableError):
            future.result(10)
    assert sum(asked) == 50
    assert len(asked) <= 3
    group.close()


def test_what_is_cancelled_while_it_waits_is_not_committed() -> None:
    store = Slow()
    group = GroupCommitter(store.append)
    first = group.submit([_entry(0)])
    until(first.running)
    second, third = (group.submit([_entry(n)]) for n in (1, 2))
    assert second.cancel()
    store.gate.set()
    assert [first.result(10)[0].seq, third.result(10)[0].seq] == [1, 2]
    group.close()
    assert store.head().seq == 2
