"""The Neo4j store: appends behind a lock on the head, reads at a position."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from typing_extensions import override

from lineage.errors import ReadOnlyStoreError
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
from lineage.store.neo4j import digest as digests
from lineage.store.neo4j import ledger, reads, seals
from lineage.store.neo4j.connection import Database
from lineage.store.neo4j.reading import Reading
from lineage.store.neo4j.retrying import retrying
from lineage.store.neo4j.writer import Salted, Writer
from lineage.store.readings import ReadingStore, batches

__all__ = ["Neo4jStore"]

_BATCH = 500


def _now() -> int:
    return time.time_ns() // 1000


class Neo4jStore(ReadingStore):
    """A store in one Neo4j database. Any number of processes may read and append.

    Raises ``StoreUnavailableError`` where the database cannot be reached, and ``StoreError``.
    """

    _reads = reads

    def __init__(
        self,
        database: Database,
        interpret: Interpreter,
        *,
        clock: Callable[[], int] = _now,
        read_only: bool = False,
    ) -> None:
        self.read_only = read_only
        self._database = database
        self._writing = threading.Lock()
        self._writer = Writer(interpret, clock)
        self._clock = clock

    # --- ledger

    @override
    def append(self, entries: Sequence[NewEntry]) -> list[Receipt]:
        self._require_writable()
        salted = [Salted.of(entry) for entry in entries]
        with self._writing:
            return retrying(lambda: self._append(salted))

    def _require_writable(self) -> None:
        if self.read_only:
            raise ReadOnlyStoreError(
                "this store is open for reading only",
                hint="a store of a newer version can only be read: upgrade this program",
            )

    def _append(self, entries: Sequence[Salted]) -> list[Receipt]:
        try:
            with self._database.session() as session, session.begin_transaction() as tx:
                receipts = self._writer.append(tx, entries)
                if any(receipt.new for receipt in receipts):
                    tx.commit()
                else:
                    tx.rollback()
        except BaseException:
            self._writer.clear()
            raise
        return receipts

    @override
    @contextmanager
    def _reading(self, view: View | None = None) -> Iterator[Reading]:
        with self._database.session(read_only=True) as session:
            yield Reading.at(session, view) if view else Reading(session)

    @override
    def head(self) -> Head:
        with self._reading() as reading:
            return ledger.head(reading)

    @override
    def position_at(self, recorded_at: int) -> int:
        with self._reading() as reading:
            return ledger.position_at(reading, recorded_at)

    @override
    def entries(self, after: int = 0, limit: int | None = None) -> Iterator[StoredEntry]:
        for wanted in batches(limit, _BATCH):
            with self._reading() as reading:
                batch = ledger.entries_after(reading, after, wanted)
            yield from batch
            if len(batch) < wanted:
                return
            after = batch[-1].seq

    @override
    def find(self, source: str, event_id: str) -> int | None:
        with self._reading() as reading:
            return ledger.find(reading, source, event_id)

    # --- seal

    @override
    def guard(self, check: Guard) -> None:
        self._writer.check = check

    @override
    def seal(self, sign: Callable[[Head], bytes]) -> StoredCheckpoint:
        self._require_writable()
        return retrying(lambda: self._seal(sign))

    def _seal(self, sign: Callable[[Head], bytes]) -> StoredCheckpoint:
        with self._database.session() as session, session.begin_transaction() as tx:
            sealed, new = seals.seal(tx, self._writer.check, sign, self._clock)
            if new:
                tx.commit()
            return sealed

    @override
    def adopt(self, checkpoints: Sequence[StoredCheckpoint]) -> None:
        self._require_writable()
        retrying(lambda: self._adopt(checkpoints))

    def _adopt(self, checkpoints: Sequence[StoredCheckpoint]) -> None:
        with self._database.session() as session, session.begin_transaction() as tx:
            seals.adopt(tx, checkpoints)
            tx.commit()

    @override
    def checkpoints(self, after: int = 0, limit: int | None = None) -> Iterator[StoredCheckpoint]:
        for wanted in batches(limit, _BATCH):
            with self._reading() as reading:
                batch = seals.checkpoints_after(reading, after, wanted)
            yield from batch
            if len(batch) < wanted:
                return
            after = batch[-1].size

    @override
    def last_checkpoint(self) -> StoredCheckpoint | None:
        with self._reading() as reading:
            return seals.last_checkpoint(reading)

    @override
    def leaves(self, start: int, end: int) -> list[bytes]:
        with self._reading() as reading:
            return seals.leaves(reading, start, end)

    @override
    def tiles(self, level: int, start: int, end: int) -> dict[int, bytes]:
        with self._reading() as reading:
            return seals.tiles(reading, level, start, end)

    # --- whole

    @override
    def digest(self, *, recorded: bool = True) -> str:
        with self._reading() as reading:
            return digests.digest(reading, recorded=recorded)

    @override
    def counts(self) -> dict[str, int]:
        with self._reading() as reading:
            return ledger.counts(reading)

    @override
    def close(self) -> None:
        self._writer.close()
        self._database.close()
