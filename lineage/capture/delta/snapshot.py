"""The state of a Delta table at a version: its log replayed from the checkpoint before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from lineage.capture.delta.actions import Commit, DataFile, Metadata, parse_actions
from lineage.capture.delta.checkpoint import read_checkpoint
from lineage.capture.delta.names import Listing, commit_name, read_listing
from lineage.capture.delta.storage import LogStorage
from lineage.errors import LineageError, LogGapError, SourceUnavailableError

__all__ = ["TableState", "listing_of", "replay", "replay_each"]


@dataclass(slots=True)
class TableState:
    """A table as it is after ``version`` (-1: before the first commit)."""

    version: int = -1
    metadata: Metadata | None = None
    features: tuple[str, ...] = ()
    files: dict[str, DataFile] = field(default_factory=dict)

    @property
    def table_id(self) -> str:
        """The id in force, empty before the first ``metaData``."""
        return self.metadata.id if self.metadata else ""

    def apply(self, commit: Commit) -> None:
        """Become the state after the next commit."""
        for path in commit.removed:
            self.files.pop(path, None)
        for file in commit.added:
            self.files[file.path] = file
        self.metadata = commit.metadata or self.metadata
        if commit.features is not None:
            self.features = commit.features
        self.version = commit.version

    def copy(self) -> TableState:
        """A state that later commits do not change."""
        return replace(self, files=dict(self.files))


def listing_of(log: LogStorage) -> Listing:
    """What the log holds. Raises ``SourceUnavailableError`` where there is no log."""
    names = log.names()
    if names is None:
        raise SourceUnavailableError(
            "no Delta table there: it has no _delta_log",
            hint="check the path, and that the file system is mounted",
        )
    return read_listing(names)


def replay(log: LogStorage, version: int | None = None) -> TableState:
    """The state at ``version`` (default: the latest).

    Raises ``LogGapError`` when the log does not reach it (cleaned, or not yet written),
    ``TornCommitError`` when a commit on the way is broken, ``SourceUnavailableError``.
    """
    listing = listing_of(log)
    latest = listing.latest
    wanted = latest if version is None else version
    if latest is None or wanted is None or wanted > latest or wanted < 0:
        raise LogGapError(
            f"version {wanted} is not in the log, which ends at {latest}",
            hint="version numbers of a table begin at 0; `lineage watch delta` lists them",
            version=wanted,
            latest=latest,
        )
    state, damage = _base(log, listing, wanted)
    try:
        _advance(log, state, wanted)
    except LogGapError as gap:
        raise damage or _with_first(gap, listing) from gap
    return state


def replay_each(
    log: LogStorage, versions: Iterable[int]
) -> Iterator[tuple[int, TableState | LineageError]]:
    """States at several versions in ascending order, in one pass; an error for one that is lost.

    A state is valid until the next one is asked for.
    """
    state: TableState | None = None
    for version in sorted(set(versions)):
        try:
            if state is None:
                state = replay(log, version)
            else:
                try:
                    _advance(log, state, version)
                except LogGapError:
                    state = replay(log, version)
            yield version, state
        except LineageError as fault:
            state = None
            yield version, fault


def _base(log: LogStorage, listing: Listing, version: int) -> tuple[TableState, LogGapError | None]:
    """The newest readable checkpoint's state, or the empty one; and why a newer one is not it."""
    damage: LogGapError | None = None
    for checkpoint in listing.checkpoints_upto(version):
        try:
            found = read_checkpoint(log, checkpoint)
        except LogGapError as fault:
            damage = damage or fault
            continue
        state = TableState(checkpoint.version, found.metadata, found.features, found.files)
        return state, damage
    return TableState(), damage


def _advance(log: LogStorage, state: TableState, version: int) -> None:
    while state.version < version:
        following = state.version + 1
        raw = log.read(commit_name(following))
        if raw is None:
            raise LogGapError(
                f"commit {following} is no longer in the log",
                hint="log retention removed it; versions that matter can be kept: `lineage pin`",
                version=version,
                missing=following,
            )
        state.apply(parse_actions(following, raw))


def _with_first(gap: LogGapError, listing: Listing) -> LogGapError:
    first = min([*listing.commits[:1], *(c.version for c in listing.checkpoints[:1])])
    gap.where["first_available"] = first
    return gap
