"""An interpreter without meaning of its own: a body lists its claims as JSON.

Backends are tested with it, so that their suites do not depend on how real changes are read. A body
may carry a ``note`` that means nothing: what a redaction takes out.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

from lineage.model.canonical import canonical, parse_json
from lineage.model.claims import (
    Claims,
    EdgeType,
    EntryRef,
    Method,
    Occurrence,
    Redaction,
    StateOp,
    StateType,
    TableCommit,
)
from lineage.model.envelope import Actor
from lineage.store.contract import NewEntry, StoredEntry

__all__ = ["ACTOR", "again", "body_of", "entry_of", "interpret"]

ACTOR = Actor("person:tester", "test")
KIND = "plain.claims"


def body_of(claims: Claims, note: str = "") -> bytes:
    """The body that says these claims."""
    plain: dict[str, Any] = {
        "occurrences": [dataclasses.astuple(claim) for claim in claims.occurrences],
        "states": [dataclasses.astuple(claim) for claim in claims.states],
        "commits": [dataclasses.astuple(commit) for commit in claims.commits],
        "mentions": claims.mentions,
        "retracts": [(ref.source, ref.event_id) for ref in claims.retracts],
        "redacts": [
            (item.target.source, item.target.event_id, item.stub.decode())
            for item in claims.redacts
        ],
        "note": note,
    }
    return canonical({name: value for name, value in plain.items() if value})


def interpret(kind: str, v: int, body: bytes) -> Claims:
    """The claims that a body lists. Another kind says nothing, like one we do not know."""
    if kind != KIND or v != 1:
        return Claims()
    plain = parse_json(body)
    return Claims(
        tuple(_occurrence(*values) for values in plain.get("occurrences", ())),
        tuple(_state(*values) for values in plain.get("states", ())),
        tuple(_commit(*values) for values in plain.get("commits", ())),
        tuple(plain.get("mentions", ())),
        tuple(EntryRef(*values) for values in plain.get("retracts", ())),
        tuple(
            Redaction(EntryRef(source, event_id), stub.encode())
            for source, event_id, stub in plain.get("redacts", ())
        ),
    )


def _occurrence(kind: int, up: str, down: str, at: int, method: int, *said: str) -> Occurrence:
    return Occurrence(EdgeType(kind), up, down, at, Method(method), *said)


def _state(*values: Any) -> StateOp:
    subject, kind, obj, value, at, method, since, until = values
    return StateOp(subject, StateType(kind), obj, value, at, Method(method), since, until)


def _commit(*values: Any) -> TableCommit:
    table, version, number, log, at, added, removed, *flags = values
    return TableCommit(table, version, number, log, at, tuple(added), tuple(removed), *flags)


def entry_of(
    claims: Claims, *, source: str = "test", event_id: str | None = None, note: str = ""
) -> NewEntry:
    """A new entry that says these claims. Its event id follows from what it says."""
    body = body_of(claims, note)
    if event_id is None:
        told = source.encode("utf-8", "surrogatepass") + b"\0" + body
        event_id = hashlib.sha256(told).hexdigest()
    return NewEntry(KIND, 1, source, event_id, ACTOR, body, claims)


def again(entry: StoredEntry) -> NewEntry:
    """A stored entry as rebuilding appends it to an empty store."""
    return NewEntry(
        entry.kind, entry.v, entry.source, entry.event_id, entry.actor, entry.body,
        interpret(entry.kind, entry.v, entry.body),
        entry.recorded_at, entry.salt, entry.commitment,
    )  # fmt: skip
