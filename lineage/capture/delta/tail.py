"""Following the log of a Delta table: every commit once, in order, and what was lost is said.

A commit is found by asking for the next version's file; only when it is not there is the folder
listed. What can go wrong, and what is done then:

1. *A gap*: the next file is absent and a later one is listed. Asked for once more (it may have
   landed in between), then recorded as a gap over the missing versions; reading goes on at the
   first version there is.
2. *A torn commit*: empty, cut off, NULs. It may still be being written: it is read again until
   ``patience`` is over, then recorded as a gap. It is passed over once a later commit exists, and
   recorded after all, with the gap retracted, if it is mended.
3. *Another log in its place* (dropped and made again, restored from a backup): another table id is
   another table: the old one is invalidated and the new one read from its start. The same id with
   a shorter or different history is a gap over the rewritten versions.
4. *The table is gone*: invalidated, unless its parent directory is out of reach as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from lineage.capture.delta.actions import Commit, parse_actions
from lineage.capture.delta.anchor import Anchor, Fate, Finding
from lineage.capture.delta.folder import Folder
from lineage.capture.delta.live import LivePaths
from lineage.capture.delta.log import commit_change, event_id_of_commit
from lineage.capture.delta.mending import Mending
from lineage.capture.delta.names import Listing, commit_name
from lineage.capture.delta.position import Position, Torn, digest_of_commit
from lineage.capture.delta.reports import Captured, Reports
from lineage.capture.delta.series import first_event_at, id_after_gap, ids_of
from lineage.capture.delta.steady import Steady
from lineage.capture.delta.storage import LogStorage, Stamp
from lineage.errors import SourceUnavailableError, TornCommitError
from lineage.model.changes import ArtifactRef

__all__ = ["Captured", "DeltaTail"]

_BATCH_BYTES = 32 << 20
"""A batch ends at this many bytes of log, whatever its number of commits."""
_TRIES = 3
"""How often a batch is read again that turned out to be of two tables."""


def _now() -> int:
    return time.time_ns() // 1000


class DeltaTail:
    """Reads one log forward. ``position`` is after all that :meth:`poll` has returned.

    Persist the position only once what was returned is recorded. ``patience`` is how many seconds
    (of ``clock``) a commit may stay unreadable before it counts as torn; ``now`` is UTC
    microseconds; ``recorded`` tells by its event id whether a commit was recorded before, so that
    one which was is no gap. ``waiting`` says for a person what is waited for, or is empty.
    """

    def __init__(
        self,
        log: LogStorage,
        table: ArtifactRef,
        position: Position | None = None,
        *,
        patience: float = 5.0,
        recorded: Callable[[str], bool] = lambda _: False,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], int] = _now,
    ) -> None:
        self.position = position
        self.waiting = ""
        self._log = log
        self._table = table
        self._report = Reports(table)
        self._anchor = Anchor(log)
        self._recorded = recorded
        self._now = now
        self._folder = Folder(log, clock)
        self._live = LivePaths(log)
        self._mending = Mending(log, table, self._report, now)
        self._unread = Steady(patience, clock)
        self._changed = Steady(patience, clock)

    @property
    def source(self) -> str:
        """The source that the changes are recorded under."""
        return self._report.source

    def poll(self, limit: int = 500) -> list[Captured]:
        """Everything new, up to about ``limit`` changes; empty when there is nothing now.

        Raises ``SourceUnavailableError`` when the log cannot be read at the moment.
        """
        before = self.position
        for _ in range(_TRIES):
            self.waiting = ""
            held = False
            try:
                out = self._poll(limit)
                held = self._anchor.held_throughout()
            finally:
                if not held:
                    # Nobody is told what was read so far: it may be of two tables (the log was
                    # cleaned or replaced meanwhile), or the rest could not be read.
                    self._forget()
                    self.position = before
            if held:
                return out
        self.waiting = "the log changes while it is read"
        return []

    def _poll(self, limit: int) -> list[Captured]:
        out: list[Captured] = []
        self._anchor.begin()
        if self.position is not None and not self._is_ours(out):
            return out
        if self.position is None:
            self._begin(out)
        self._anchor.begin()
        if self.position is None:
            return out
        self.position = self._mending.mend(self.position, out)
        self._follow(out, limit)
        return out

    def _forget(self) -> None:
        """Drop what is only remembered of the log; the position is what counts."""
        self._anchor.forget()
        self._folder.forget()
        self._live.forget()
        self._unread.forget()
        self._changed.forget()
        self._mending.forget()

    # --- reading on

    def _follow(self, out: list[Captured], limit: int) -> None:
        read = 0
        while len(out) < limit and read < _BATCH_BYTES:
            version = self._at.version + 1
            stamp = self._log.stamp(commit_name(version))
            raw = self._log.read(commit_name(version)) if stamp else None
            if raw is None or stamp is None:
                if not self._hole(version, out):
                    return
                continue
            read += len(raw)
            try:
                commit = parse_actions(version, raw)
                if commit.shorter_than_said and not self._is_done(version, raw):
                    self.waiting = f"commit {version} names fewer files than it says"
                    return
                self._take(commit, raw, stamp, out)
            except TornCommitError as fault:
                if not self._torn(version, raw, fault, out):
                    return

    def _take(self, commit: Commit, raw: bytes, stamp: Stamp, out: list[Captured]) -> None:
        at = self._at
        change = commit_change(
            self._table,
            commit,
            table_id=at.table_id,
            modified_at=stamp.modified_at,
            log=at.log_id,
            live=self._live.before(commit),
        )
        out.append(Captured(change, event_id_of_commit(change.table_id, commit.version)))
        if commit.shorter_than_said:
            out.append(self._report.short(change.table_id, commit.version, at=change.event_at))
        self._live.take(commit)
        told = [torn for torn in at.torn if torn.version == commit.version]
        out += [self._report.mended(t.table_id, t.version, at=self._now()) for t in told]
        self.position = Position(
            commit.version,
            change.table_id,
            at.log_id or change.table_id,
            digest_of_commit(raw),
            tuple(torn for torn in at.torn if torn.version != commit.version),
        )
        self._anchor.took(commit.version, stamp)
        self._unread.forget()

    # --- 1 gaps

    def _hole(self, version: int, out: list[Captured]) -> bool:
        """The next commit is not there. True: it was passed over, or is there now; read on."""
        listing = self._folder.reaches(version)
        if listing is None or listing.latest is None:
            return False
        if self._log.stamp(commit_name(version)) is not None:
            return True  # it landed between the two questions
        later = listing.commits_after(version)
        self._skip(version, later[0] - 1 if later else listing.latest, listing, out)
        return True

    def _skip(self, first: int, last: int, listing: Listing, out: list[Captured]) -> None:
        """Record versions ``first`` to ``last`` as lost and stand after them."""
        at = self._at
        known = id_after_gap(self._log, listing, first, last + 1)
        table_id = known or at.table_id
        lost = [v for v in range(first, last + 1) if not self._was_recorded(at.table_id, v)]
        if lost:
            when, cleaned = self._time_of(last + 1), bool(known)
            out.append(self._report.lost(table_id, lost[0], lost[-1], at=when, cleaned=cleaned))
        self._pass_to(Position(last, table_id, at.log_id or table_id, torn=at.torn))

    def _was_recorded(self, table_id: str, version: int) -> bool:
        return self._recorded(event_id_of_commit(table_id, version))

    def _pass_to(self, position: Position) -> None:
        self.position = position
        self._anchor.loosen()
        self._live.forget()
        self._unread.forget()

    def _time_of(self, version: int) -> int:
        stamp = self._log.stamp(commit_name(version))
        return stamp.modified_at if stamp else self._now()

    # --- 2 torn commits

    def _is_done(self, version: int, raw: bytes) -> bool:
        """Whether nobody is still writing a commit that can be read."""
        followed = self._log.stamp(commit_name(version + 1)) is not None
        return followed or self._unread.for_long((version, digest_of_commit(raw)))

    def _torn(self, version: int, raw: bytes, fault: TornCommitError, out: list[Captured]) -> bool:
        """The next commit cannot be read. True: it was passed over; read on."""
        self.waiting = fault.message
        digest = digest_of_commit(raw)
        if not self._unread.for_long((version, digest)):
            return False
        listing = self._folder.listing() or Listing()
        at = self._at
        table_id = at.table_id or min(ids_of(self._log, listing), default="")
        if not table_id:
            return False
        torn = Torn(version, digest, table_id)
        if all(told.version != version for told in at.torn):
            out.append(self._report.torn(table_id, version, at=self._time_of(version)))
        kept = (*(told for told in at.torn if told.version != version), torn)
        self.position = replace(at, torn=kept)
        if not listing.commits_after(version):
            return False
        self._pass_to(Position(version, table_id, at.log_id or table_id, torn.digest, kept))
        return True

    # --- 3 and 4 another log, or none

    def _is_ours(self, out: list[Captured]) -> bool:
        """Whether to read on: afterwards the position fits the log that is there, or is None."""
        at = self._at
        found = self._anchor.check(at)
        if found.fate in (Fate.SHORTER, Fate.REWRITTEN):
            return self._is_rewritten(found, out)
        self._changed.forget()
        if found.fate is Fate.UNKNOWN:
            self.waiting = "the log is empty or does not say which table it is"
        elif found.fate is Fate.MISSING:
            if not self._log.gone():
                raise SourceUnavailableError(
                    "the table cannot be reached: its file system seems not to be mounted",
                    hint="mount it; a table that was dropped is noticed by itself",
                )
            self._end(self._now(), out)
        elif found.fate is Fate.ANOTHER:
            self._end(first_event_at(self._log, found.listing, self._now()) - 1, out)
        return True

    def _is_rewritten(self, found: Finding, out: list[Captured]) -> bool:
        """Commits we had are gone or different; a table that is being deleted looks so for a while.

        True once it has looked the same for longer than our patience, and was recorded.
        """
        at, latest = self._at, found.listing.latest or 0
        if not self._changed.for_long(found):
            self.waiting = f"the log is not what it was up to version {at.version}"
            self._anchor.loosen()
            return False
        shorter = found.fate is Fate.SHORTER
        # Where a history begins to differ is not known, where it ends is.
        first = latest + 1 if shorter else 0
        when = self._now()
        out.append(self._report.rewritten(at.table_id, first, at.version, at=when))
        self._stand_at(latest if shorter else at.version)
        self._changed.forget()
        return True

    def _end(self, event_at: int, out: list[Captured]) -> None:
        out.append(self._report.ended(self._at.table_id, self._at.version, at=event_at))
        self._forget()
        self.position = None

    def _stand_at(self, version: int) -> None:
        raw = self._log.read(commit_name(version))
        digest = digest_of_commit(raw) if raw is not None else ""
        kept = tuple(torn for torn in self._at.torn if torn.version <= version)
        self._live.forget()
        self.position = replace(self._at, version=version, digest=digest, torn=kept)

    # --- beginning

    def _begin(self, out: list[Captured]) -> None:
        listing = self._folder.listing()
        if listing is None or listing.latest is None:
            self.waiting = "there is no table yet"
            return
        first = listing.commits[0] if listing.commits else listing.latest + 1
        if first == 0:
            self.position = Position(-1, "", "")
            return
        ids = ids_of(self._log, listing)
        table_id = id_after_gap(self._log, listing, 0, first) or min(ids, default="")
        if not table_id:
            self.waiting = "neither a checkpoint nor a commit says which table it is"
            return
        self.position = Position(-1, table_id, table_id)
        self._skip(0, first - 1, listing, out)

    @property
    def _at(self) -> Position:
        if self.position is None:
            raise AssertionError("no position")
        return self.position
