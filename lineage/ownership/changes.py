"""Changes of ownership, built by the rules: whoever records them, records these.

The ledger's own rules are mild (accepting what nobody claimed does nothing); a person must be told.
So every function here takes the store, looks at the head of the ledger, and raises
``OwnershipError`` with the reason: ``bad-team``, ``not-ownable``, ``bad-interval``,
``backdated-needs-reason``, ``needs-second-person``, ``not-a-member``, ``nothing-to-accept``,
``nothing-to-retract``, ``already-accepted``, ``several-claims``.

``now`` is UTC microseconds. A change is dated after the last one on its claim, even where this
clock is behind the one that dated that.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from lineage.errors import OwnershipError
from lineage.model.canonical import FOREVER, iso
from lineage.model.changes import OwnerAccepted, OwnerClaimed, OwnerRetracted
from lineage.model.claims import StateType
from lineage.model.envelope import Actor
from lineage.model.ids import SCOPE, class_of
from lineage.ownership.claims import Owners, aliases_of
from lineage.ownership.precedence import Claim
from lineage.ownership.standing import claim_of, split_key
from lineage.ownership.targets import scope_target, subject_of, target_words, team_of
from lineage.store.contract import StateValue, Store, View

__all__ = [
    "EXPLICIT",
    "Terms",
    "accept",
    "claim",
    "members_of",
    "retract",
    "scope_target",
    "team_of",
]

_LISTED = 10

EXPLICIT = "explicit"
"""The claim source of what a person says here."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a claim: its source, from when (None: now) until when (None: no end), and why.

    Times are UTC microseconds.
    """

    source: str = EXPLICIT
    since: int | None = None
    until: int | None = None
    reason: str = ""


def claim(
    store: Store, target: str, team: str, terms: Terms | None = None, *, actor: Actor, now: int
) -> OwnerClaimed:
    """``team`` is to answer for ``target``.

    A claim that begins before now is backdated: it needs a reason, and counts only once somebody
    else than ``actor`` has accepted it.
    """
    terms = terms or Terms()
    subject, team, source = subject_of(target), team_of(team), _source(terms.source)
    start = now if terms.since is None else terms.since
    if terms.until is not None and terms.until <= start:
        raise OwnershipError(
            f"a claim that ends ({iso(terms.until)}) before it begins ({iso(start)})",
            code="bad-interval",
            hint="--until is after --from; without it the claim has no end",
        )
    backdated = start < now
    if backdated and not terms.reason.strip():
        raise OwnershipError(
            f"a claim from {iso(start)} on, made now, without a reason",
            code="backdated-needs-reason",
            hint="say why with --reason; it will then need another person's acceptance",
        )
    at = max(now, _last_at(store, subject, f"{team}|{source}") + 1)
    if not backdated:
        start = max(start, at)
    return OwnerClaimed(
        event_at=at, target=subject, team=team, claim_source=source,
        since=start if start != at else None, until=terms.until, reason=terms.reason, by=actor.id,
        backdated=backdated,
    )  # fmt: skip


def accept(
    store: Store,
    target: str,
    team: str,
    *,
    actor: Actor,
    now: int,
    source: str = "",
    reason: str = "",
) -> OwnerAccepted:
    """The team accepts the claim on ``target`` (from ``source``, needed only if there are several).

    Of a backdated claim the acceptance reaches back as far as the claim. Where the team's members
    are recorded, ``actor`` is one of them, or says in ``reason`` why not.
    """
    subject, team = subject_of(target), team_of(team)
    view = _now(store, now)
    found = _only(_claims(store, subject, team, source, view, awaiting=True), subject, "accept")
    if found is None:
        raise OwnershipError(
            f"no claim of {team} on {subject} to accept",
            code="nothing-to-accept",
            hint=_advice(store, view, subject, team, "accept"),
        )
    if found.accepted:
        raise OwnershipError(
            f"{team} has accepted the claim on {found.subject}",
            code="already-accepted",
            hint="there is nothing to do",
        )
    if found.proposed and actor.id in found.claimed_by:
        raise OwnershipError(
            "who makes a backdated claim cannot accept it",
            code="needs-second-person",
            hint="ask somebody else to accept it, or retract it and claim from now on",
            claimed_by=list(found.claimed_by),
        )
    if not reason.strip():
        _must_belong(actor, team, members_of(store, team, view))
    at = max(now, found.last_at + 1)
    # A claim that begins later (or whose author's clock is ahead) is accepted from its beginning.
    since = found.since if found.proposed or found.since > at else None
    return OwnerAccepted(
        event_at=at, target=found.subject, team=team, claim_source=found.source, since=since,
        until=_end_of_past(found, now), reason=reason, by=actor.id,
    )  # fmt: skip


def members_of(store: Store, team: str, view: View) -> list[str]:
    """Ids of the people who are recorded as members of a team."""
    states = store.states(view, objects=[team], types=[StateType.MEMBER_OF])
    return sorted({state.subject for state in states})


def _must_belong(actor: Actor, team: str, members: list[str]) -> None:
    if members and actor.id not in members:
        raise OwnershipError(
            f"{actor.id} is not a member of {team}",
            code="not-a-member",
            hint="ask a member to accept it; or say with --reason why you accept in their place: "
            "that is recorded",
            members=members[:_LISTED],
        )


def retract(
    store: Store,
    target: str,
    team: str,
    *,
    actor: Actor,
    now: int,
    source: str = "",
    reason: str = "",
) -> OwnerRetracted:
    """The claim of ``team`` on ``target`` holds no longer, from now on."""
    subject, team = subject_of(target), team_of(team)
    view = _now(store, now)
    found = _only(_claims(store, subject, team, source, view), subject, "retract")
    if found is None:
        raise OwnershipError(
            f"no claim of {team} on {subject} to retract",
            code="nothing-to-retract",
            hint=_advice(store, view, subject, team, "retract"),
        )
    at = max(now, found.last_at + 1)
    # A proposal never counted: it goes as a whole. What counted stays true of the past.
    since = found.since if found.proposed else None
    return OwnerRetracted(
        event_at=at, target=found.subject, team=team, claim_source=found.source,
        since=since if since is not None else now if now < at else None,
        until=_end_of_past(found, now), reason=reason, by=actor.id,
    )  # fmt: skip


# --- parts ----------------------------------------------------------------------------------------


def _now(store: Store, now: int) -> View:
    return View(store.head().seq, now)


def _last_at(store: Store, subject: str, key: str) -> int:
    """Event time of the last change to a claim, in force or not: a later change comes after it."""
    head = store.head().seq
    made = store.state_evidence(subject, StateType.OWNED_BY, key, head)
    return max((evidence.at for evidence in made), default=-FOREVER)


def _source(source: str) -> str:
    if not source or "|" in source or not source.isprintable():
        raise OwnershipError(
            f"not a claim source: {source!r:.100}",
            hint="explicit, contract:NAME, codeowners:NAME, catalog:NAME, inherited, inferred:NAME",
        )
    return source


def _claims(
    store: Store, subject: str, team: str, source: str, view: View, *, awaiting: bool = False
) -> list[Claim]:
    """Claims of a team on a thing under any of its names: in force, or yet to begin.

    A proposal for a time that has passed is one too, where nothing else is there (or, with
    ``awaiting``, where nothing else awaits an acceptance).
    """
    names = [subject]
    if class_of(subject) != SCOPE:
        names = list(aliases_of(store, [subject], view)[subject])
    found: dict[tuple[str, str], Claim] = {}
    past: dict[tuple[str, str], Claim] = {}
    for name in names:
        for state in store.history(name, StateType.OWNED_BY, view.position):
            if split_key(state.object)[0] != team:
                continue
            claim = _at_its_time(store, state, view)
            if state.until > view.as_of:
                found.setdefault((name, state.object), claim)
            elif claim.proposed and not _made_then(store, state, view):
                past[name, state.object] = claim
    for key, claim in past.items():
        if key not in found or (awaiting and found[key].accepted):
            found[key] = claim
    return [claim for claim in found.values() if source in ("", claim.source)]


def _made_then(store: Store, state: StateValue, view: View) -> bool:
    """Whether a claim was made when it began, and only came to be recorded later."""
    made = store.state_evidence(state.subject, StateType.OWNED_BY, state.object, view.position)
    return any(evidence.at == state.since for evidence in made)


def _at_its_time(store: Store, state: StateValue, view: View) -> Claim:
    """The claim as it is now, as it will be when it begins, or as it was when it began."""
    now = state.since if state.until <= view.as_of else max(view.as_of, state.since)
    return claim_of(store, state, View(view.position, now))


def _end_of_past(claim: Claim, now: int) -> int | None:
    """Where a claim on the past ends: what is said of it says nothing of what came after."""
    return claim.until if claim.until <= now else None


def _only(found: list[Claim], subject: str, verb: str) -> Claim | None:
    """The one claim that is meant: on the very subject rather than on an alias of it."""
    found = [claim for claim in found if claim.subject == subject] or found
    if len(found) > 1:
        raise OwnershipError(
            f"{found[0].team} claims {subject} from several sources",
            code="several-claims",
            hint=f"say which to {verb} with --source",
            sources=sorted(f"{claim.source} (on {claim.subject})" for claim in found),
        )
    return found[0] if found else None


def _advice(store: Store, view: View, subject: str, team: str, verb: str) -> str:
    """What would work: the claim that is there in another way, or a claim first."""
    words = [
        shlex.join(["lineage", "owners", verb, *target_words(claim.subject), claim.team])
        for claim in Owners(store, view).of([subject])[subject].claims
    ]
    if words:
        return f"claims that are there: {'; '.join(f'`{each}`' for each in words)}"
    made = shlex.join(["lineage", "owners", "claim", *target_words(subject), team])
    return f"make it first: `{made}`" if verb == "accept" else "it may have ended already"
