"""States of a subject as text on its node, and values as properties.

``shown`` of a node is JSON: ``[[type, object, source, last, [[since, until, value, method, rf,
rt?], ...]], ...]``, what its states show at every position; there is none while that follows from
``said`` alone. Operations are in ``said`` of the node, as far as they came with it, and of its
``Said`` nodes, one for each later transaction: ``[[seq, dead, source, event_id, [[type, object, at,
n, value, since?, until?, method], ...]], ...]``.
"""

from __future__ import annotations

import json
import re
from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from lineage.model.canonical import FOREVER
from lineage.model.claims import Method, StateType
from lineage.model.fold import Op
from lineage.store.neo4j.states import Key, KeyId, Row, Said, Subject

__all__ = [
    "SHOWN", "add_said", "dump_said", "dump_shown", "load_subject", "pack", "said_in", "searchable",
    "unpack",
]  # fmt: skip

_SURROGATE = re.compile("[\ud800-\udfff]")
_SEARCHED = 200


def pack(text: str) -> str | bytes:
    """Text as a property: lone surrogates have no UTF-8, so such a text becomes bytes."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def unpack(value: str | bytes | None) -> str:
    """Inverse of :func:`pack`; nothing is empty."""
    if value is None:
        return ""
    return value if isinstance(value, str) else bytes(value).decode("utf-8", "surrogatepass")


def searchable(text: str) -> str:
    """What an index may hold of a text: candidates are found by it, and then looked at."""
    return _SURROGATE.sub("\ufffd", text[:_SEARCHED])


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


# --- what shows


def dump_shown(subject: Subject) -> str:
    """What a subject's states show, at every position."""
    return _dumped([
        [
            int(kind), obj, source, key.last if key.shown else None,
            [_row(row) for row in (*key.past, *key.rows)],
        ]
        for (kind, obj, source), key in subject.keys.items()
    ])  # fmt: skip


def _row(row: Row) -> list[Any]:
    plain: list[Any] = [row.since, row.until, row.value, int(row.method), row.rf]
    return plain if row.rt == FOREVER else [*plain, row.rt]


SHOWN = "n.shown, CASE WHEN n.shown IS NULL THEN n.said END"
"""What :func:`load_subject` wants of a node ``n``."""


def load_subject(shown: str | None, said: str | None) -> Subject:
    """The states of a node: what it shows, or what follows from all that was said of it."""
    return _load_shown(shown) if shown is not None or said is None else _replayed(said)


def _replayed(said: str) -> Subject:
    subject = Subject()
    for ident, one in said_in([said]):
        subject.key(ident).add(one)
    return subject


def _load_shown(text: str | None) -> Subject:
    """Inverse of :func:`dump_shown`: operations are not known yet."""
    subject = Subject(complete=False)
    for kind, obj, source, last, rows in json.loads(text or "[]"):
        key = Key(StateType(kind), None, -FOREVER if last is None else last)
        for since, until, value, method, rf, *rt in rows:
            row = Row(since, until, value, Method(method), rf, *rt)
            if row.rt == FOREVER:
                insort(key.rows, row, key=lambda r: r.since)
            else:
                key.past.append(row)
        subject.keys[StateType(kind), obj, source] = key
    return subject


# --- what was said


def dump_said(said: Iterable[tuple[KeyId, Said]]) -> str:
    """Operations with what entries they are of."""
    entries: dict[tuple[int, int | None, str, str], list[Any]] = {}
    for (kind, obj, _), one in said:
        op = one.op
        dead = None if one.dead == FOREVER else one.dead
        of_entry = entries.setdefault((one.seq, dead, op.source, op.event_id), [])
        since = None if op.since == op.at else op.since
        until = None if op.until == FOREVER else op.until
        of_entry.append([int(kind), obj, op.at, op.n, op.value, since, until, int(op.method)])
    return _dumped([[*entry, ops] for entry, ops in entries.items()])


def said_in(texts: Iterable[str | None]) -> Iterator[tuple[KeyId, Said]]:
    """Inverse of :func:`dump_said`, of several texts."""
    for text in texts:
        for seq, dead, source, event_id, ops in json.loads(text or "[]"):
            for kind, obj, at, n, value, since, until, method in ops:
                op = Op(
                    at, source, event_id, n, value, at if since is None else since,
                    FOREVER if until is None else until, Method(method),
                )  # fmt: skip
                of = source if kind == StateType.ATTRIBUTE else ""
                yield (StateType(kind), obj, of), Said(op, seq, FOREVER if dead is None else dead)


def add_said(subject: Subject, said: Iterable[tuple[KeyId, Said]]) -> None:
    """Make the operations of a subject known: these are all."""
    by_key: dict[KeyId, list[Said]] = defaultdict(list)
    for ident, one in said:
        by_key[ident].append(one)
    for ident in subject.keys.keys() | by_key.keys():
        subject.key(ident).said = sorted(by_key[ident], key=lambda s: s.op)
    subject.complete = True
