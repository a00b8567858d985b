"""Changes of runs: how they began, what they used and made, how they ended."""

from __future__ import annotations

from typing import Any, Literal

from lineage.model.changes.values import (
    BlobRef,
    Change,
    MethodName,
    Name,
    NodeId,
    RunRef,
    Sha256,
    Text,
    Time,
    Value,
)

__all__ = [
    "CodeFacts",
    "EnvironmentFacts",
    "GapFacts",
    "Output",
    "ReproductionFinished",
    "RunAbandoned",
    "RunFinished",
    "RunStarted",
    "Use",
    "UserFacts",
]


class UserFacts(Value):
    """Who ran it. ``person`` is an opaque id; the name is an attribute that can be erased."""

    person: NodeId
    name: Text = ""


class CodeFacts(Value):
    """The code a run ran. ``root`` is where the work tree stood; ``diff`` is against ``commit``."""

    root: Text = ""
    repository: Text = ""
    commit: Text = ""
    branch: Text = ""
    dirty: bool = False
    diff: BlobRef | None = None
    untracked: BlobRef | None = None
    entry_point: Text = ""
    entry_point_sha256: Text = ""


class EnvironmentFacts(Value):
    """What a run ran in. ``digest`` is the SHA-256 of the canonical list of distributions."""

    digest: Sha256
    interpreter: Text = ""
    version: Text = ""
    prefix: Text = ""
    platform: Text = ""
    distributions: BlobRef | None = None
    lock: BlobRef | None = None


class Use(Value):
    """One input of a run. ``version`` is a token; ``candidates`` where it could not be told."""

    namespace: Name
    name: Name
    artifact_kind: Text = "file"
    version: Text = ""
    said: Text = ""
    at: Time
    method: MethodName = "observed"
    role: Text = ""
    hook: Text = ""
    size: int | None = None
    candidates: list[Text] = []
    files: list[Text] = []


class Output(Value):
    """One output of a run; ``operation`` is its place in the run's footprint."""

    namespace: Name
    name: Name
    artifact_kind: Text = "file"
    version: Text = ""
    at: Time
    method: MethodName = "observed"
    operation: Literal["ADDED", "MODIFIED", "TMP", "REMOVED"] = "ADDED"
    renamed_from: Text = ""
    hook: Text = ""
    size: int | None = None


class GapFacts(Value):
    """Something that a hook knows it may have missed."""

    reason: Name
    detail: Text = ""


class RunStarted(Change):
    """A run began, as seen by the wrapper that started it."""

    kind: Literal["run.started"] = "run.started"
    run: RunRef
    parent: RunRef | None = None
    command: list[Text]
    cwd: Text = ""
    host: Text = ""
    user: UserFacts | None = None
    parameters: dict[str, Any] = {}
    variables: dict[str, Text] = {}
    hardware: dict[str, Any] = {}
    code: CodeFacts | None = None


class RunFinished(Change):
    """A run ended: everything its hooks saw of it."""

    kind: Literal["run.finished"] = "run.finished"
    run: RunRef
    state: Literal["COMPLETE", "FAIL", "ABORT"]
    exit_code: int | None = None
    signal: int | None = None
    started_at: Time | None = None
    uses: list[Use] = []
    outputs: list[Output] = []
    environment: EnvironmentFacts | None = None
    code: CodeFacts | None = None
    gaps: list[GapFacts] = []
    capture: dict[str, Any] = {}


class RunAbandoned(Change):
    """No event of a run within its time to live: inferred, and beaten by a late terminal event."""

    kind: Literal["run.abandoned"] = "run.abandoned"
    run: RunRef
    reason: Text = ""


class ReproductionFinished(Change):
    """The verdict on a run that was run again."""

    kind: Literal["reproduction.finished"] = "reproduction.finished"
    subject: NodeId
    run: NodeId
    verdict: Literal["IDENTICAL", "EQUIVALENT", "DIFFERENT", "FAILED"]
    isolation: Text = ""
    preflight: Text = ""
    first_difference: dict[str, Any] = {}
    outputs: list[dict[str, Any]] = []
