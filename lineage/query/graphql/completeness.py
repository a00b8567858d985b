"""Completeness as GraphQL shows it: on every answer, and read only where it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import strawberry

from lineage.query import answer
from lineage.query.graphql.describing import described, field
from lineage.query.graphql.scalars import JSON, Seq, Time, shown_time
from lineage.store.contract import Store

__all__ = ["Completeness", "Gap", "UnresolvedUse"]


@described
class Gap:
    """A stretch that may have been lost: something near this node may be missing."""

    node: strawberry.ID = strawberry.field(description="Id of the node it touches.")
    key: str
    reason: str
    facts: JSON


@described
class UnresolvedUse:
    """A use of an artifact of which no version is known: what is above it is not in the answer."""

    run: strawberry.ID
    artifact: strawberry.ID


Found = Callable[[], answer.Completeness]


@described
class Completeness:
    """What an answer may lack, and at which place of the record it was given."""

    store: strawberry.Private[Store]
    find: strawberry.Private[Found]

    @cached_property
    def _found(self) -> answer.Completeness:
        return self.find()

    @field
    def complete(self) -> bool:
        """Whether nothing is known to be missing."""
        return self._found.complete

    @field
    def truncated(self) -> bool:
        """Whether there is more than this answer shows."""
        return bool(self._found.truncated_by)

    @field
    def truncated_by(self) -> list[str]:
        """What cut the answer: DEPTH, LIMIT (the widest walk), PAGE (ask for the next)."""
        return list(self._found.truncated_by)

    @field
    def hidden(self) -> int:
        """How many nodes this reader may not see."""
        return self._found.hidden

    @field
    def unresolved(self) -> list[UnresolvedUse]:
        """Uses without a known version."""
        return [
            UnresolvedUse(run=strawberry.ID(run), artifact=strawberry.ID(artifact))
            for run, artifact in self._found.unresolved
        ]

    @field
    def unknown_origins(self) -> list[strawberry.ID]:
        """Versions of tables, models and the like of which nothing recorded what made them."""
        return [strawberry.ID(node) for node in self._found.unknown_origins]

    @field
    def gaps(self) -> list[Gap]:
        """Stretches that may have been lost and touch this answer."""
        return [
            Gap(node=strawberry.ID(gap.node), key=gap.key, reason=gap.reason, facts=JSON(gap.facts))
            for gap in self._found.gaps
        ]

    @field
    def position(self) -> Seq:
        """Seq of the last entry that this answer knows."""
        return Seq(self._found.view.position)

    @field
    def as_of(self) -> Time | None:
        """The time the answer is about; null: as things are."""
        return shown_time(self._found.view.as_of)

    @field
    def known_at(self) -> Time | None:
        """When the last entry that this answer knows was recorded."""
        position = self._found.view.position
        last = next(self.store.entries(position - 1, 1), None) if position else None
        return None if last is None else shown_time(last.recorded_at)
