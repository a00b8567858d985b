"""Runs that were never heard of again: an inferred ``run.abandoned``, which a late end beats."""

from __future__ import annotations

from lineage.model.changes import RunAbandoned, RunRef
from lineage.model.claims import StateType
from lineage.model.envelope import Actor
from lineage.model.ids import parse_id
from lineage.record.recorder import Recorder
from lineage.store.contract import View

__all__ = ["sweep"]

SOURCE = "lineage:sweep"


def sweep(recorder: Recorder, actor: Actor, *, now: int, time_to_live: int) -> list[str]:
    """Record as abandoned every run without an event for ``time_to_live`` (us); returns their ids.

    Sweeping again changes nothing: the event id is the run and its last event's time.
    """
    store = recorder.store
    position = store.head().seq
    abandoned: list[str] = []
    changes: list[RunAbandoned] = []
    event_ids: list[str] = []
    for shown in store.states(View(position), types=[StateType.RUN_STATE]):
        if shown.value != "RUNNING":
            continue
        heard = store.state_evidence(shown.subject, StateType.RUN_STATE, shown.object, position)
        last = max(claim.at for claim in heard)
        parsed = parse_id(shown.subject)
        if last + time_to_live > now or any(part.digest for part in parsed.parts):
            continue
        namespace, job, run = parsed.texts
        changes.append(
            RunAbandoned(
                run=RunRef(namespace=namespace, job=job, run_id=run),
                event_at=last + time_to_live,
                reason=f"no event for {time_to_live // 1_000_000} s",
            )
        )
        event_ids.append(f"{shown.subject}#{last}")
        abandoned.append(shown.subject)
    if changes:
        recorder.record_changes(changes, source=SOURCE, actor=actor, event_ids=event_ids)
    return abandoned
