"""Single commits of a table, for those who know which versions they mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from lineage.capture.delta.actions import Commit, parse_actions
from lineage.capture.delta.log import commit_change, overwrites
from lineage.capture.delta.names import commit_name
from lineage.capture.delta.series import first_id, ids_of
from lineage.capture.delta.snapshot import TableState, listing_of, replay_each
from lineage.capture.delta.storage import LocalLog, LogStorage, local_path, table_ref
from lineage.errors import LineageError, LogGapError
from lineage.model.changes import TableCommitted

__all__ = ["commits_of", "read_commit"]


def read_commit(table: str | Path, version: int) -> TableCommitted:
    """One commit of the table at a path.

    Raises ``LogGapError`` when the log does not have it (any more), ``TornCommitError``,
    ``SourceUnavailableError`` when there is no table.
    """
    return commits_of(table, [version])[0]


def commits_of(table: str | Path, versions: Iterable[int]) -> list[TableCommitted]:
    """Several commits in ascending order, as a tailer would tell them; errors as for one."""
    path = local_path(table)
    log = LocalLog(path)
    ref = table_ref(path)
    begun_as = first_id(log)
    found: list[TableCommitted] = []
    for commit, modified_at, before in _with_state_before(log, versions):
        live = before.files if before and overwrites(commit.info) else None
        table_id = before.table_id if before else min(ids_of(log, listing_of(log)), default="")
        change = commit_change(
            ref, commit, table_id=table_id, modified_at=modified_at, log=begun_as, live=live
        )
        found.append(change)
    return found


def _with_state_before(
    log: LogStorage, versions: Iterable[int]
) -> Iterator[tuple[Commit, int, TableState | None]]:
    """Commits with their file's time and the state before each, None where that is lost."""
    listing_of(log)
    wanted = sorted(set(versions))
    states = replay_each(log, [version - 1 for version in wanted if version > 0])
    for version in wanted:
        before: TableState | LineageError = TableState()
        if version > 0:
            before = next(states)[1]
        stamp, raw = log.stamp(commit_name(version)), log.read(commit_name(version))
        if stamp is None or raw is None:
            raise LogGapError(
                f"commit {version} is not in the log",
                hint="log retention removed it, or it was never written",
                version=version,
            )
        known = before if isinstance(before, TableState) else None
        yield parse_actions(version, raw), stamp.modified_at, known
