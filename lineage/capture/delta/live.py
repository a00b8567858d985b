"""The paths that are live in a table: needed only for commits that say they overwrite."""

from __future__ import annotations

from lineage.capture.delta.actions import Commit
from lineage.capture.delta.log import overwrites
from lineage.capture.delta.snapshot import replay
from lineage.capture.delta.storage import LogStorage
from lineage.errors import LineageError

__all__ = ["LivePaths"]


class LivePaths:
    """Replayed from the log when first needed, and kept up to date from then on."""

    def __init__(self, log: LogStorage) -> None:
        self._log = log
        self._paths: set[str] | None = None

    def before(self, commit: Commit) -> set[str] | None:
        """Those live before a commit; None where it does not matter, or cannot be told."""
        if commit.version == 0 or not overwrites(commit.info):
            return None
        if self._paths is None:
            try:
                self._paths = set(replay(self._log, commit.version - 1).files)
            except LineageError:
                return None
        return self._paths

    def take(self, commit: Commit) -> None:
        """The commit has been read."""
        if self._paths is not None:
            self._paths.difference_update(commit.removed)
            self._paths.update(file.path for file in commit.added)

    def forget(self) -> None:
        """The next commit does not follow the last one."""
        self._paths = None
