"""Redacting: recorded, then erased wherever the product knows a copy; again changes nothing.

The steps, each of which can be repeated from the start after a crash anywhere: (1) the journal
names what is to go; (2) what waits outside the store is cleared, since a person can be looked for
only while the ledger says who it is; (3) the redactions are recorded in one transaction, which
takes the contents out of the store's tables; (4) the store's own files are written anew; (5) blobs
that nothing names any more go; (6) archives and backups are rewritten, or named as left; (7) the
journal goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from lineage.model.changes import EntryRedacted
from lineage.model.claims import EntryRef
from lineage.model.envelope import Actor
from lineage.record.copies import ARCHIVE, BACKUP, Copies, Copy
from lineage.record.dead_letters import DeadLetters
from lineage.record.recorder import Recorder
from lineage.record.redact.history import redactions
from lineage.record.redact.journal import Begun, Journal
from lineage.record.redact.people import Tick
from lineage.record.redact.plan import Plan, plan_person
from lineage.record.redact.rules import entry_at, people_needed
from lineage.record.redact.waiting import Wanted, clear_backlog, clear_letters, clear_spool
from lineage.store.blobs import BlobStore
from lineage.store.contract import Store, StoredEntry

__all__ = [
    "SOURCE",
    "Erasable",
    "Left",
    "Order",
    "Places",
    "Report",
    "finish",
    "redact",
]

SOURCE = "lineage:redact"
"""The source of redactions, proposals and rules that are made on the command line."""


class Erasable(Protocol):
    """A store whose own files can be written anew without what was redacted."""

    def unerased(self) -> bool:
        """Whether bytes of it may still be there."""
        ...

    def erase(self) -> None:
        """Write them anew."""
        ...


Rewrite = Callable[[Sequence[Copy], Sequence[StoredEntry], Iterable[str]], dict[str, str]]
"""Rewrites copies without what entries were before they were redacted, and without blobs; by place
why one was not."""


@dataclass(frozen=True)
class Places:
    """Everything that contents of one store are in."""

    recorder: Recorder
    store_key: bytes
    erasable: Erasable | None
    blobs: BlobStore
    spool: Path
    backlog: Path
    letters: DeadLetters
    copies: Copies
    journal: Journal
    rewrite_backups: Rewrite
    rewrite_archives: Rewrite
    clear_scratch: Callable[[], Mapping[str, str]] = dict
    """Removes scratch copies of the store that dead processes left; by path why one stays."""
    beyond: str = ""
    """What of the store's own files is beyond this program, or nothing."""

    @property
    def store(self) -> Store:
        """The store."""
        return self.recorder.store

    def unfinished(self) -> bool:
        """Whether something that was redacted may not be erased from all of them yet."""
        dirty = self.erasable is not None and self.erasable.unerased()
        return dirty or self.journal.read() is not None or bool(_stale(self)[0])

    def reached(self, *, new: bool) -> list[Copy]:
        """Copies that a redaction rewrites: if it is new, all; else those that one left."""
        return self.copies.all() if new else _stale(self)[0]


@dataclass(frozen=True, slots=True)
class Left:
    """A place that may still hold what was redacted, and what to do about it."""

    place: str
    why: str


@dataclass(slots=True)
class Report:
    """What was done. ``left`` is what somebody has to do by hand.

    ``reminders`` are of places that this program cannot clear, nor tell to be clear.
    """

    redacted: int = 0
    waiting: int = 0
    letters: int = 0
    blobs: int = 0
    rewritten: list[str] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    reminders: list[Left] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        left, reminders = (list(map(asdict, some)) for some in (self.left, self.reminders))
        return {
            "redacted": self.redacted, "waiting": self.waiting, "dead_letters": self.letters,
            "blobs": self.blobs, "rewritten": self.rewritten, "left": left,
            "reminders": reminders, "complete": not self.left,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Order:
    """Why, by whom, when (UTC microseconds), and the proposal that is approved by it."""

    reason: str
    actor: Actor
    at: int
    proposal: str = ""


def redact(places: Places, plan: Plan, order: Order, tick: Tick = lambda _: None) -> Report:
    """Redact what a plan says, everywhere.

    Raises ``RefusedError`` where the store's rule does not allow it, ``StoreBusyError`` where
    another redaction is under way or somebody reads too long, ``StoreError``, ``SpoolError``. After
    any of them the same command does what is left.
    """
    report = Report()
    with places.journal.alone():
        _drop_unrecorded(places)
        _redact(places, plan, order, report)
        if plan.person and people_needed(places.store) == 1:
            # What was delivered while the ledger was read.
            late = plan_person(
                places.store, places.blobs, plan.person, after=plan.position, words=plan.words,
                tick=tick,
            )  # fmt: skip
            if late.new:
                _redact(places, late, order, report)
        _finish(places, report, tick)
    return report


def _redact(places: Places, plan: Plan, order: Order, report: Report) -> None:
    places.journal.begin(plan.refs, plan.blobs)
    _clear(places, Wanted(plan.refs, plan.person, plan.words), report)
    changes = [
        EntryRedacted(
            event_at=order.at, source=target.ref.source, event_id=target.ref.event_id,
            stub=target.stub.decode("ascii"), reason=order.reason, by=order.actor.id,
            proposal=order.proposal,
        )
        for target in plan.new
    ]  # fmt: skip
    if changes:
        places.recorder.record_changes(changes, source=SOURCE, actor=order.actor)
    report.redacted += len(changes)


def _clear(places: Places, wanted: Wanted, report: Report) -> None:
    report.waiting += clear_spool(places.spool, wanted)
    report.waiting += clear_backlog(places.backlog, wanted)
    report.letters += clear_letters(places.letters, wanted, places.store_key)


def finish(places: Places, tick: Tick = lambda _: None) -> Report:
    """Erase what was redacted in any way and is not erased yet. Raises as :func:`redact`."""
    report = Report()
    with places.journal.alone():
        _drop_unrecorded(places)
        _finish(places, report, tick)
    return report


def _drop_unrecorded(places: Places) -> None:
    """What was begun and not recorded is no redaction yet: whoever began repeats their command."""
    begun = places.journal.read() or Begun()
    if not all(_is_redacted(places.store, ref) for ref in begun.refs):
        places.journal.end()


def _finish(places: Places, report: Report, tick: Tick) -> None:
    begun = places.journal.read() or Begun()
    position = places.store.head().seq
    used = [Left(place, why) for place, why in places.clear_scratch().items()]
    report.left += used
    if places.erasable is not None and places.erasable.unerased():
        places.erasable.erase()
    if begun.refs:
        _clear(places, Wanted(set(begun.refs)), report)
    report.blobs += sum(places.blobs.remove(digest) for digest in sorted(begun.blobs))
    archived = _rewrite(places, position, begun.blobs, report, tick)
    if places.beyond and report.redacted + len(begun.refs):
        report.reminders.append(Left("the database", places.beyond))
    if archived and not used:  # else it says that, and which blobs an archive that is away holds
        places.journal.end()


def _is_redacted(store: Store, ref: EntryRef) -> bool:
    entry = entry_at(store, ref)
    return entry is not None and entry.salt is None


def _rewrite(
    places: Places, position: int, blobs: frozenset[str], report: Report, tick: Tick
) -> bool:
    """Rewrite copies that may hold something; whether every archive was."""
    stale, redacted = _stale(places, tick)
    why: dict[str, str] = {}
    least = min((copy.clean for copy in stale), default=0)
    refs = dict.fromkeys(ref for seq, ref in redacted if seq > least)
    entries = [e for ref in refs if (e := entry_at(places.store, ref)) is not None]
    for kind, rewrite in (
        (ARCHIVE, places.rewrite_archives),
        (BACKUP, places.rewrite_backups),
    ):
        if some := [copy for copy in stale if copy.kind == kind]:
            why |= rewrite(some, entries, blobs)
    for copy in stale:
        if copy.place in why:
            forget = f"once it is deleted: lineage redactions forget {copy.place}"
            report.left.append(Left(copy.place, f"{why[copy.place]}; {forget}"))
        else:
            places.copies.cleaned(copy.place, position)
            report.rewritten.append(copy.place)
    return not any(copy.kind == ARCHIVE and copy.place in why for copy in stale)


def _stale(
    places: Places, tick: Tick = lambda _: None
) -> tuple[list[Copy], list[tuple[int, EntryRef]]]:
    """Copies that may hold something that was redacted, and every redaction."""
    known = places.copies.all()
    found = [(r.entry.seq, r.ref) for r in redactions(places.store, tick)] if known else []
    last = max((seq for seq, _ in found), default=0)
    return [copy for copy in known if copy.clean < last], found
