"""The SQLite store: one writing connection behind a lock, reads on snapshots of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
from typing_extensions import override

from lineage.errors import ReadOnlyStoreError, StoreError
from lineage.store.contract import (
    Guard,
    Head,
    Interpreter,
    NewEntry,
    Receipt,
    StoredCheckpoint,
    StoredEntry,
    View,
)
from lineage.store.keyprint import require_same
from lineage.store.readings import ReadingStore, batches
from lineage.store.sizes import require_sizes
from lineage.store.sqlite import digest as digests
from lineage.store.sqlite import erasure, ledger, reads, schema, seals
from lineage.store.sqlite.connection import BUSY_MS, Readers, connect, rows_of, translated
from lineage.store.sqlite.keyprints import note_keyprint, noted_keyprint
from lineage.store.sqlite.reading import Reading
from lineage.store.sqlite.writer import Writer

__all__ = ["SqliteStore"]

_BATCH = 500
_PASSIVE_PAGES, _TRUNCATE_PAGES = 4_000, 16_000
"""Pages of WAL (4 KiB) from which on the writer checkpoints, and from which on it also waits for
readers: always-busy readers starve a passive checkpoint, and the WAL grew to 485 MB."""
_CHECKPOINT_WAIT_MS = 500


def _now() -> int:
    return time.time_ns() // 1000


@contextmanager
def _transaction(connection: apsw.Connection) -> Iterator[None]:
    """A transaction that holds the head's lock from its beginning."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk rolls back by itself.
        if not connection.get_autocommit():
            connection.execute("ROLLBACK")
        raise


class SqliteStore(ReadingStore):
    """A store in one file. Any number of processes may read and append; threads may share it.

    ``read_only`` opens it for reading; so does a file that a newer version wrote, where that
    version says this one can read it. Raises ``StoreDamagedError``, ``StoreNewerError``,
    ``StoreBusyError``, ``StoreFullError`` and ``StoreError``.
    """

    _reads = reads

    def __init__(
        self,
        path: Path | str,
        interpret: Interpreter,
        *,
        clock: Callable[[], int] = _now,
        read_only: bool = False,
    ) -> None:
        self.path = Path(path)
        self._readers = Readers(self.path)
        self._writing = threading.Lock()
        self._connection: apsw.Connection | None = None
        self._wal_pages = 0
        self._clock = clock
        self._check: Guard = lambda _: None
        if read_only:
            self._open_for_reading()
        else:
            self._open_for_writing(interpret, clock)

    def _open_for_reading(self) -> None:
        if not _is_made(self.path, self._readers):
            raise StoreError(
                f"there is no store at {self.path}",
                hint="the first thing that records something makes it: `lineage run -- COMMAND`",
                path=str(self.path),
            )

    @staticmethod
    def made_at(path: Path) -> bool:
        """Whether there is a store, and not only the empty file of one that is being made."""
        with closing(Readers(path)) as readers:
            return _is_made(path, readers)

    def _open_for_writing(self, interpret: Interpreter, clock: Callable[[], int]) -> None:
        with translated(self.path):
            connection = connect(self.path, writable=True)
            try:
                if not schema.migrate(connection, self.path):
                    connection.close()
                    return
            except BaseException:
                connection.close()
                raise
            connection.set_wal_hook(self._count_pages)
            self._connection = connection
            self._writer = Writer(connection, interpret, clock)

    @property
    def read_only(self) -> bool:
        """Whether this store refuses to append."""
        return self._connection is None

    def _count_pages(self, _: apsw.Connection, __: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    # --- ledger

    @override
    def append(self, entries: Sequence[NewEntry]) -> list[Receipt]:
        with self._writable() as connection:
            with translated(self.path, connection):
                receipts = self._append(connection, entries)
            self._empty_wal(connection)
            return receipts

    @contextmanager
    def _writable(self) -> Iterator[apsw.Connection]:
        with self._writing:
            if self._connection is None:
                raise ReadOnlyStoreError(
                    f"{self.path} is open for reading only",
                    hint="a store of a newer version can only be read: upgrade this program",
                    path=str(self.path),
                )
            yield self._connection

    def _append(self, connection: apsw.Connection, entries: Sequence[NewEntry]) -> list[Receipt]:
        try:
            connection.execute("BEGIN IMMEDIATE")
            self._check(self._writer.begin())
            receipts = self._writer.append(entries)
            if any(receipt.new for receipt in receipts):
                self._writer.finish()
                connection.execute("COMMIT")
            else:
                # A commit that did not move the head would go unnoticed by other processes.
                self._writer.abandon()
                connection.execute("ROLLBACK")
        except BaseException:
            self._writer.clear()
            # A full disk rolls back by itself.
            if not connection.get_autocommit():
                connection.execute("ROLLBACK")
            raise
        return receipts

    def _empty_wal(self, connection: apsw.Connection) -> None:
        if self._wal_pages < _PASSIVE_PAGES:
            return
        truncate = self._wal_pages >= _TRUNCATE_PAGES
        mode = apsw.SQLITE_CHECKPOINT_TRUNCATE if truncate else apsw.SQLITE_CHECKPOINT_PASSIVE
        connection.set_busy_timeout(_CHECKPOINT_WAIT_MS)
        try:
            connection.wal_checkpoint(mode=mode)
        except apsw.Error:
            # What was appended is durable in the WAL; the next append tries again.
            return
        finally:
            connection.set_busy_timeout(BUSY_MS)
        self._wal_pages = 0

    @override
    @contextmanager
    def _reading(self, view: View) -> Iterator[Reading]:
        with self._readers.snapshot() as connection:
            yield Reading.at(connection, view)

    @override
    def head(self) -> Head:
        with self._readers.snapshot() as connection:
            return ledger.head(connection)

    @override
    def position_at(self, recorded_at: int) -> int:
        with self._readers.snapshot() as connection:
            return ledger.position_at(connection, recorded_at)

    @override
    def entries(self, after: int = 0, limit: int | None = None) -> Iterator[StoredEntry]:
        for wanted in batches(limit, _BATCH):
            with self._readers.snapshot() as connection:
                batch = ledger.entries_after(connection, after, wanted)
            yield from batch
            if len(batch) < wanted:
                return
            after = batch[-1].seq

    @override
    def find(self, source: str, event_id: str) -> int | None:
        with self._readers.snapshot() as connection:
            return ledger.find(connection, source, event_id)

    # --- seal

    @override
    def guard(self, check: Guard) -> None:
        self._check = check

    @override
    def seal(self, sign: Callable[[Head], bytes]) -> StoredCheckpoint:
        with self._writable() as connection, translated(self.path, connection):
            with _transaction(connection):
                head = ledger.head(connection)
                self._check(head)
                sealed = seals.checkpoint_of(connection, head.seq)
                if sealed is None:
                    sealed_at = max(self._clock(), head.recorded_at)
                    sealed = StoredCheckpoint(head.seq, sealed_at, sign(head))
                    seals.keep_checkpoints(connection, [sealed])
            return sealed

    @override
    def adopt(self, checkpoints: Sequence[StoredCheckpoint]) -> None:
        with (
            self._writable() as connection,
            translated(self.path, connection),
            _transaction(connection),
        ):
            require_sizes(checkpoints, ledger.head(connection).seq)
            seals.keep_checkpoints(connection, checkpoints)

    @override
    def checkpoints(self, after: int = 0, limit: int | None = None) -> Iterator[StoredCheckpoint]:
        for wanted in batches(limit, _BATCH):
            with self._readers.snapshot() as connection:
                batch = seals.checkpoints_after(connection, after, wanted)
            yield from batch
            if len(batch) < wanted:
                return
            after = batch[-1].size

    @override
    def last_checkpoint(self) -> StoredCheckpoint | None:
        with self._readers.snapshot() as connection:
            return seals.last_checkpoint(connection)

    @override
    def leaves(self, start: int, end: int) -> list[bytes]:
        with self._readers.snapshot() as connection:
            return seals.leaves(connection, start, end)

    @override
    def tiles(self, level: int, start: int, end: int) -> dict[int, bytes]:
        with self._readers.snapshot() as connection:
            return seals.tiles(connection, level, start, end)

    # --- key

    def keyprint(self) -> str:
        """The print of the key that the entries were recorded under; empty: none was noted."""
        with self._readers.snapshot() as connection:
            return noted_keyprint(connection)

    def bind_key(self, key: bytes, *, first: bool = True) -> None:
        """Compare the key with the one noted; where none is, note this one if ``first``.

        Raises ``StoreKeyError``.
        """
        known = self.keyprint()
        if not known and not self.read_only:
            with (
                self._writable() as connection,
                translated(self.path, connection),
                _transaction(connection),
            ):
                known = note_keyprint(connection, key, first=first)
        if known:
            require_same(known, key, str(self.path))

    # --- whole

    @override
    def digest(self, *, recorded: bool = True) -> str:
        with self._readers.snapshot() as connection:
            return digests.digest(connection, recorded=recorded)

    @override
    def digest_at_head(self, *, recorded: bool = True) -> tuple[Head, str]:
        with self._readers.snapshot() as connection:
            return ledger.head(connection), digests.digest(connection, recorded=recorded)

    @override
    def counts(self) -> dict[str, int]:
        with self._readers.snapshot() as connection:
            sql = """SELECT seq, (SELECT coalesce(max(id), 0) FROM node), edges, states FROM head"""
            ((entries, known, claims, states),) = rows_of(connection, sql)
            return {"entries": entries, "nodes": known, "edges": claims, "states": states}

    def backup(self, path: Path) -> None:
        """Write a consistent copy of the live store to a new file.

        Raises ``StoreFullError`` where there is no space; what was written then is removed.
        """
        with self._readers.snapshot() as source, translated(path):
            target = apsw.Connection(str(path))
            try:
                rows_of(target, "PRAGMA journal_mode=OFF")  # half a copy is removed, not repaired
                with target.backup("main", source, "main") as copying:
                    copying.step()
            except BaseException:
                target.close()
                path.unlink(missing_ok=True)
                raise
            target.close()

    def unerased(self) -> bool:
        """Whether bytes of what was redacted may still be in the file."""
        with self._readers.snapshot() as connection:
            return erasure.waiting(connection)

    def erase(self) -> None:
        """Write the file anew without what was redacted, in about its size of further space.

        Others may read and append meanwhile, and wait for some of it. Raises ``StoreBusyError``
        where somebody reads too long, ``StoreFullError``, ``ReadOnlyStoreError``.
        """
        with self._writable() as connection:
            with translated(self.path, connection):
                erasure.erase(connection)
            self._wal_pages = 0

    def integrity(self) -> list[str]:
        """What SQLite finds wrong with the file; nothing is right."""
        with self._readers.snapshot() as connection:
            found = [str(row[0]) for row in rows_of(connection, "PRAGMA integrity_check")]
        return [] if found == ["ok"] else found

    @override
    def close(self) -> None:
        # Readers first: the last connection that may write leaves one file, without a WAL.
        self._readers.close()
        with self._writing:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()


def _is_made(path: Path, readers: Readers) -> bool:
    if not path.exists():
        return False
    with readers.snapshot() as connection:
        return schema.check(connection, path, allow_empty=True) > 0
