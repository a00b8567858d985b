"""Our own changes: what hooks and people tell the record, as a pydantic discriminated union.

The JSON Schemas in ``schema/events/`` are generated from these classes. A published ``(kind, v)``
never changes meaning: a new meaning is a new ``v`` and an upcaster in ``record/``. Unknown fields
survive a round trip. Times are UTC microseconds since the epoch. Foreign formats (OpenLineage) are
not here: their bodies are kept as received.
"""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import Field, TypeAdapter, ValidationError

from lineage.errors import RefusedError
from lineage.model import canonical as canon
from lineage.model.changes.artifacts import (
    AliasDeclared,
    AliasWithdrawn,
    ArtifactDescribed,
    ArtifactInvalidated,
    ArtifactRenamed,
    DeploymentEnded,
    DeploymentStarted,
    TagAdded,
    TagRemoved,
)
from lineage.model.changes.audit import AuditAccessed
from lineage.model.changes.owners import (
    GateDecided,
    MemberAdded,
    MemberRemoved,
    OwnerAccepted,
    OwnerClaimed,
    OwnerRetracted,
    PersonDescribed,
    TeamDescribed,
)
from lineage.model.changes.record import (
    ClaimRetracted,
    EntryRedacted,
    GapRecorded,
    RedactionProposed,
    RedactionRuled,
    RedactionTarget,
    SealKeyAdded,
)
from lineage.model.changes.runs import (
    CodeFacts,
    EnvironmentFacts,
    GapFacts,
    Output,
    ReproductionFinished,
    RunAbandoned,
    RunFinished,
    RunStarted,
    Use,
    UserFacts,
)
from lineage.model.changes.tables import FileAdd, PinCreated, PinRemoved, TableCommitted
from lineage.model.changes.values import ArtifactRef, BlobRef, Change, RunRef, Value

__all__ = [
    "CHANGES",
    "AliasDeclared",
    "AliasWithdrawn",
    "AnyChange",
    "ArtifactDescribed",
    "ArtifactInvalidated",
    "ArtifactRef",
    "ArtifactRenamed",
    "AuditAccessed",
    "BlobRef",
    "Change",
    "ClaimRetracted",
    "CodeFacts",
    "DeploymentEnded",
    "DeploymentStarted",
    "EntryRedacted",
    "EnvironmentFacts",
    "FileAdd",
    "GapFacts",
    "GapRecorded",
    "GateDecided",
    "MemberAdded",
    "MemberRemoved",
    "Output",
    "OwnerAccepted",
    "OwnerClaimed",
    "OwnerRetracted",
    "PersonDescribed",
    "PinCreated",
    "PinRemoved",
    "RedactionProposed",
    "RedactionRuled",
    "RedactionTarget",
    "ReproductionFinished",
    "RunAbandoned",
    "RunFinished",
    "RunRef",
    "RunStarted",
    "SealKeyAdded",
    "TableCommitted",
    "TagAdded",
    "TagRemoved",
    "TeamDescribed",
    "Use",
    "UserFacts",
    "Value",
    "encode_change",
    "kind_of",
    "parse_change",
]

AnyChange = Annotated[
    RunStarted | RunFinished | RunAbandoned | TableCommitted
    | ArtifactDescribed | ArtifactInvalidated | ArtifactRenamed
    | AliasDeclared | AliasWithdrawn
    | OwnerClaimed | OwnerAccepted | OwnerRetracted
    | TeamDescribed | PersonDescribed | MemberAdded | MemberRemoved
    | TagAdded | TagRemoved | DeploymentStarted | DeploymentEnded
    | PinCreated | PinRemoved | GapRecorded | GateDecided | ReproductionFinished
    | ClaimRetracted | EntryRedacted | RedactionProposed | RedactionRuled | SealKeyAdded
    | AuditAccessed,
    Field(discriminator="kind"),
]  # fmt: skip

_ADAPTER: TypeAdapter[AnyChange] = TypeAdapter(AnyChange)

CHANGES: dict[str, type[Change]] = {
    cls.model_fields["kind"].default: cls for cls in get_args(get_args(AnyChange)[0])
}
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
