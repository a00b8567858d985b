"""The recorder: what came in becomes entries with claims, appended in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lineage.errors import StoreUnavailableError
from lineage.model.canonical import canonical, parse_json
from lineage.model.changes import Change, encode_change, kind_of
from lineage.model.envelope import Actor, event_id_of
from lineage.record.interpret import interpret_value
from lineage.record.redact.rules import check_redactions
from lineage.store.contract import NewEntry, Receipt, Store

__all__ = ["Incoming", "Recorder"]


@dataclass(frozen=True, slots=True)
class Incoming:
    """Something to record. ``body`` is kept as it is; ``value`` is it parsed, where that was done.

    ``event_id`` is the source's own position where it has one; otherwise the recorder makes one of
    the event time and a keyed hash of the canonical body: the same again changes nothing.
    """

    kind: str
    v: int
    source: str
    body: bytes
    event_at: int
    event_id: str | None = None
    value: Any = None


class Recorder:
    """Appends to a store. Interpretation happens before the transaction begins."""

    def __init__(self, store: Store, *, key: bytes) -> None:
        self.store = store
        self._key = key

    def record(self, incoming: Sequence[Incoming], actor: Actor) -> list[Receipt]:
        """Append all or none, in one transaction; a resent one returns its first seq.

        Raises ``RefusedError`` for a body whose numbers have no exact encoding, ``StoreError``.
        """
        return self.store.append(self.entries(incoming, actor))

    def entries(self, incoming: Sequence[Incoming], actor: Actor) -> list[NewEntry]:
        """What :meth:`record` would append: named and interpreted.

        The store is asked only about redactions, whether its rule allows them; while it is away
        they pass, and are asked about when they are drained. Raises ``RefusedError`` for those that
        are not allowed and for a body whose numbers have no exact encoding.
        """
        entries = [self._entry(item, actor) for item in incoming]
        with suppress(StoreUnavailableError):
            check_redactions(self.store, entries)
        return entries

    def record_changes(
        self,
        changes: Sequence[Change],
        *,
        source: str,
        actor: Actor,
        event_ids: Sequence[str] | None = None,
    ) -> list[Receipt]:
        """Record our own changes of one source."""
        ids: Sequence[str | None] = event_ids or [None] * len(changes)
        incoming = [
            Incoming(kind_of(change), change.v, source, encode_change(change), change.event_at, eid)
            for change, eid in zip(changes, ids, strict=True)
        ]
        return self.record(incoming, actor)

    def _entry(self, item: Incoming, actor: Actor) -> NewEntry:
        value = parse_json(item.body) if item.value is None else item.value
        event_id = item.event_id
        if event_id is None:
            event_id = event_id_of(
                self._key, item.source, item.kind, canonical(value), item.event_at
            )
        claims = interpret_value(item.kind, item.v, value)
        return NewEntry(item.kind, item.v, item.source, event_id, actor, item.body, claims)
