"""What stands behind an ownership claim: who made it, who accepted it, and whether it may count.

The fold of the graph says what a claim shows; it knows no actors. A backdated claim (one that says
it held before it was made) changes the answer to "who owned it then?", so it counts only once a
second person has accepted it. That is decided here from the ledger's entries, whatever way a claim
came in, and not from a mark that its author sets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lineage.errors import MalformedError, RefusedError
from lineage.model.canonical import FOREVER, parse_json
from lineage.model.claims import StateType
from lineage.ownership.precedence import Claim, Rank, rank_of
from lineage.store.contract import Evidence, StateValue, Store, StoredEntry, View

__all__ = ["LATE", "claim_of", "split_key"]

LATE = 300 * 1_000_000
"""How long (microseconds) what a person says may travel to the ledger and keep its own time. What
says it was made earlier is dated by when it was recorded: else an old event time would be a way to
backdate alone. Machines deliver late as a matter of course: their claims keep their event times."""

_OWN_KINDS = frozenset({"owner.claimed", "owner.accepted", "owner.retracted"})


@dataclass(frozen=True, slots=True)
class _Act:
    """One operation on the claim, as its entry says it."""

    at: int
    source: str
    event_id: str
    value: str
    since: int
    until: int
    made_at: int
    actor: str
    reason: str

    def backdated(self, as_of: int) -> bool:
        """It says that it began before it was made, or it is asked about a time before that."""
        return self.since < self.at or as_of < self.made_at


def split_key(key: str) -> tuple[str, str]:
    """Team and claim source of an ownership state's object.

    The last ``|`` divides: names of teams come from producers too, and one that holds a ``|`` must
    not be able to say a source of higher rank.
    """
    team, _, source = key.rpartition("|")
    return team, source


def claim_of(store: Store, state: StateValue, view: View) -> Claim:
    """The claim that an ownership state shows at ``view``, with who stands behind it."""
    team, source = split_key(state.object)
    acts = _acts(store, state, view.position)
    claims, acceptances = _in_force(acts, view.as_of)
    proposed = all(act.backdated(view.as_of) for act in claims)
    if proposed:
        own = {act.actor for act in claims}
        proposed = all(act.actor in own for act in acceptances)
    valid = [act for act in acceptances if _second_where_needed(act, claims, view.as_of)]
    return Claim(
        subject=state.subject,
        team=team,
        source=source,
        accepted=state.value == "accepted" and not proposed and bool(valid),
        proposed=proposed,
        since=state.since,
        until=state.until,
        claimed_by=_each([act.actor for act in claims]),
        accepted_by=_each([act.actor for act in valid]),
        reason=next((act.reason for act in reversed(claims) if act.reason), ""),
        last_at=max((act.at for act in acts), default=0),
    )


def _acts(store: Store, state: StateValue, position: int) -> list[_Act]:
    """Every operation on the claim, in the order of the fold."""
    found = store.state_evidence(state.subject, StateType.OWNED_BY, state.object, position)
    explicit = rank_of(split_key(state.object)[1]) is Rank.EXPLICIT
    acts = [_act(evidence, _entry(store, evidence.seq), explicit) for evidence in found]
    return sorted(acts, key=lambda act: (act.at, act.source, act.event_id))


def _entry(store: Store, seq: int) -> StoredEntry:
    return next(iter(store.entries(after=seq - 1, limit=1)))


def _act(evidence: Evidence, entry: StoredEntry, explicit: bool) -> _Act:
    since, until, reason = evidence.at, FOREVER, ""
    if entry.kind in _OWN_KINDS:
        body = _body(entry)
        since = body.get("since", evidence.at)
        until = body.get("until", FOREVER)
        reason = body.get("reason", "")
    personal = explicit or evidence.detail == "accepted"
    made_at = max(evidence.at, entry.recorded_at - LATE) if personal else evidence.at
    return _Act(
        evidence.at, entry.source, entry.event_id, evidence.detail,
        since, until, made_at, entry.actor.id, reason,
    )  # fmt: skip


def _body(entry: StoredEntry) -> dict[str, Any]:
    try:
        value = parse_json(entry.body)
    except (MalformedError, RefusedError):
        return {}
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else {}


def _in_force(acts: Iterable[_Act], as_of: int) -> tuple[list[_Act], list[_Act]]:
    """The claims and acceptances at work at a valid time: a retraction ends all before it."""
    claims: list[_Act] = []
    acceptances: list[_Act] = []
    for act in acts:
        if not act.since <= as_of < act.until:
            continue
        if act.value == "claimed":
            claims.append(act)
        elif act.value != "accepted":
            claims, acceptances = [], []
        elif claims:
            acceptances.append(act)
    return claims, acceptances


def _second_where_needed(acceptance: _Act, claims: Iterable[_Act], as_of: int) -> bool:
    """An acceptance that reaches back needs a second person for the time before it was made."""
    if as_of >= acceptance.made_at:
        return True
    return acceptance.actor not in {claim.actor for claim in claims}


def _each(actors: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(actors))
