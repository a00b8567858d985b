"""What can be changed through GraphQL: claims of ownership, and decisions of gates.

Every change is an entry of the ledger with the actor of the request.
"""

from __future__ import annotations

import strawberry

from lineage.errors import RefusedError
from lineage.model.canonical import micros
from lineage.model.changes import (
    Change,
    OwnerAccepted,
    OwnerClaimed,
    OwnerRetracted,
    encode_change,
    kind_of,
)
from lineage.model.ids import SCOPE, class_of, parse_id
from lineage.ownership import changes
from lineage.ownership.claims import standing_of
from lineage.ownership.gate import Decision, decide
from lineage.ownership.notes import notes_on
from lineage.query.graphql.context import Asking, Context
from lineage.query.graphql.describing import Name, described, mutation
from lineage.query.graphql.owners import Ownership
from lineage.query.graphql.scalars import JSON, Seq, Time
from lineage.record.recorder import Incoming
from lineage.store.contract import View

__all__ = ["Mutation"]

SOURCE = "lineage:graphql"
"""The source of changes that are made here."""


@strawberry.input(
    description="All artifacts that two globs match: `*` within a path segment, `**`."
)
class ScopeInput:
    """A scope pattern."""

    namespace: str
    name: str


@described
class OwnerChanged:
    """A change of ownership that was recorded, and what follows from it."""

    seq: Seq = strawberry.field(description="The entry of the ledger.")
    target: strawberry.ID
    ownership: Ownership | None = strawberry.field(
        description="Who answers for the target now; null for a scope."
    )
    notes: list[str] = strawberry.field(
        description="What to know about it: a contest it began, a second person it needs."
    )


@described
class GateDecision:
    """What a gate said, on which evidence; it is in the ledger and never revisited."""

    seq: Seq = strawberry.field(description="The entry of the ledger.")
    subject: strawberry.ID = strawberry.field(description="The version that was decided on.")
    verdict: str = strawberry.field(description="allow, deny, or undecided (which means no).")
    decision: JSON = strawberry.field(
        description="Policy, reasons, blocking artifacts with remedies, and the evidence's digest."
    )


@described
class Mutation:
    """Changes; each is recorded with who asked for it."""

    @mutation
    def claim_owner(
        self,
        info: Asking,
        *,
        team: str,
        target: Name | None = None,
        scope: ScopeInput | None = None,
        source: str = changes.EXPLICIT,
        since: Time | None = None,
        until: Time | None = None,
        reason: str = "",
    ) -> OwnerChanged:
        """A team is to answer for an artifact (`target`) or for all that a `scope` matches."""
        context, subject = info.context, _target(info.context, target, scope)
        terms = changes.Terms(
            source,
            micros(since, "/since") if since else None,
            micros(until, "/until") if until else None,
            reason,
        )
        change = changes.claim(
            context.store, subject, team, terms, actor=context.actor, now=context.clock()
        )
        return _changed(context, change, change.target)

    @mutation
    def accept_owner(
        self,
        info: Asking,
        team: str,
        target: Name | None = None,
        scope: ScopeInput | None = None,
        source: str = "",
        reason: str = "",
    ) -> OwnerChanged:
        """A member of the team accepts the claim (or says in `reason` why somebody else does)."""
        context, subject = info.context, _target(info.context, target, scope)
        change = changes.accept(
            context.store, subject, team, actor=context.actor, now=context.clock(),
            source=source, reason=reason,
        )  # fmt: skip
        return _changed(context, change, change.target)

    @mutation
    def retract_owner(
        self,
        info: Asking,
        team: str,
        target: Name | None = None,
        scope: ScopeInput | None = None,
        source: str = "",
        reason: str = "",
    ) -> OwnerChanged:
        """The claim holds no longer, from now on."""
        context, subject = info.context, _target(info.context, target, scope)
        change = changes.retract(
            context.store, subject, team, actor=context.actor, now=context.clock(),
            source=source, reason=reason,
        )  # fmt: skip
        return _changed(context, change, change.target)

    @mutation
    def decide_gate(self, info: Asking, action: str, id: Name) -> GateDecision:  # noqa: A002
        """May `action` (like deploy) be done to this? Decided now, and recorded."""
        context = info.context
        subject = context.resolve(id, View(context.store.head().seq))
        now = context.clock()
        found: Decision = decide(context.store, subject, context.policy(action), now=now)
        seq = _record(context, found.change(actor=context.actor, now=now))
        return GateDecision(
            seq=Seq(seq),
            subject=strawberry.ID(found.subject),
            verdict=found.verdict.value,
            decision=JSON(found.as_dict()),
        )


def _target(context: Context, target: str | None, scope: ScopeInput | None) -> str:
    if (target is None) == (scope is None):
        raise RefusedError(
            "say either a target or a scope", code="bad-argument", pointer="/target",
            hint='like target: "model:fraud", or scope: {namespace: "s3://lake", name: "**"}',
        )  # fmt: skip
    if scope is not None:
        return changes.scope_target(scope.namespace, scope.name)
    name = target or ""
    if name.startswith(f"{SCOPE}:"):
        parse_id(name)
        return name
    return context.resolve(name, View(context.store.head().seq))


def _record(context: Context, change: Change) -> int:
    incoming = Incoming(kind_of(change), change.v, SOURCE, encode_change(change), change.event_at)
    return context.record([incoming], context.actor)[0].seq


def _changed(
    context: Context, change: OwnerClaimed | OwnerAccepted | OwnerRetracted, target: str
) -> OwnerChanged:
    seq = _record(context, change)
    batch = context.batch(View(context.store.head().seq), [target])
    then = max(context.clock(), change.event_at)
    before, after = (
        standing_of(context.store, target, View(position, then)) for position in (seq - 1, seq)
    )
    return OwnerChanged(
        seq=Seq(seq),
        target=strawberry.ID(target),
        ownership=None if class_of(target) == SCOPE else Ownership.of(batch, target),
        notes=notes_on(context.store, change, context.actor, before, after, seq),
    )
