"""Our own changes: what hooks and people tell the record, as a pydantic discriminated union.

The JSON Schemas in ``schema/events/`` are generated from these classes. A published ``(kind, v)``
never changes meaning: a new meaning is a new ``v`` and an upcaster in ``record/``. Unknown fields
survive a round trip. Times are UTC microseconds since the epoch. Foreign formats (OpenLineage) are
not here: their bodies are kept as received.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from lineage.errors import InputError, RefusedError
from lineage.model import canonical as canon
from lineage.model.canonical import FOREVER
from lineage.model.ids import parse_id

Time = Annotated[int, Field(ge=-(10**17), le=FOREVER, strict=True)]
"""UTC microseconds since the epoch."""
Text = Annotated[str, Field(max_length=65_536)]
Schema = Annotated[str, Field(max_length=1 << 21)]
"""Of a table with thousands of columns, it is megabytes."""
Name = Annotated[str, Field(min_length=1, max_length=65_536)]


def _canonical_id(text: str) -> str:
    try:
        parse_id(text)
    except RefusedError as fault:
        raise ValueError(fault.message) from fault
    return text


NodeId = Annotated[str, Field(max_length=8_192), AfterValidator(_canonical_id)]
"""An id in the grammar of :mod:`lineage.model.ids`."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _json_text(text: str) -> str:
    try:
        canon.parse_json(text)
    except InputError as fault:
        raise ValueError(fault.message) from fault
    return text


JsonText = Annotated[Text, AfterValidator(_json_text)]
"""JSON as text."""
MethodName = Literal["observed", "declared", "inferred"]


class Value(BaseModel):
    """Base of all values in a change: frozen, and unknown fields are kept."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)


class ArtifactRef(Value):
    """Names an artifact."""

    namespace: Name
    name: Name


class RunRef(Value):
    """Names a run: its job and the run id within it."""

    namespace: Name
    job: Name
    run_id: Name


class UserFacts(Value):
    """Who ran it. ``person`` is an opaque id; the name is an attribute that can be erased."""

    person: NodeId
    name: Text = ""


class BlobRef(Value):
    """Contents kept in the blob store."""

    sha256: Sha256
    size: int = Field(ge=0)
    media_type: Text = "application/octet-stream"


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


class Change(Value):
    """Base of every change. ``event_at`` is when it happened."""

    v: Literal[1] = 1
    event_at: Time


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


class FileAdd(Value):
    """A data file that a commit added (unquoted path, bytes), with the file of its deleted rows."""

    path: Name
    size: int = 0
    deletion_vector: Text = ""


class TableCommitted(Change):
    """One commit of a table's log. ``files_known`` False: too many files to list in an entry.

    ``table_id`` is the id in force from this commit on. Replacing a table in place changes it
    within one log: then ``log`` is the id that the log began with and ``previous_table_id`` the one
    of the version before; both are empty where they equal ``table_id``.
    """

    kind: Literal["table.committed"] = "table.committed"
    namespace: Name
    name: Name
    table_id: Name
    version: int = Field(ge=0)
    log: Text = ""
    previous_table_id: Text = ""
    operation: Text = ""
    carries: bool
    run: RunRef | None = None
    added: list[FileAdd] = []
    removed: list[Name] = []
    files_known: bool = True
    table_schema: Schema = Field(default="", description="schema JSON, on commits that set it")
    engine: Text = ""
    metrics: dict[str, Any] = {}
    parameters: dict[str, Any] = {}


class ArtifactDescribed(Change):
    """Attributes of an artifact or of one of its versions."""

    kind: Literal["artifact.described"] = "artifact.described"
    namespace: Name
    name: Name
    version: Text = ""
    artifact_kind: Text = ""
    attributes: dict[str, Any] = {}


class ArtifactInvalidated(Change):
    """An artifact was deleted, by a run where that is known. Its versions stay."""

    kind: Literal["artifact.invalidated"] = "artifact.invalidated"
    namespace: Name
    name: Name
    run: RunRef | None = None


class ArtifactRenamed(Change):
    """An artifact was renamed: the same content under another name."""

    kind: Literal["artifact.renamed"] = "artifact.renamed"
    before: ArtifactRef
    after: ArtifactRef
    version: Text = ""
    run: RunRef | None = None


class AliasDeclared(Change):
    """Two ids name one thing, from ``since`` on. An inferred one needs confirmation."""

    kind: Literal["alias.declared"] = "alias.declared"
    a: NodeId
    b: NodeId
    since: Time | None = None
    until: Time | None = None
    inferred: bool = False


class AliasWithdrawn(Change):
    """Two ids name one thing no longer, from ``since`` on."""

    kind: Literal["alias.withdrawn"] = "alias.withdrawn"
    a: NodeId
    b: NodeId
    since: Time | None = None
    until: Time | None = None


class _OwnerChange(Change):
    target: NodeId
    team: NodeId
    claim_source: Name = "explicit"
    since: Time | None = None
    until: Time | None = None
    reason: Text = ""
    by: Text = ""


class OwnerClaimed(_OwnerChange):
    """A team is said to answer for an artifact or for all that a scope pattern matches."""

    kind: Literal["owner.claimed"] = "owner.claimed"
    confidence: float | None = Field(default=None, ge=0, le=1)
    backdated: bool = Field(default=False, description="it says it held before it was made")


class OwnerAccepted(_OwnerChange):
    """The team accepted the claim of that source."""

    kind: Literal["owner.accepted"] = "owner.accepted"


class OwnerRetracted(_OwnerChange):
    """The claim of that source holds no longer."""

    kind: Literal["owner.retracted"] = "owner.retracted"


class TeamDescribed(Change):
    """Attributes of a team."""

    kind: Literal["team.described"] = "team.described"
    team: NodeId
    attributes: dict[str, Any] = {}


class PersonDescribed(Change):
    """Name and e-mail of a person: attributes in a body, so that they can be erased."""

    kind: Literal["person.described"] = "person.described"
    person: NodeId
    attributes: dict[str, Any] = {}


class MemberAdded(Change):
    """A person belongs to a team."""

    kind: Literal["member.added"] = "member.added"
    person: NodeId
    team: NodeId
    role: Text = "member"
    since: Time | None = None
    until: Time | None = None


class MemberRemoved(Change):
    """A person belongs to a team no longer."""

    kind: Literal["member.removed"] = "member.removed"
    person: NodeId
    team: NodeId
    since: Time | None = None


class TagAdded(Change):
    """A tag on an artifact."""

    kind: Literal["tag.added"] = "tag.added"
    target: NodeId
    tag: Name
    value: Text = "on"
    since: Time | None = None
    until: Time | None = None


class TagRemoved(Change):
    """A tag taken off an artifact."""

    kind: Literal["tag.removed"] = "tag.removed"
    target: NodeId
    tag: Name
    since: Time | None = None


class DeploymentStarted(Change):
    """A version serves as a deployment (an artifact of kind ``deployment``)."""

    kind: Literal["deployment.started"] = "deployment.started"
    target: NodeId
    deployment: NodeId
    environment: Text = "production"
    since: Time | None = None


class DeploymentEnded(Change):
    """A version serves no longer."""

    kind: Literal["deployment.ended"] = "deployment.ended"
    target: NodeId
    deployment: NodeId
    since: Time | None = None


class PinCreated(Change):
    """A table version was pinned: a clone at ``location`` keeps its files."""

    kind: Literal["pin.created"] = "pin.created"
    target: NodeId
    location: Name
    method: Literal["hardlink", "reflink", "copy"]
    files: int = 0
    bytes: int = 0
    bytes_copied: int = 0
    reason: Text = ""


class PinRemoved(Change):
    """A pin was given up."""

    kind: Literal["pin.removed"] = "pin.removed"
    target: NodeId
    location: Name


class GapRecorded(Change):
    """A stretch of a source that may have been lost; ``touches`` are ids it makes incomplete."""

    kind: Literal["gap.recorded"] = "gap.recorded"
    gap_source: Name
    from_position: Text = ""
    to_position: Text = ""
    reason: Name
    touches: list[NodeId] = []


class GateDecided(Change):
    """A gate's decision with the evidence it saw. Decisions are never revisited."""

    kind: Literal["gate.decided"] = "gate.decided"
    action: Name
    subject: NodeId
    decision: Literal["allow", "deny", "undecided"]
    position: int = Field(ge=0)
    policy: dict[str, Any] = {}
    reasons: list[dict[str, Any]] = []
    evidence: dict[str, Any] = {}
    by: Text = ""


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


class ClaimRetracted(Change):
    """The claims of an entry are invisible from here on. The entry may arrive later."""

    kind: Literal["claim.retracted"] = "claim.retracted"
    source: Name
    event_id: Name
    reason: Text = ""
    by: Text = ""


class EntryRedacted(Change):
    """Body and salt of an entry are replaced by ``stub`` (JSON text) for good; its leaf stays."""

    kind: Literal["entry.redacted"] = "entry.redacted"
    source: Name
    event_id: Name
    stub: JsonText
    reason: Name
    by: Name


AnyChange = Annotated[
    RunStarted | RunFinished | RunAbandoned | TableCommitted
    | ArtifactDescribed | ArtifactInvalidated | ArtifactRenamed
    | AliasDeclared | AliasWithdrawn
    | OwnerClaimed | OwnerAccepted | OwnerRetracted
    | TeamDescribed | PersonDescribed | MemberAdded | MemberRemoved
    | TagAdded | TagRemoved | DeploymentStarted | DeploymentEnded
    | PinCreated | PinRemoved | GapRecorded | GateDecided | ReproductionFinished
    | ClaimRetracted | EntryRedacted,
    Field(discriminator="kind"),
]  # fmt: skip

_ADAPTER: TypeAdapter[AnyChange] = TypeAdapter(AnyChange)

CHANGES: dict[str, type[Change]] = {
    cls.model_fields["kind"].default: cls
    for cls in (
        RunStarted, RunFinished, RunAbandoned, TableCommitted, ArtifactDescribed,
        ArtifactInvalidated, ArtifactRenamed, AliasDeclared, AliasWithdrawn, OwnerClaimed,
        OwnerAccepted, OwnerRetracted, TeamDescribed, PersonDescribed, MemberAdded, MemberRemoved,
        TagAdded, TagRemoved, DeploymentStarted, DeploymentEnded, PinCreated, PinRemoved,
        GapRecorded, GateDecided, ReproductionFinished, ClaimRetracted, EntryRedacted,
    )
}  # fmt: skip
"""Every kind of change by its name."""


def parse_change(value: Any) -> Change:
    """Plain data to a change.

    Raises ``RefusedError``: ``unknown-kind`` for a kind we do not know, ``bad-change`` with a JSON
    pointer to the first fault.
    """
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in CHANGES:
        raise RefusedError(
            f"unknown kind of change: {kind!r:.100}",
            code="unknown-kind",
            pointer="/kind",
            hint="schema/events lists the kinds this version knows",
        )
    try:
        return _ADAPTER.validate_python(value)
    except ValidationError as fault:
        first = fault.errors(include_url=False, include_input=False)[0]
        place = [str(step) for step in first["loc"] if step != kind]
        raise RefusedError(
            f"{kind}: {first['msg']}",
            code="bad-change",
            pointer="/" + "/".join(place),
            hint=f"see schema/events/{kind}.schema.json",
        ) from fault


def kind_of(change: Change | type[Change]) -> str:
    """The kind of a change or of a class of changes."""
    cls = change if isinstance(change, type) else type(change)
    kind: str = cls.model_fields["kind"].default
    return kind


def encode_change(change: Change) -> bytes:
    """Canonical JSON of a change: fields at their defaults are left out, unknown ones are kept."""
    plain = change.model_dump(mode="json", exclude_defaults=True)
    plain["kind"] = kind_of(change)
    plain["v"] = change.v
    return canon.canonical(plain)
