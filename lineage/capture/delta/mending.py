"""Commits that were passed over because they were torn: recorded after all when they are mended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lineage.capture.delta.actions import parse_actions
from lineage.capture.delta.log import commit_change, event_id_of_commit
from lineage.capture.delta.names import commit_name
from lineage.capture.delta.position import Position
from lineage.capture.delta.reports import Captured, Reports
from lineage.capture.delta.storage import LogStorage, Stamp
from lineage.errors import TornCommitError
from lineage.model.changes import ArtifactRef

__all__ = ["Mending"]


class Mending:
    """Looks again at those that a position names, each only when its file has changed."""

    def __init__(
        self, log: LogStorage, table: ArtifactRef, report: Reports, now: Callable[[], int]
    ) -> None:
        self._log = log
        self._table = table
        self._report = report
        self._now = now
        self._looked: dict[int, Stamp] = {}

    def mend(self, at: Position, out: list[Captured]) -> Position:
        """The position without those that can be read now; these go to ``out``."""
        for torn in at.torn:
            stamp = self._log.stamp(commit_name(torn.version))
            if torn.version > at.version or stamp is None:
                continue
            if stamp == self._looked.get(torn.version):
                continue
            self._looked[torn.version] = stamp
            raw = self._log.read(commit_name(torn.version))
            try:
                change = commit_change(
                    self._table,
                    parse_actions(torn.version, raw or b""),
                    table_id=torn.table_id,
                    modified_at=stamp.modified_at,
                    log=at.log_id,
                )
            except TornCommitError:
                continue
            out.append(Captured(change, event_id_of_commit(change.table_id, torn.version)))
            out.append(self._report.mended(torn.table_id, torn.version, at=self._now()))
            at = replace(at, torn=tuple(entry for entry in at.torn if entry != torn))
        return at

    def forget(self) -> None:
        """Look at each again."""
        self._looked.clear()
