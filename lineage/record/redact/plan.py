"""What a redaction would do: which entries, what stays of each, which blobs only they name.

A person is looked for by what identifies them in every body, and by everything else only where it
is said of them.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from lineage.errors import InputError, UnknownNameError
from lineage.model.claims import EntryRef
from lineage.record.redact.contents import Contents
from lineage.record.redact.names import names_of
from lineage.record.redact.people import Tick, quick, words_of
from lineage.record.redact.stubs import Words, only_names, stub_of, without
from lineage.store.blobs import BlobStore
from lineage.store.contract import Store, StoredEntry

__all__ = ["Plan", "Target", "plan_entries", "plan_person"]


@dataclass(frozen=True, slots=True)
class Target:
    """An entry to be redacted, and its stub. ``new`` is False where it says that already."""

    seq: int
    ref: EntryRef
    kind: str
    stub: bytes
    new: bool


@dataclass(slots=True)
class Plan:
    """All of one redaction. ``position`` is the last entry that was looked at."""

    position: int
    targets: list[Target] = field(default_factory=list)
    blobs: set[str] = field(default_factory=set)
    """Digests of contents that only entries to be redacted name."""
    person: str = ""
    words: Words = field(default_factory=lambda: Words(()))
    in_names: int = 0
    """Entries that hold words of the person in names, which stay."""

    @property
    def new(self) -> list[Target]:
        """Those that nobody has redacted so yet."""
        return [target for target in self.targets if target.new]

    @property
    def refs(self) -> set[EntryRef]:
        """What names the targets."""
        return {target.ref for target in self.targets}


def _quiet(_: int) -> None:
    """Nobody watches."""


def plan_entries(store: Store, blobs: BlobStore, seqs: Sequence[int], tick: Tick = _quiet) -> Plan:
    """The entries at these positions, with nothing left of them but names.

    Raises ``UnknownNameError`` for a position where there is none, ``RefusedError``
    (``not-redactable``).
    """
    plan, contents = Plan(store.head().seq), Contents(blobs)
    for seq in dict.fromkeys(seqs):
        entry = next(store.entries(seq - 1, 1), None) if seq > 0 else None
        if entry is None or entry.seq != seq:
            raise UnknownNameError(
                f"no entry {seq}", hint="`lineage ledger list` shows them, and where it ends"
            )
        _add(plan, entry, stub_of(entry.kind, entry.v, entry.body), contents)
    plan.blobs = _nobody_elses(store, plan, contents, tick)
    return plan


def plan_person(
    store: Store,
    blobs: BlobStore,
    person: str,
    *,
    after: int = 0,
    words: Words | None = None,
    tick: Tick = _quiet,
) -> Plan:
    """Every entry after a position that says anything of a person beyond their opaque id.

    A blob that has a word of them cannot be cleared, so it goes, and references to it with it.
    ``words`` that identify them are looked for in the ledger where they are not given.
    """
    if words is None:
        words = words_of(store, person, tick)
    plan, contents = Plan(store.head().seq, person=person, words=words), Contents(blobs)
    telling = contents.telling(words)
    mentioned, may_hold = person.encode(), quick(words)
    for entry in store.entries(after):
        if entry.seq > plan.position:
            break
        tick(entry.seq)
        refers = telling and b'"sha256"' in entry.body
        if not (refers or mentioned in entry.body or may_hold(entry.body)):
            continue
        stub = _without(entry, plan, telling)
        if stub != entry.body:
            _add(plan, entry, stub, contents)
        plan.in_names += words.within(stub.decode("utf-8", "replace"))
    plan.blobs = telling | _nobody_elses(store, plan, contents, tick)
    return plan


def _without(entry: StoredEntry, plan: Plan, telling: Container[str]) -> bytes:
    try:
        names_of(entry.kind)
    except InputError:
        return entry.body  # of a proposal or a rule: its reason stays
    kind, v, body = entry.kind, entry.v, entry.body
    return without(kind, v, body, plan.words, person=plan.person, blobs=telling)


def _add(plan: Plan, entry: StoredEntry, stub: bytes, contents: Contents) -> None:
    ref = EntryRef(entry.source, entry.event_id)
    new = entry.salt is not None or entry.body != stub
    plan.targets.append(Target(entry.seq, ref, entry.kind, stub, new))
    plan.blobs |= contents.there(contents.meant(entry.body, redacted=False))


def _nobody_elses(store: Store, plan: Plan, contents: Contents, tick: Tick) -> set[str]:
    """Blobs are shared: those that another entry means, or a stub refers to, stay."""
    left = set(plan.blobs)
    stubs = {target.seq: target.stub for target in plan.targets}
    for entry in store.entries() if left else ():
        tick(entry.seq)
        body, whole = stubs.get(entry.seq), False
        if body is None:
            body, whole = entry.body, entry.salt is not None
        # The stub in a redaction says what its target does.
        redacted = entry.kind == "entry.redacted" or (
            not whole and only_names(entry.kind, entry.v, body)
        )
        left -= contents.meant(body, redacted=redacted)
        if not left:
            break
    return left
