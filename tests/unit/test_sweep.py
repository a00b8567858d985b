"""Runs that were never heard of again."""

from __future__ import annotations

from typing import Any

from lineage.model.changes import parse_change
from lineage.model.claims import StateType
from lineage.model.envelope import Actor
from lineage.record.interpret import interpret
from lineage.record.recorder import Recorder
from lineage.record.sweep import sweep
from lineage.store.contract import View
from lineage.store.memory import MemoryStore

ACTOR = Actor("person:test")
RUN = {"namespace": "n", "job": "j", "run_id": "1"}
HOUR = 3_600_000_000


def _state(recorder: Recorder) -> str:
    view = View(recorder.store.head().seq)
    (shown,) = recorder.store.states(view, types=[StateType.RUN_STATE])
    return shown.value


def _record(recorder: Recorder, **fields: Any) -> None:
    change = parse_change({"v": 1, "run": RUN, **fields})
    recorder.record_changes([change], source="s", actor=ACTOR)


def test_a_silent_run_is_abandoned_once_and_a_late_end_beats_it() -> None:
    recorder = Recorder(MemoryStore(interpret), key=b"k")
    _record(recorder, kind="run.started", command=["x"], event_at=HOUR)
    assert sweep(recorder, ACTOR, now=2 * HOUR, time_to_live=24 * HOUR) == []
    assert _state(recorder) == "RUNNING"
    assert sweep(recorder, ACTOR, now=26 * HOUR, time_to_live=24 * HOUR) == ["run:n,j,1"]
    assert _state(recorder) == "ABANDONED"
    assert sweep(recorder, ACTOR, now=99 * HOUR, time_to_live=24 * HOUR) == []
    _record(recorder, kind="run.finished", state="COMPLETE", event_at=3 * HOUR)
    assert _state(recorder) == "COMPLETE"
