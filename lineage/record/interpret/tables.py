"""What a commit of a table's log means: a version, what it carries, who made it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lineage.model.changes import TableCommitted, kind_of
from lineage.model.claims import Claims, EdgeType, Method, Occurrence, StateType, TableCommit
from lineage.model.ids import delta_token, with_version
from lineage.record.interpret.claiming import artifact, attributes, run_of_ref, state


def committed(body: Any) -> Claims:
    """``table.committed``: every commit but an unconditional overwrite carries its predecessor."""
    change = TableCommitted.model_validate(body)
    at, seen = change.event_at, Method.OBSERVED
    table = artifact(change.namespace, change.name)
    version = with_version(table, delta_token(change.version, change.table_id))
    occurrences: list[Occurrence] = []
    if change.version > 0:
        before_id = change.previous_table_id or change.table_id
        before = with_version(table, delta_token(change.version - 1, before_id))
        revision = EdgeType.CARRIES if change.carries else EdgeType.REVISION_OF
        occurrences.append(Occurrence(revision, before, version, at, seen))
    if change.run is not None:
        made = Occurrence(EdgeType.GENERATED, run_of_ref(change.run), version, at, seen)
        occurrences.append(made)
    states = [
        state(table, StateType.EXISTS, "", "on", at, method=seen),
        *attributes(table, {"kind": "table", "table_id": change.table_id}, at, seen),
        *attributes(table, {"schema": change.table_schema}, at, seen),
        *attributes(
            version,
            {
                "operation": change.operation,
                "parameters": change.parameters,
                "metrics": change.metrics,
                "engine": change.engine,
            },
            at,
            seen,
        ),
    ]
    commit = TableCommit(
        table,
        version,
        change.version,
        change.log or change.table_id,
        at,
        tuple(file.path for file in change.added),
        tuple(change.removed),
        change.files_known,
        change.carries,
    )
    return Claims(tuple(occurrences), tuple(states), (commit,), mentions=(version,))


KINDS: dict[tuple[str, int], Callable[[Any], Claims]] = {(kind_of(TableCommitted), 1): committed}
