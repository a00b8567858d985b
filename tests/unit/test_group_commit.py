"""Group commit: writers share a transaction, and none suffers for another."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from lineage.errors import LineageError, StoreBusyError
from lineage.model.envelope import Actor
from lineage.record.group import GroupCommitter
from lineage.record.interpret import interpret
from lineage.record.recorder import Incoming, Recorder
from lineage.store.contract import NewEntry, Receipt
from lineage.store.memory import MemoryStore

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


def _incoming(n: int | str) -> Incoming:
    return Incoming("note", 1, "s", b"{}", 0, event_id=str(n))


def test_those_who_wait_share_a_transaction() -> None:
    store = Slow()
    group = GroupCommitter(Recorder(store, key=b"k"))
    futures = [group.submit([_incoming(n)], ACTOR) for n in range(50)]
    store.gate.set()
    seqs = [future.result(10)[0].seq for future in futures]
    assert seqs == list(range(1, 51))
    assert sum(store.sizes) == 50
    assert len(store.sizes) <= 3
    group.close()


def test_one_bad_writer_does_not_hurt_the_others() -> None:
    store = Slow()
    group = GroupCommitter(Recorder(store, key=b"k"))
    names: list[Any] = ["first", "a", "poison", "b"]
    futures = [group.submit([_incoming(n)], ACTOR) for n in names]
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
    group = GroupCommitter(Recorder(store, key=b"k"))
    futures = [group.submit([_incoming(n)], ACTOR) for n in range(5)]
    closing = threading.Thread(target=group.close)
    closing.start()
    store.gate.set()
    closing.join(10)
    assert [future.result(10)[0].seq for future in futures] == [1, 2, 3, 4, 5]
    with pytest.raises(StoreBusyError):
        group.submit([_incoming(9)], ACTOR)


def test_too_many_waiting_is_said_at_once() -> None:
    store = Slow()
    group = GroupCommitter(Recorder(store, key=b"k"), waiting=3)
    refused = 0
    for n in range(20):
        try:
            group.submit([_incoming(n)], ACTOR)
        except StoreBusyError:
            refused += 1
    assert refused >= 16
    store.gate.set()
    group.close()
