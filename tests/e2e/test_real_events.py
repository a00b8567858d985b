"""Real producers' events go in, and sending them twice or in any order changes nothing.

The events lie beside a checkout (``../shared/inputs``); small ones of our own are always there.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineage.model.envelope import Actor
from lineage.record.dead_letters import DeadLetters
from lineage.record.intake import Intake
from lineage.record.interpret import interpret
from lineage.record.rebuild import rebuild
from lineage.record.recorder import Recorder
from lineage.store.contract import Direction, Store, View
from lineage.store.memory import MemoryStore
from tests.stores import new_store

pytestmark = pytest.mark.both_stores

INPUTS = Path(__file__).parents[3] / "shared" / "inputs"
OWN = Path(__file__).parent / "events"
ACTOR = Actor("person:test")
MEANINGLESS = {"no-run-id": "no-run-id", "event-time-without-zone": "time-without-zone"}
"""Faults that make an event meaningless, and the code each is refused with."""

needs_inputs = pytest.mark.skipif(not INPUTS.exists(), reason=f"no events at {INPUTS.name}")


def _files() -> list[Path]:
    found = sorted(OWN.glob("*.jsonl"))
    if INPUTS.exists():
        found += sorted((INPUTS / "openlineage").glob("*.jsonl"))
        found += sorted((INPUTS / "feast").glob("*.jsonl"))
    return found


def _events(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(fault, event) of every line: wrappers are taken off."""
    for line in path.read_text(encoding="utf-8").splitlines():
        value = json.loads(line)
        fault = value.get("fault", "")
        inner = value.get("event", value.get("body", value))
        yield fault, json.loads(inner) if isinstance(inner, str) else inner


def _intake(store: Store, tmp_path: Path) -> Intake:
    recorder = Recorder(store, key=b"k" * 32)
    return Intake(recorder.record, DeadLetters(tmp_path / "dlq"), max_event=1 << 22)


def _send(intake: Intake, events: list[dict[str, Any]]) -> list[str]:
    body = json.dumps(events).encode()
    return [outcome.status for outcome in intake.take_openlineage(body, ACTOR)]


@pytest.mark.parametrize("path", _files(), ids=lambda path: path.stem)
def test_every_event_goes_in_unless_its_fault_makes_it_meaningless(
    path: Path, tmp_path: Path
) -> None:
    count = 0
    with new_store(tmp_path / "store") as store:
        intake = _intake(store, tmp_path)
        for fault, event in _events(path):
            (outcome,) = intake.take_openlineage(json.dumps(event).encode(), ACTOR)
            assert (outcome.status == "refused") == (fault in MEANINGLESS), (fault, outcome)
            assert outcome.code == MEANINGLESS.get(fault, "")
            count += 1
    assert count


def test_twice_and_in_any_order_changes_nothing(tmp_path: Path) -> None:
    events = [e for path in _files() for fault, e in _events(path) if fault not in MEANINGLESS]
    digests = set()
    counts = set()
    for seed in range(4):
        sent = events * 2
        if seed:
            random.Random(seed).shuffle(sent)
        with new_store(tmp_path / str(seed)) as store:
            statuses = _send(_intake(store, tmp_path), sent)
            assert statuses.count("recorded") == store.head().seq
            digests.add(store.digest(recorded=False))
            counts.add(store.head().seq)
    assert len(digests) == len(counts) == 1


def test_rebuilt_and_memory_answer_alike(tmp_path: Path) -> None:
    events = [e for path in _files() for fault, e in _events(path) if fault not in MEANINGLESS]
    memory = MemoryStore(interpret)
    with new_store(tmp_path / "live") as store, new_store(tmp_path / "again") as again:
        _send(_intake(store, tmp_path), events)
        rebuild(store, again)
        assert again.digest() == store.digest()
        rebuild(store, memory)
        assert memory.digest(recorded=False) == store.digest(recorded=False)
        head = store.head().seq
        ids = memory.page(View(head), versions=True, limit=10_000)
        for node in random.Random(7).sample(ids, min(60, len(ids))):
            for view in (View(head), View(head // 2)):
                for way in Direction:
                    assert store.walk([node], way, view) == memory.walk([node], way, view)


@needs_inputs
def test_spark_merge_makes_no_cycle(tmp_path: Path) -> None:
    path = INPUTS / "openlineage" / "spark.jsonl"
    with new_store(tmp_path / "store") as store:
        _send(_intake(store, tmp_path), [event for _, event in _events(path)])
        view = View(store.head().seq)
        nodes = store.page(view, classes=["artifact"], versions=True, limit=1000)
        versions = [node for node in nodes if "@" in node]
        assert versions
        for node in versions:
            up = {n for n, _ in store.walk([node], Direction.UPSTREAM, view).nodes}
            down = {n for n, _ in store.walk([node], Direction.DOWNSTREAM, view).nodes}
            assert not {n for n in up & down if n.startswith("run:")}, node
