"""Keys of a ledger: every one is an entry of it, so that checkpoints name who may sign them.

Entries of source ``lineage:seal`` with the event ids ``key-1``, ``key-2``, ...: found without an
index, and of two processes that add one at once only one does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lineage.errors import InputError
from lineage.model.canonical import parse_json
from lineage.model.changes import SealKeyAdded
from lineage.model.envelope import Actor
from lineage.model.keys import PublicKey
from lineage.record.recorder import Recorder
from lineage.store.contract import Store

__all__ = ["SOURCE", "LedgerKey", "add_key", "ledger_keys"]

SOURCE = "lineage:seal"


@dataclass(frozen=True, slots=True)
class LedgerKey:
    """A key that checkpoints of this ledger are signed by from entry ``seq`` on."""

    number: int
    seq: int
    recorded_at: int
    public: PublicKey
    replaces: str
    reason: str


def ledger_keys(store: Store) -> list[LedgerKey]:
    """Every key that the ledger names, the first one first."""
    return list(_keys(store))


def _keys(store: Store) -> Iterator[LedgerKey]:
    number = 1
    while (seq := store.find(SOURCE, f"key-{number}")) is not None:
        entry = next(store.entries(seq - 1, 1))
        try:
            change = SealKeyAdded.model_validate(parse_json(entry.body))
            public = PublicKey.of_text(change.key)
        except (InputError, ValueError):  # a stub: the entry was redacted
            pass
        else:
            yield LedgerKey(number, seq, entry.recorded_at, public, change.replaces, change.reason)
        number += 1


def add_key(
    recorder: Recorder, actor: Actor, key: PublicKey, *, now: int, reason: str = ""
) -> LedgerKey:
    """Record a key, once: the same again changes nothing."""
    while True:
        known = ledger_keys(recorder.store)
        for had in known:
            if had.public == key:
                return had
        replaces = known[-1].public.text() if known else ""
        number = 1
        while recorder.store.find(SOURCE, f"key-{number}") is not None:
            number += 1
        change = SealKeyAdded(key=key.text(), replaces=replaces, reason=reason, event_at=now)
        # Another process may have come first: then its key has this number, and ours the next.
        recorder.record_changes([change], source=SOURCE, actor=actor, event_ids=[f"key-{number}"])
