"""What a person should know about a change of ownership that was recorded: in words, not errors."""

from __future__ import annotations

import shlex

from lineage.model.changes import OwnerAccepted, OwnerClaimed, OwnerRetracted
from lineage.model.envelope import Actor
from lineage.ownership.changes import EXPLICIT, members_of
from lineage.ownership.precedence import Ownership, Status
from lineage.ownership.targets import target_words
from lineage.store.contract import Store, View

__all__ = ["notes_on"]

OwnerChange = OwnerClaimed | OwnerAccepted | OwnerRetracted


def notes_on(
    store: Store, change: OwnerChange, actor: Actor, before: Ownership, after: Ownership, seq: int
) -> list[str]:
    """Notes on a change recorded as ``seq``; ``before`` and ``after`` it who answered."""
    if isinstance(change, OwnerClaimed):
        return _on_claim(store, change, before, after, seq)
    if isinstance(change, OwnerAccepted):
        return _on_acceptance(store, change, actor, seq)
    return []


def _on_claim(
    store: Store, change: OwnerClaimed, before: Ownership, after: Ownership, seq: int
) -> list[str]:
    notes = []
    if change.team not in store.known([change.team], View(seq - 1)):
        notes.append(f"note: {change.team} was not heard of before")
    if change.backdated:
        notes.append(
            "note: this claim begins in the past, so it is a proposal and counts nowhere until "
            f"another person than you accepts it: `{_command('accept', change)}`"
        )
    elif before.status is Status.OWNED and after.status is Status.CONTESTED:
        notes.append(
            f"warning: {before.team} answered for it and had accepted. Now it is contested: nobody "
            "answers for it, and gates deny whatever comes from it, until one of the claims is "
            f"retracted: `{_command('retract', change)}` takes back this one"
        )
    elif before.status is Status.OWNED and after.team not in ("", before.team):
        notes.append(
            f"warning: {before.team} answered for it and had accepted. This claim comes before "
            f"theirs: gates deny whatever comes from it until {after.team} accepts; "
            f"`{_command('retract', change)}` takes it back"
        )
    return notes


def _on_acceptance(store: Store, change: OwnerAccepted, actor: Actor, seq: int) -> list[str]:
    members = members_of(store, change.team, View(seq - 1, change.event_at))
    if not members:
        command = shlex.join(["lineage", "owners", "team", "member", change.team])
        said = f"note: no members of {change.team} are recorded, so whether {actor.id} may accept"
        return [f"{said} for it was not checked: `{command} --person ID` records them"]
    if actor.id not in members:
        return [f"note: {actor.id} is not a member of {change.team}; the reason is recorded"]
    return []


def _command(verb: str, change: OwnerClaimed) -> str:
    words = ["lineage", "owners", verb, *target_words(change.target), change.team]
    if change.claim_source != EXPLICIT:
        words += ["--source", change.claim_source]
    return shlex.join(words)
