"""Changes of who answers for what: owners, teams, their members, and decisions of gates."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from lineage.model.changes.values import Change, Name, NodeId, Text, Time

__all__ = [
    "GateDecided",
    "MemberAdded",
    "MemberRemoved",
    "OwnerAccepted",
    "OwnerClaimed",
    "OwnerRetracted",
    "PersonDescribed",
    "TeamDescribed",
]


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
