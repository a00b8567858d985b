"""Who answers for what: claims in order of precedence, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import strawberry

from lineage.ownership.kinds import Listed, scan_owned
from lineage.ownership.precedence import Claim, Status
from lineage.ownership.precedence import Ownership as Standing
from lineage.query.batch import Batch
from lineage.query.graphql.agents import Team
from lineage.query.graphql.context import Context, Paging
from lineage.query.graphql.describing import described, field
from lineage.query.graphql.nodes import as_node, page_completeness
from lineage.query.graphql.pages import Connection, Edge, page_info
from lineage.query.graphql.scalars import Time, shown_time
from lineage.store.contract import View

__all__ = ["Ownership", "OwnershipClaim", "ownership_page"]

_SCANNED = 10_000
"""Artifacts that are looked at for one page: those that need an owner are few among many files."""

strawberry.enum(
    Status,
    name="OwnershipStatus",
    description="OWNED: one accountable team, which accepted. CLAIMED: it has not accepted. "
    "ORPHANED: no claim counts. CONTESTED: equal claims of different teams.",
)


@described
class OwnershipClaim:
    """One claim: a team is said to answer for an artifact or for all that a scope matches."""

    batch: strawberry.Private[Batch]
    subject: strawberry.ID = strawberry.field(description="The artifact, an alias, or a scope.")
    team_id: strawberry.ID
    source: str
    rank: str = strawberry.field(description="What decides between claims: explicit is first.")
    accepted: bool
    proposed: bool = strawberry.field(
        description="Backdated, and no second person has accepted it: it does not count."
    )
    since: Time | None
    until: Time | None
    claimed_by: list[strawberry.ID]
    accepted_by: list[strawberry.ID]
    reason: str

    @field
    def team(self) -> Team:
        """The team that is claimed to answer."""
        return cast("Team", as_node(self.batch, self.team_id))


@described
class Ownership:
    """Who answers for something at the time asked about, and everything that was claimed."""

    batch: strawberry.Private[Batch]
    id: strawberry.ID = strawberry.field(description="What this is about.")
    status: Status
    team_id: strawberry.ID | None
    source: str = strawberry.field(description="Source of the claim that decides.")
    through: str = strawberry.field(description="What that claim is about: itself, or a scope.")
    accepted: bool
    claims: list[OwnershipClaim] = strawberry.field(description="Those that decide come first.")

    @field
    def team(self) -> Team | None:
        """The one accountable team, if there is exactly one."""
        return cast("Team", as_node(self.batch, self.team_id)) if self.team_id else None

    @classmethod
    def of(cls, batch: Batch, node: str) -> Ownership:
        """Who answers for a node of a batch; its siblings are looked up along with it."""
        standing = batch.ownership[node]
        teams = batch.other(
            "owners", (c.team for each in batch.ownership.values() for c in each.claims)
        )
        return cls.shown(standing, teams)

    @classmethod
    def shown(cls, standing: Standing, teams: Batch) -> Ownership:
        """A standing as GraphQL shows it."""
        return cls(
            batch=teams,
            id=strawberry.ID(standing.node),
            status=standing.status,
            team_id=strawberry.ID(standing.team) if standing.team else None,
            source=standing.source,
            through=standing.through,
            accepted=standing.accepted,
            claims=[_claim(claim, teams) for claim in standing.claims],
        )


def ownership_page(
    context: Context,
    paging: Paging,
    statuses: Sequence[Status],
    kinds: Sequence[str],
) -> Connection[Ownership]:
    """Artifacts of ``kinds`` by who answers for them, in order of ids: as `lineage owners list`.

    A page looks at so many artifacts and no more: it may have fewer than were asked for (or none)
    while more follow. Where no valid time was asked for it is the present.
    """
    after = str(paging.after[0]) if paging.after else ""
    view = View(paging.view.position, min(paging.view.as_of, context.clock()))
    found: list[Listed] = []
    looked, more = 0, False
    for ids, listed in scan_owned(context.store, view, kinds, after=after):
        wanted = [each for each in listed if not statuses or each.ownership.status in statuses]
        room = paging.first - len(found)
        found += wanted[:room]
        looked += len(ids)
        full = len(wanted) > room
        after = found[-1].node if full else ids[-1]
        more = full or looked >= _SCANNED
        if more:
            break
    teams = context.batch(
        paging.view, [claim.team for each in found for claim in each.ownership.claims]
    )
    edges = [
        Edge(cursor=paging.cursor((each.node,)), node=Ownership.shown(each.ownership, teams))
        for each in found
    ]
    info = page_info(paging, [edge.cursor for edge in edges], more=more)
    if after:
        info.end_cursor = paging.cursor((after,))
    shown = [each.node for each in found]
    return Connection(
        edges=edges,
        page_info=info,
        completeness=page_completeness(context.batch(paging.view, shown), shown, more=more),
    )


def _claim(claim: Claim, teams: Batch) -> OwnershipClaim:
    return OwnershipClaim(
        batch=teams,
        subject=strawberry.ID(claim.subject),
        team_id=strawberry.ID(claim.team),
        source=claim.source,
        rank=claim.rank.name.lower(),
        accepted=claim.accepted,
        proposed=claim.proposed,
        since=shown_time(claim.since),
        until=shown_time(claim.until),
        claimed_by=[strawberry.ID(who) for who in claim.claimed_by],
        accepted_by=[strawberry.ID(who) for who in claim.accepted_by],
        reason=claim.reason,
    )
