"""Which claim decides: exactly one accountable team, or none, or a contest.

Pure. The order of claims is total and knows nothing of arrival: by rank of the claim's source,
direct before scope, the more specific scope first. Of the claims that come first, all must name one
team; else the artifact is contested. Acceptance plays no part in it: a claim that was not accepted
still stands in the way of a weaker one that was.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lineage.model.canonical import FOREVER
from lineage.model.ids import SCOPE, class_of
from lineage.ownership.patterns import Specificity, scope_of

__all__ = ["Claim", "Ownership", "Rank", "Status", "accountable", "rank_of"]


class Rank(enum.IntEnum):
    """How much the source of a claim weighs; the least decides."""

    EXPLICIT = 0
    """Said by a person, for this artifact or scope."""
    CONTRACT = 1
    """A data contract."""
    CODEOWNERS = 2
    """A CODEOWNERS file."""
    CATALOG = 3
    """A catalog or a producer of metadata; also every source we do not know."""
    INHERITED = 4
    """From what contains it."""
    INFERRED = 5
    """Guessed from who made or wrote it."""


_RANKS = {rank.name.lower(): rank for rank in Rank}


def rank_of(source: str) -> Rank:
    """The rank of a claim source: what stands before its first ``:``, else that of a catalog."""
    return _RANKS.get(source.partition(":")[0], Rank.CATALOG)


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim in force at a view. ``subject`` is the artifact (or an alias of it) or a scope."""

    subject: str
    team: str
    source: str
    accepted: bool = False
    proposed: bool = False
    """Backdated, and no second person has accepted it: listed, but it does not count."""
    since: int = 0
    until: int = FOREVER
    claimed_by: tuple[str, ...] = ()
    accepted_by: tuple[str, ...] = ()
    reason: str = ""
    last_at: int = 0
    """Event time of the last change to it; a later change must come after."""

    @property
    def rank(self) -> Rank:
        """The rank of its source."""
        return rank_of(self.source)

    @property
    def is_direct(self) -> bool:
        """Whether it names the artifact itself rather than a pattern."""
        return class_of(self.subject) != SCOPE

    def precedence(self) -> tuple[Rank, bool, Specificity]:
        """Sort key: the least decides."""
        if self.is_direct:
            return (self.rank, False, _NONE)
        prefix, literal, many, some, one = scope_of(self.subject).specificity
        return (self.rank, True, (-prefix, -literal, -many, -some, -one))

    def as_dict(self) -> dict[str, Any]:
        """The claim as plain data, times in microseconds (``until`` None: without end)."""
        return {
            "subject": self.subject, "team": self.team, "source": self.source,
            "rank": self.rank.name.lower(), "accepted": self.accepted, "proposed": self.proposed,
            "since": self.since, "until": None if self.until >= FOREVER else self.until,
            "claimed_by": list(self.claimed_by), "accepted_by": list(self.accepted_by),
            "reason": self.reason,
        }  # fmt: skip


_NONE: Specificity = (0, 0, 0, 0, 0)


class Status(enum.StrEnum):
    """What can be said of who answers for something."""

    OWNED = "owned"
    """Exactly one accountable team, and it accepted."""
    CLAIMED = "claimed"
    """Exactly one accountable team, which has not accepted."""
    ORPHANED = "orphaned"
    """No claim counts."""
    CONTESTED = "contested"
    """Claims of equal precedence name different teams."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """Who answers for a node at a view. ``team`` is set only when exactly one does.

    ``through`` is what the deciding claim is about: the artifact, an alias of it, or a scope.
    ``claims`` are all in force, those that decide first. ``members`` are all ids of the artifact.
    """

    node: str
    status: Status
    team: str = ""
    source: str = ""
    through: str = ""
    claims: tuple[Claim, ...] = ()
    members: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether the one accountable team accepted."""
        return self.status is Status.OWNED

    def deciding(self) -> tuple[Claim, ...]:
        """The claims of the highest precedence: one team's, or those in contest."""
        counted = [claim for claim in self.claims if not claim.proposed]
        return tuple(c for c in counted if c.precedence() == counted[0].precedence())

    def as_dict(self) -> dict[str, Any]:
        """The answer as plain data."""
        return {
            "node": self.node, "status": self.status.value, "team": self.team,
            "accepted": self.accepted, "source": self.source, "through": self.through,
            "claims": [claim.as_dict() for claim in self.claims], "members": list(self.members),
        }  # fmt: skip


def accountable(node: str, claims: Iterable[Claim], members: tuple[str, ...] = ()) -> Ownership:
    """Who answers for ``node``, given every claim on it, on its aliases and on matching scopes."""
    ordered = tuple(sorted(claims, key=_display_order))
    counted = [claim for claim in ordered if not claim.proposed]
    members = members or (node,)
    if not counted:
        return Ownership(node, Status.ORPHANED, claims=ordered, members=members)
    first = [claim for claim in counted if claim.precedence() == counted[0].precedence()]
    if len({claim.team for claim in first}) > 1:
        return Ownership(node, Status.CONTESTED, claims=ordered, members=members)
    best = next((claim for claim in first if claim.accepted), first[0])
    status = Status.OWNED if best.accepted else Status.CLAIMED
    return Ownership(node, status, best.team, best.source, best.subject, ordered, members)


def _display_order(claim: Claim) -> tuple[Any, ...]:
    key = (claim.team, claim.source, claim.subject)
    return (claim.proposed, claim.precedence(), not claim.accepted, *key)
