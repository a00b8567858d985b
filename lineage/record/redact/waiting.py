"""Copies of what is redacted that wait outside the store: spools, the backlog, dead letters.

What is recorded already goes from them: to send it again would have no effect. What is not and
speaks of a person stays, without them. What could not be understood cannot be cleared: it goes.
Everything here can be done again at any time, while others put and take.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from lineage.capture.offered import OPENLINEAGE, Offered, read_body
from lineage.capture.openlineage.check import check
from lineage.capture.spool import DAMAGED, REFUSED, Item, Spool
from lineage.errors import InputError
from lineage.model.canonical import canonical
from lineage.model.changes import encode_change, kind_of, parse_change
from lineage.model.claims import EntryRef
from lineage.model.envelope import event_id_of
from lineage.record.dead_letters import DeadLetter, DeadLetters
from lineage.record.redact.stubs import Words, without

__all__ = ["Wanted", "clear_backlog", "clear_letters", "clear_spool"]

_ABANDONED = 3600
"""Seconds after which what is half written was left by a process that died."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: entries by their names, and a person."""

    refs: set[EntryRef] = field(default_factory=set)
    person: str = ""
    words: Words = field(default_factory=lambda: Words(()))

    def holds(self, data: bytes) -> bool:
        """Whether bytes that nobody can take apart speak of the person, or name an entry."""
        text = data.decode("utf-8", "replace")
        return self.words.within(text) or any(
            ref.source in text and json.dumps(ref.event_id) in text for ref in self.refs
        )


def clear_spool(root: Path, wanted: Wanted) -> int:
    """Clear a spool's waiting files and what it set aside. How many items changed or went."""
    spool = Spool(root)
    spool.sweep()
    changed = sum(_clear_file(spool, name, wanted) for name in spool.pending())
    for aside in (REFUSED, DAMAGED):
        for path in (root / aside).glob("*"):
            with suppress(FileNotFoundError):
                if wanted.holds(path.read_bytes()):
                    path.unlink()
                    changed += 1
    return changed


def clear_backlog(root: Path, wanted: Wanted) -> int:
    """Clear the spools of every process that accepts, or did. Raises ``SpoolError``."""
    folders = [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    return sum(clear_spool(folder, wanted) for folder in folders)


def _clear_file(spool: Spool, name: str, wanted: Wanted) -> int:
    changed, left = 0, []
    for item in spool.take(name) or ():
        cleared = _cleared(item, wanted)
        changed += cleared is not item
        if cleared is not None:
            left.append(cleared)
    if changed and left:
        spool.replace(name, left)
    elif changed:
        spool.done(name)
    return changed


def _cleared(item: Item, wanted: Wanted) -> Item | None:
    """The item, the item without the person, or None where it is recorded and redacted."""
    if EntryRef(item.source, item.event_id) in wanted.refs:
        return None
    if not wanted.person:
        return item
    try:
        body = without(item.kind, item.v, item.body, wanted.words, person=wanted.person)
    except InputError:
        return item  # a rule, or a proposal
    return item if body == item.body else replace(item, body=body)


# --- dead letters


def clear_letters(letters: DeadLetters, wanted: Wanted, key: bytes) -> int:
    """Drop letters that hold what is redacted, and what a writer that died left. How many."""
    dropped = 0
    for letter in list(letters.list()):
        text = letter.body.decode("utf-8", "replace")
        if wanted.words.within(text) or wanted.refs.intersection(_refs(letter, key)):
            letters.remove(letter.id)
            dropped += 1
    return dropped + letters.sweep(time.time() - _ABANDONED)


def _refs(letter: DeadLetter, key: bytes) -> Iterator[EntryRef]:
    """What the parts of a letter were recorded as, if they were since."""
    try:
        offered = read_body(letter.body, letter.offered_as, letter.origin)
    except InputError:
        return
    for item in offered:
        with suppress(InputError, LookupError, TypeError, AttributeError):
            yield _ref(item, key)


def _ref(item: Offered, key: bytes) -> EntryRef:
    if item.offered_as == OPENLINEAGE:
        checked = check(item.value)
        value, kind = canonical(item.value), checked.kind
        return EntryRef(
            checked.source, event_id_of(key, checked.source, kind, value, checked.event_at)
        )
    source, event_id = str(item.value["source"]), item.value.get("event_id")
    if isinstance(event_id, str):
        return EntryRef(source, event_id)
    change = parse_change(item.value["change"])
    body = encode_change(change)
    return EntryRef(source, event_id_of(key, source, kind_of(change), body, change.event_at))
