"""What the record says of a run: its own changes, found in the ledger.

A run is re-run from the bodies of ``run.started`` and ``run.finished``, not from the graph: the
bodies say everything that was seen, as it was seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from lineage.errors import ReproduceError, UnknownNameError
from lineage.model.changes import (
    CodeFacts,
    EnvironmentFacts,
    GapFacts,
    Output,
    RunFinished,
    RunStarted,
    Use,
    kind_of,
)
from lineage.model.claims import EdgeType, StateType
from lineage.model.ids import (
    ARTIFACT,
    RUN,
    artifact_id,
    class_of,
    run_token,
    token_of,
    with_version,
)
from lineage.model.naming import normalise
from lineage.record.redact.names import ERASED
from lineage.store.contract import Direction, Store, StoredEntry, View

__all__ = ["RunFacts", "find_run", "load_run"]


@dataclass(frozen=True)
class RunFacts:
    """One run as recorded. ``subject`` is the id that was asked for: the run, or an output."""

    run: str
    subject: str
    started: RunStarted
    finished: RunFinished
    erased: tuple[str, ...] = ()
    """Kinds of its entries whose bodies were redacted."""

    @property
    def code(self) -> CodeFacts | None:
        """The code it ran: as seen at its end, else at its start."""
        return self.finished.code or self.started.code

    @property
    def environment(self) -> EnvironmentFacts | None:
        """What it ran in."""
        return self.finished.environment

    @property
    def gaps(self) -> list[GapFacts]:
        """What its hooks know they may have missed."""
        return self.finished.gaps

    @property
    def inputs(self) -> list[Use]:
        """Data that it used: code and environment are facts of their own."""
        return [
            use for use in self.finished.uses if use.artifact_kind not in {"code", "environment"}
        ]

    @property
    def code_files(self) -> list[Use]:
        """Source files that were seen one by one, where no repository knows them."""
        return [use for use in self.finished.uses if use.artifact_kind == "code"]

    @property
    def outputs(self) -> list[Output]:
        """Everything that it wrote, temporary and removed things too."""
        return self.finished.outputs

    def id_of(self, thing: Use | Output) -> str:
        """The id of a used or written version; of the artifact where the version is not known."""
        artifact = artifact_id(*normalise(thing.namespace, thing.name))
        if isinstance(thing, Output):
            return with_version(artifact, thing.version or run_token(self.run))
        return with_version(artifact, thing.version) if thing.version else artifact


def find_run(store: Store, node: str, view: View) -> str:
    """The run that made ``node``: itself, or the latest that generated the version or artifact.

    Raises ``UnknownNameError`` where no run is known to have.
    """
    if class_of(node) == RUN:
        return node
    if class_of(node) != ARTIFACT:
        raise _not_made(node)
    versions = [node] if token_of(node) else [version for version, _ in store.versions(node, view)]
    for version in reversed(versions):
        made = store.edges([version], Direction.UPSTREAM, view, [EdgeType.GENERATED])
        runs = [edge for edge in made if class_of(edge.up) == RUN]
        if runs:
            return max(runs, key=lambda edge: (edge.at, edge.up)).up
    raise _not_made(node)


def _not_made(node: str) -> UnknownNameError:
    return UnknownNameError(
        f"no run is known to have made {node}",
        hint="only what a recorded run wrote can be reproduced: start jobs with `lineage run --`",
    )


def load_run(store: Store, node: str, view: View) -> RunFacts:
    """Everything recorded of the run that made ``node``.

    Raises ``UnknownNameError``, or ``ReproduceError`` for a run whose command is not recorded.
    """
    run = find_run(store, node, view)
    started: RunStarted | None = None
    finished: RunFinished | None = None
    erased: list[str] = []
    for entry in _entries(store, run, view):
        if entry.salt is None and not _whole(entry):
            erased.append(entry.kind)
        if entry.kind == kind_of(RunStarted):
            started = _started(entry) or started
        elif entry.kind == kind_of(RunFinished):
            finished = _finished(entry) or finished
    if started is None or finished is None or not (started.command or erased):
        raise _not_recorded(run, started, finished)
    return RunFacts(
        run,
        node if class_of(node) == RUN or token_of(node) else _made(store, node, run, view),
        started,
        finished,
        tuple(dict.fromkeys(erased)),
    )


def _made(store: Store, artifact: str, run: str, view: View) -> str:
    """The version of an artifact that a run made."""
    made = store.edges([run], Direction.DOWNSTREAM, view, [EdgeType.GENERATED])
    mine = {version for version, _ in store.versions(artifact, view)}
    return max((edge.down for edge in made if edge.down in mine), default=artifact)


def _entries(store: Store, run: str, view: View) -> Iterator[StoredEntry]:
    """Entries that say anything of a run's state or facts, in order."""
    seqs = {
        evidence.seq
        for evidence in store.state_evidence(run, StateType.RUN_STATE, "", view.position)
    }
    for name in ("command", "started_at", "ended_at"):
        found = store.state_evidence(run, StateType.ATTRIBUTE, name, view.position)
        seqs |= {evidence.seq for evidence in found}
    for seq in sorted(seqs):
        yield from store.entries(seq - 1, 1)


def _whole(entry: StoredEntry) -> bool:
    """Whether what was redacted is only who did it: what is needed to do it again is there."""
    body = _body(entry)
    needed = "command" if entry.kind == kind_of(RunStarted) else "environment"
    return bool(body.get(needed)) and ERASED.encode() not in entry.body


def _started(entry: StoredEntry) -> RunStarted | None:
    body = _body(entry)
    try:
        return RunStarted.model_validate({"command": [], **body})
    except ValidationError:
        return None


def _finished(entry: StoredEntry) -> RunFinished | None:
    try:
        return RunFinished.model_validate(_body(entry))
    except ValidationError:
        return None


def _body(entry: StoredEntry) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(entry.body)
    return body


def _not_recorded(
    run: str, started: RunStarted | None, finished: RunFinished | None
) -> ReproduceError:
    if started is not None and finished is None:
        return ReproduceError(
            f"{run} has not ended, or its end was never recorded",
            hint="what it used and made is recorded when it ends; see `lineage spool` for changes "
            "that still wait to be delivered",
        )
    return ReproduceError(
        f"the command of {run} is not recorded",
        hint="only runs that were started with `lineage run --` can be run again",
    )
