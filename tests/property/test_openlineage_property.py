"""Random OpenLineage histories: every backend answers alike, in any order, and when rebuilt."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.model.envelope import Actor
from lineage.record.dead_letters import DeadLetters
from lineage.record.intake import Intake
from lineage.record.interpret import interpret
from lineage.record.rebuild import rebuild
from lineage.record.recorder import Recorder
from lineage.store.contract import Direction, Store, View
from lineage.store.memory import MemoryStore
from lineage.store.sqlite import SqliteStore

ACTOR = Actor("person:test")
NAMES = ["raw", "features", "model", "a b", "\ud800", "x" * 1100]


@st.composite
def datasets(draw: st.DrawFn) -> dict[str, Any]:
    facets: dict[str, Any] = {}
    if draw(st.integers(0, 2)) == 0:
        facets["version"] = {"datasetVersion": draw(st.sampled_from(["1", "2", "v3", 2, "1.ab"]))}
    if draw(st.integers(0, 3)) == 0:
        link = {"namespace": "hive", "name": draw(st.sampled_from(["db.raw", "db.x", "raw"]))}
        facets["symlinks"] = {"identifiers": [link]}
    if draw(st.integers(0, 5)) == 0:
        change = draw(st.sampled_from(["DROP", "CREATE", "RENAME", "OVERWRITE"]))
        before = {"namespace": "n", "name": draw(st.sampled_from(NAMES[:3]))}
        facets["lifecycleStateChange"] = {
            "lifecycleStateChange": change, "previousIdentifier": before,
        }  # fmt: skip
    return {"namespace": "n", "name": draw(st.sampled_from(NAMES)), "facets": facets}


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    second = draw(st.integers(0, 9))
    return {
        "eventTime": f"2024-01-01T00:00:0{second}Z",
        "eventType": draw(st.sampled_from(["START", "COMPLETE", "COMPLETE", "FAIL", "RUNNING"])),
        "run": {"runId": draw(st.sampled_from(["1", "2", "3"]))},
        "job": {"namespace": "j", "name": draw(st.sampled_from(["etl", "train"]))},
        "inputs": draw(st.lists(datasets(), max_size=3)),
        "outputs": draw(st.lists(datasets(), max_size=2)),
        "producer": draw(st.sampled_from(["http://p", "http://q"])),
    }


def sample(chance: random.Random) -> list[dict[str, Any]]:
    """Some events like those that hypothesis makes."""

    def dataset() -> dict[str, Any]:
        facets: dict[str, Any] = {}
        if chance.random() < 0.3:
            facets["version"] = {"datasetVersion": chance.choice(["1", "2", "v3", "1.ab"])}
        if chance.random() < 0.2:
            link = {"namespace": "hive", "name": chance.choice(["db.raw", "db.x", "raw"])}
            facets["symlinks"] = {"identifiers": [link]}
        return {"namespace": "n", "name": chance.choice(NAMES), "facets": facets}

    return [
        {
            "eventTime": f"2024-01-01T00:00:0{chance.randint(0, 9)}Z",
            "eventType": chance.choice(["START", "COMPLETE", "FAIL"]),
            "run": {"runId": chance.choice("123")},
            "job": {"namespace": "j", "name": chance.choice(["etl", "train"])},
            "inputs": [dataset() for _ in range(chance.randint(0, 3))],
            "outputs": [dataset() for _ in range(chance.randint(0, 2))],
            "producer": chance.choice(["http://p", "http://q"]),
        }
        for _ in range(6)
    ]


def fill(store: Store, history: list[dict[str, Any]], place: Path, cuts: random.Random) -> None:
    intake = Intake(Recorder(store, key=b"k").record, DeadLetters(place / "dlq"), max_event=1 << 20)
    at = 0
    while at < len(history):
        size = cuts.randint(1, 4)
        intake.take_openlineage(json.dumps(history[at : at + size]).encode(), ACTOR)
        at += size


def _event(second: int, job: str, used: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    return {
        "eventTime": f"2024-01-01T00:00:0{second}Z", "eventType": "COMPLETE",
        "run": {"runId": job}, "job": {"namespace": "j", "name": job},
        "inputs": [used], "outputs": [made], "producer": "http://p",
    }  # fmt: skip


def test_an_entry_with_a_new_alias_and_a_new_output(tmp_path: Path) -> None:
    """The alias is of another dataset: what the entry made must not be forgotten for it."""
    link = {"symlinks": {"identifiers": [{"namespace": "hive", "name": "db.raw"}]}}
    raw = {"namespace": "n", "name": "raw", "facets": link}
    features = {"namespace": "n", "name": "features"}
    history = [
        _event(1, "etl", raw, features),
        _event(5, "train", features, {"namespace": "n", "name": "model"}),
    ]
    live, memory = SqliteStore(tmp_path / "live.db", interpret), MemoryStore(interpret)
    for store in (live, memory):
        for event in history:
            fill(store, [event], tmp_path, random.Random(1))
    assert live.digest(recorded=False) == memory.digest(recorded=False)
    again = SqliteStore(tmp_path / "again.db", interpret)
    rebuild(live, again)
    assert again.digest() == live.digest()


@settings(max_examples=120, deadline=None)
@given(st.lists(events(), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_backends_orders_and_rebuilds_agree(
    history: list[dict[str, Any]], chance: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        live = SqliteStore(place / "live.db", interpret)
        fill(live, history, place, chance)
        memory, again = MemoryStore(interpret), SqliteStore(place / "again.db", interpret)
        rebuild(live, memory)
        rebuild(live, again)
        assert again.digest() == live.digest()
        assert memory.digest(recorded=False) == live.digest(recorded=False)
        shuffled = history * 2
        chance.shuffle(shuffled)
        other = SqliteStore(place / "other.db", interpret)
        fill(other, shuffled, place, chance)
        assert other.digest(recorded=False) == live.digest(recorded=False)
        head = live.head().seq
        for position in {head, max(head // 2, 1)}:
            view = View(position)
            for node in memory.page(view, versions=True, limit=40):
                for direction in Direction:
                    one, two = (s.walk([node], direction, view) for s in (live, memory))
                    assert one == two, (node, direction)
        for store in (live, again, other):
            store.close()
