"""What a tail reports beside commits: gaps, mended gaps, the end of a table. With stable ids."""

from __future__ import annotations

from dataclasses import dataclass

from lineage.capture.delta.log import event_id_of_commit, source_of
from lineage.model.changes import (
    ArtifactInvalidated,
    ArtifactRef,
    Change,
    ClaimRetracted,
    GapRecorded,
)
from lineage.model.ids import artifact_id

__all__ = ["Captured", "Reports"]


@dataclass(frozen=True, slots=True)
class Captured:
    """A change with the event id that its source gives it."""

    change: Change
    event_id: str


class Reports:
    """Reports on one table. ``at`` is UTC microseconds; versions are of ``table_id``'s log."""

    def __init__(self, table: ArtifactRef) -> None:
        self.source = source_of(table)
        self._table = table
        self._artifact = artifact_id(table.namespace, table.name)

    def lost(self, table_id: str, first: int, last: int, *, at: int, cleaned: bool) -> Captured:
        """Commits ``first`` to ``last`` are not in the log."""
        reason = "log-cleaned" if cleaned else "commits-missing"
        gap = self._gap(first, last, reason, at)
        return Captured(gap, event_id_of_commit(table_id, first, f"gap.{last}"))

    def torn(self, table_id: str, version: int, *, at: int) -> Captured:
        """A commit cannot be read and stays so."""
        gap = self._gap(version, version, "torn-commit", at)
        return Captured(gap, event_id_of_commit(table_id, version, "torn"))

    def short(self, table_id: str, version: int, *, at: int) -> Captured:
        """A commit can be read, but names fewer files than it says it does."""
        gap = self._gap(version, version, "commit-shorter-than-said", at)
        return Captured(gap, event_id_of_commit(table_id, version, "short"))

    def mended(self, table_id: str, version: int, *, at: int) -> Captured:
        """A torn commit can be read after all: its gap was none."""
        gap = event_id_of_commit(table_id, version, "torn")
        reason = "the commit can be read after all"
        change = ClaimRetracted(event_at=at, source=self.source, event_id=gap, reason=reason)
        return Captured(change, f"{gap}.mended")

    def rewritten(self, table_id: str, first: int, last: int, *, at: int) -> Captured:
        """Commits that were recorded are no longer what they were, or not there."""
        gap = self._gap(first, last, "log-rewritten", at)
        return Captured(gap, event_id_of_commit(table_id, first, f"rewritten.{last}"))

    def ended(self, table_id: str, version: int, *, at: int) -> Captured:
        """The table is gone, after ``version``."""
        gone = ArtifactInvalidated(
            event_at=at, namespace=self._table.namespace, name=self._table.name
        )
        return Captured(gone, event_id_of_commit(table_id, version, "gone"))

    def _gap(self, first: int, last: int, reason: str, at: int) -> GapRecorded:
        return GapRecorded(
            event_at=at,
            gap_source=self.source,
            from_position=str(first),
            to_position=str(last),
            reason=reason,
            touches=[self._artifact],
        )
