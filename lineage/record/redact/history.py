"""Redactions that are in the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lineage.model.changes import EntryRedacted
from lineage.model.claims import EntryRef
from lineage.store.contract import Store, StoredEntry

__all__ = ["Redaction", "redactions"]


@dataclass(frozen=True, slots=True)
class Redaction:
    """A redaction as recorded: its place, and what it says."""

    entry: StoredEntry
    change: EntryRedacted

    @property
    def ref(self) -> EntryRef:
        """What was redacted by it."""
        return EntryRef(self.change.source, self.change.event_id)


def redactions(store: Store, tick: Callable[[int], None] = lambda _: None) -> Iterator[Redaction]:
    """Every redaction, in order."""
    for entry in store.entries():
        tick(entry.seq)
        if entry.kind == "entry.redacted":
            yield Redaction(entry, EntryRedacted.model_validate_json(entry.body))
