"""The audit log: who read or took out bodies of the ledger, in a second ledger beside it.

It has the same format, so it is verified, sealed, proved and exported as the first one is. What is
handed out is noted before, and durably: what cannot be noted is not handed out. Reading moves no
position of the ledger that is read.
"""

from __future__ import annotations

import secrets
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence

from lineage.errors import LineageError, NotAuditedError
from lineage.model.canonical import parse_json
from lineage.model.changes import AuditAccessed
from lineage.model.envelope import Actor
from lineage.record.recorder import Recorder
from lineage.store.contract import Store, StoredEntry

__all__ = ["SOURCE", "AuditLog", "accesses", "ranges_of"]

SOURCE = "lineage:audit"
Open = Callable[[], Recorder]


class AuditLog:
    """The log, opened when something is noted for the first time. Threads may share it."""

    def __init__(self, opens: Open | None) -> None:
        """``opens`` opens it for writing; None: what is read is the audit log itself."""
        self._open = opens
        self._lock = threading.Lock()
        self._recorder: Recorder | None = None

    def note(
        self,
        what: str,
        entries: Iterable[int] | range,
        actor: Actor,
        *,
        position: int,
        place: str = "",
        purpose: str = "",
    ) -> None:
        """Note durably that ``actor`` is given bodies of ``entries``.

        Raises ``NotAuditedError`` where that cannot be noted: then they are not to be given.
        """
        if self._open is None:
            return
        now = time.time_ns() // 1000
        access = AuditAccessed.model_validate({
            "event_at": now, "what": what, "position": position, "ranges": ranges_of(entries),
            "place": place, "purpose": purpose,
        })  # fmt: skip
        try:
            self._opened(self._open).record_changes(
                [access], source=SOURCE, actor=actor,
                event_ids=[f"{now:017d}-{secrets.token_hex(8)}"],
            )  # fmt: skip
        except LineageError as fault:
            raise NotAuditedError(
                f"what is handed out has to be noted first, and cannot be: {fault.message}",
                hint=fault.hint or "mend the audit log beside the store",
            ) from fault

    def store(self) -> Store | None:
        """The log itself, opened for writing; None where it is the log that is read."""
        return None if self._open is None else self._opened(self._open).store

    def _opened(self, opens: Open) -> Recorder:
        with self._lock:
            if self._recorder is None:
                self._recorder = opens()
            return self._recorder

    def close(self) -> None:
        """Let go of it."""
        with self._lock:
            if self._recorder is not None:
                self._recorder.store.close()
                self._recorder = None


def ranges_of(entries: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers as ranges, first and last, in order."""
    if isinstance(entries, range):
        return [(entries.start, entries.stop - 1)] if entries else []
    found: list[tuple[int, int]] = []
    for number in sorted(set(entries)):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def accesses(
    log: Store, *, after: int = 0, seqs: Sequence[int] = ()
) -> Iterator[tuple[StoredEntry, AuditAccessed]]:
    """What was noted, in order; only what concerns some entries, where they are given."""
    wanted = sorted(seqs)
    for entry in log.entries(after):
        if entry.kind != "audit.accessed" or entry.salt is None:
            continue
        access = AuditAccessed.model_validate(parse_json(entry.body))
        if not wanted or any(_any_in(wanted, *span) for span in access.ranges):
            yield entry, access


def _any_in(wanted: list[int], low: int, high: int) -> bool:
    at = bisect_left(wanted, low)
    return at < len(wanted) and wanted[at] <= high
