"""What is said of agents and of ownership."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lineage.model.changes import (
    MemberAdded,
    MemberRemoved,
    OwnerAccepted,
    OwnerClaimed,
    OwnerRetracted,
    PersonDescribed,
    TeamDescribed,
    kind_of,
)
from lineage.model.claims import Claims, Method, StateType
from lineage.record.interpret.claiming import attributes, state

_OWNER_VALUES = {
    kind_of(OwnerClaimed): "claimed",
    kind_of(OwnerAccepted): "accepted",
    kind_of(OwnerRetracted): "retracted",
}


def owner(body: Any) -> Claims:
    """``owner.claimed``, ``owner.accepted``, ``owner.retracted``.

    The key is (artifact or pattern, team, claim source): accept and retract name the claim source.
    """
    cls = {kind_of(c): c for c in (OwnerClaimed, OwnerAccepted, OwnerRetracted)}[body["kind"]]
    change = cls.model_validate(body)
    op = state(
        change.target,
        StateType.OWNED_BY,
        f"{change.team}|{change.claim_source}",
        _OWNER_VALUES[body["kind"]],
        change.event_at,
        since=change.since,
        until=change.until,
    )
    return Claims(states=(op,))


def team(body: Any) -> Claims:
    """``team.described``."""
    change = TeamDescribed.model_validate(body)
    states = attributes(change.team, change.attributes, change.event_at, Method.DECLARED)
    return Claims(states=tuple(states), mentions=(change.team,))


def person(body: Any) -> Claims:
    """``person.described``."""
    change = PersonDescribed.model_validate(body)
    states = attributes(change.person, change.attributes, change.event_at, Method.DECLARED)
    return Claims(states=tuple(states), mentions=(change.person,))


def member(body: Any) -> Claims:
    """``member.added``."""
    change = MemberAdded.model_validate(body)
    op = state(
        change.person,
        StateType.MEMBER_OF,
        change.team,
        change.role,
        change.event_at,
        since=change.since,
        until=change.until,
    )
    return Claims(states=(op,))


def no_member(body: Any) -> Claims:
    """``member.removed``."""
    change = MemberRemoved.model_validate(body)
    op = state(
        change.person,
        StateType.MEMBER_OF,
        change.team,
        "off",
        change.event_at,
        since=change.since,
    )
    return Claims(states=(op,))


KINDS: dict[tuple[str, int], Callable[[Any], Claims]] = {
    (kind_of(OwnerClaimed), 1): owner,
    (kind_of(OwnerAccepted), 1): owner,
    (kind_of(OwnerRetracted), 1): owner,
    (kind_of(TeamDescribed), 1): team,
    (kind_of(PersonDescribed), 1): person,
    (kind_of(MemberAdded), 1): member,
    (kind_of(MemberRemoved), 1): no_member,
}
