"""Archiving: what a store holds, into an archive, a batch at a time, read back before it counts.

A batch goes in five steps, each of which can be repeated: (1) blobs that its entries name; (2) its
entries, in one commit; (3) all of it synced to disk, where that is ours to do; (4) read back and
compared with the store as it is now, so that what was redacted meanwhile is replaced; (5) a head
row with the root up to there. *Archived* is what a head row covers. Whoever is killed leaves a
batch without its head: the next one goes on from step 3. Two at once take turns or share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lineage.errors import ArchiveBusyError, ArchiveDamagedError
from lineage.model.merkle import Frontier
from lineage.record.archive.contents import copy_blobs
from lineage.record.archive.erasing import redact_in_archive
from lineage.record.archive.heads import heads_of_batch, note_late_checkpoints
from lineage.record.archive.place import Archive
from lineage.record.archive.rows import (
    ENTRIES,
    entries_of,
    entry_table,
    head_table,
    select,
    year_of,
)
from lineage.record.archive.table import ArchiveTable
from lineage.record.archive.until import Goal, goal_of, must_continue, tampered
from lineage.record.ledger import faults_of, stubs_of
from lineage.store.blobs import BlobStore
from lineage.store.contract import Store, StoredEntry

__all__ = ["Archived", "archive"]

BATCH_ENTRIES, BATCH_BYTES = 20_000, 32 << 20
_TRIES = 50


@dataclass(slots=True)
class Archived:
    """What was done: entries up to ``size`` with the root ``root`` are archived now."""

    size: int = 0
    root: str = ""
    entries: int = 0
    blobs: int = 0
    checkpoints: int = 0
    erased: int = 0
    missing_blobs: list[str] = field(default_factory=list)


def archive(
    store: Store,
    blobs: BlobStore,
    place: Archive,
    *,
    unsealed: bool = False,
    skip_missing: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Archived:
    """Archive what is sealed (or everything: ``unsealed``) and was not before; resumes.

    ``skip_missing`` notes blobs that the store has lost, instead of refusing. Raises
    ``NothingSealedError``, ``ArchiveForeignError`` for the archive of another ledger,
    ``TamperedError``, ``ArchiveDamagedError``, ``ArchiveFullError``, ``ArchiveUnavailableError``.
    """
    run = _Run(store, blobs, place, skip_missing=skip_missing)
    goal = goal_of(store, unsealed=unsealed)
    must_continue(store, run.last)
    failures = 0
    while run.size < goal.size:
        before = run.size
        run.step(goal)
        failures = 0 if run.size > before else failures + 1
        if failures > _TRIES:
            raise ArchiveBusyError(
                "others write to the archive all the time", hint="try again later"
            )
        if progress is not None:
            progress(run.size)
    run.result.checkpoints += note_late_checkpoints(store, place)
    run.result.size = run.size
    run.result.root = run.frontier.root().hex()
    return run.result


class _Run:
    """One archiver at work: ``last`` is the last head of the archive."""

    def __init__(
        self, store: Store, blobs: BlobStore, place: Archive, *, skip_missing: bool
    ) -> None:
        self.result = Archived()
        self.last = place.last()
        self._store = store
        self._blobs = blobs
        self._place = place
        self._skip_missing = skip_missing

    @property
    def size(self) -> int:
        return self.last.size if self.last else 0

    @property
    def frontier(self) -> Frontier:
        return Frontier(list(self.last.frontier.subtrees)) if self.last else Frontier.empty()

    def step(self, goal: Goal) -> None:
        """Archive one batch, or find that another archiver did some of it."""
        batch = self._batch(goal)
        table = self._place.entries(year_of(batch[0].recorded_at))
        written = self._written(table, batch[0])
        if written > self.size:
            # Somebody else's, or ours before we were killed: what is left to do is steps 3 to 5.
            batch = [entry for entry in batch if entry.seq <= written]
        added, missing = copy_blobs(
            batch, self._blobs, self._place.blobs, skip_missing=self._skip_missing
        )
        self.result.blobs += added
        self.result.missing_blobs += missing
        if written <= self.size:
            rows, last = entry_table(batch), batch[-1].seq
            if not table.append(rows, expected=written, written=last):
                return
            self.result.entries += len(batch)
        table.sync()
        self._read_back(table, batch)
        self._take_back(batch)
        self._confirm(batch, goal)

    def _written(self, table: ArchiveTable, first: StoredEntry) -> int:
        written = table.written()
        if self.last and year_of(first.recorded_at) == self.last.last_year and written < self.size:
            raise ArchiveDamagedError(
                f"{table.name} ends at entry {written}, and was archived up to {self.size}",
                hint="an older version was brought back: archive to a new place",
                position=written + 1, table=table.name,
            )  # fmt: skip
        return written

    def _batch(self, goal: Goal) -> list[StoredEntry]:
        """The next entries, of one year, as many as fit."""
        batch: list[StoredEntry] = []
        room = BATCH_BYTES
        most = min(BATCH_ENTRIES, goal.size - self.size)
        for entry in self._store.entries(self.size, most):
            room -= len(entry.body)
            if batch and (room < 0 or year_of(entry.recorded_at) != year_of(batch[0].recorded_at)):
                break
            for what in faults_of(entry):
                raise tampered(entry.seq, what)
            batch.append(entry)
        if not batch:
            raise tampered(self.size + 1, "it is missing")
        return batch

    def _read_back(self, table: ArchiveTable, batch: list[StoredEntry]) -> None:
        """Compare what the archive says with what the store says now."""
        differing = self._differing(table, batch)
        if differing:
            # Redacted in the store since the batch was read: the archive had the body until now.
            redacted = [entry for entry in differing if entry.salt is None]
            self.result.erased += redact_in_archive(self._place, redacted).entries
            differing = self._differing(table, batch)
        if differing:
            seq = differing[0].seq
            raise ArchiveDamagedError(
                f"entry {seq} is not read back from {table.name} as it was written",
                hint="check the storage; archive to a new place", position=seq, table=table.name,
            )  # fmt: skip

    def _differing(self, table: ArchiveTable, batch: list[StoredEntry]) -> list[StoredEntry]:
        first, last = batch[0].seq, batch[-1].seq
        table.open()
        found = table.query(
            f"SELECT {select(ENTRIES)} FROM t WHERE seq BETWEEN {first} AND {last} ORDER BY seq",
            position=first,
        )
        rows = list(entries_of(found))
        if [row.seq for row in rows] != list(range(first, last + 1)):
            raise ArchiveDamagedError(
                f"{table.name} does not have each of the entries {first} to {last} once",
                hint="archive to a new place", position=first, table=table.name,
            )  # fmt: skip
        now = self._store.entries(first - 1, len(batch))
        return [entry for entry, row in zip(now, rows, strict=True) if entry != row]

    def _take_back(self, batch: list[StoredEntry]) -> None:
        """Replace what redactions of this batch erased further back, in the archive too."""
        targets = [
            seq
            for entry in batch
            if entry.kind == "entry.redacted"
            for target in stubs_of(entry)
            if (seq := self._store.find(target.source, target.event_id)) and seq <= self.size
        ]
        stubs = [next(self._store.entries(seq - 1, 1)) for seq in sorted(set(targets))]
        if stubs:
            self.result.erased += redact_in_archive(self._place, stubs).entries

    def _confirm(self, batch: list[StoredEntry], goal: Goal) -> None:
        heads = list(heads_of_batch(self._store, self.last, batch, goal))
        if self._place.heads.append(head_table(heads), expected=self.size, written=heads[-1].size):
            self.result.checkpoints += sum(head.checkpoint is not None for head in heads)
        self._place.heads.sync()
        self.last = self._place.last()
