"""States while entries are appended: operations, and the intervals that they show.

The definition is :func:`lineage.model.fold.fold` over all operations of a key. Three ways lead to
the same intervals: an operation later than all others only changes the tail; a late one of a type
that shows the last value paints what no later one covers; anything else folds the key again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import apsw

from lineage.model.canonical import FOREVER
from lineage.model.claims import Method, StateType
from lineage.model.fold import LAST_VALUE_TYPES, Op, Shown, advance, fold
from lineage.store.sqlite.connection import Row, query, rows_of
from lineage.store.sqlite.rows import Rows
from lineage.store.sqlite.texts import pack_text, unpack_event_id, unpack_text

__all__ = ["Key", "States"]

Key = tuple[int, int, int, int]
"""(subject, type, object, source), interned; the source is 0 but for attributes."""
Span = tuple[int, int]

_CACHED = 100_000
_KEY = "subj = ? AND type = ? AND obj = ? AND src = ?"
_ADD = "INSERT INTO st_op VALUES(?,?,?,?,?,?,?,?,?,?,?,NULL)"
_SHOW = "INSERT INTO st VALUES(?,?,?,?,?,?,?,NULL,?,?)"
_CLOSE = f"UPDATE st SET rt = ? WHERE {_KEY} AND vf = ? AND rf = ?"
_DROP = f"DELETE FROM st WHERE {_KEY} AND vf = ? AND rf = ?"
_OPEN = f"SELECT vf, vt, method, value, rf FROM st WHERE {_KEY} AND rt IS NULL"
_OPS = f"""SELECT o.at, s.text, e.event_id, o.n, o.value, o.vf, o.vt, o.method
FROM st_op o CROSS JOIN entry e ON e.seq = o.seq CROSS JOIN word s ON s.id = e.source
WHERE {_KEY} AND o.seq <= ? AND (o.dead IS NULL OR o.dead > ?)"""
_LAST_OP = f"SELECT at FROM st_op WHERE {_KEY} AND dead IS NULL ORDER BY at DESC LIMIT 1"
_LAST_SHOWN = f"{_OPEN} ORDER BY vf DESC LIMIT 1"
_NEXT_REGULAR = f"""SELECT at FROM st_op WHERE {_KEY} AND at > ? AND dead IS NULL
AND vf IS NULL AND vt IS NULL ORDER BY at LIMIT 1"""
_LATER_IRREGULAR = f"""SELECT coalesce(vf, at), coalesce(vt, {FOREVER}) FROM st_op
WHERE {_KEY} AND at > ? AND dead IS NULL AND (vf IS NOT NULL OR vt IS NOT NULL)"""


@dataclass(slots=True)
class Tail:
    """The end of a key: its last operation, and what shows from ``since`` on without end."""

    at: int
    since: int
    shown: Shown
    rf: int
    """The entry from which on the tail's row is visible."""


_NOTHING = Tail(-FOREVER, -FOREVER, None, 0)


class States:
    """Keeps ``st`` equal to the fold of ``st_op`` at every position."""

    def __init__(self, connection: apsw.Connection, rows: Rows) -> None:
        self._connection = connection
        self._rows = rows
        self._tails: dict[Key, Tail] = {}
        self._stale: dict[Key, None] = {}

    def clear(self) -> None:
        """Forget everything: rolled back, or another process wrote."""
        self._tails.clear()
        self._stale.clear()

    def begin(self) -> None:
        """A transaction begins."""
        self._stale.clear()
        if len(self._tails) > _CACHED:
            self._tails.clear()

    def add(self, key: Key, seq: int, n: int, op: Op, *, fresh: bool) -> bool:
        """Write one operation of entry ``seq``; whether the key had none that is visible.

        ``fresh``: the subject is new in this transaction. The key is up to date after ``settle``.
        """
        tail = self._tails.get(key)
        if tail is None and key not in self._stale:
            tail = _NOTHING if fresh else self._load(key)
        first = not self.shown(key) if tail is None else tail.at == -FOREVER
        since = None if op.since == op.at else op.since
        until = None if op.until == FOREVER else op.until
        value = pack_text(op.value)
        self._rows.add(_ADD, (*key, op.at, seq, n, value, since, until, int(op.method)))
        if tail is not None and not self._extend(key, seq, op, tail):
            self._tails.pop(key, None)
            if StateType(key[1]) in LAST_VALUE_TYPES:
                self._paint(key, seq, op)
                self._tails[key] = self._load(key)
            else:
                self._stale[key] = None
        return first

    def settle(self, seq: int) -> None:
        """Fold again what could not be followed step by step."""
        if self._stale:
            self._rows.flush()
            for key in self._stale:
                self.refold(key, seq)
                self._tails[key] = self._load(key)
            self._stale.clear()

    # --- the end of a key

    def _load(self, key: Key) -> Tail:
        self._rows.flush()
        ops = rows_of(self._connection, _LAST_OP, key)
        if not ops:
            return _NOTHING
        for vf, vt, method, value, rf in query(self._connection, _LAST_SHOWN, key):
            if vt is not None:
                return Tail(ops[0][0], vt, None, 0)
            return Tail(ops[0][0], vf, (unpack_text(value), Method(method)), rf)
        return Tail(ops[0][0], -FOREVER, None, 0)

    def _extend(self, key: Key, seq: int, op: Op, tail: Tail) -> bool:
        """Follow an operation that is later than all others; False: it is not, or not enough."""
        if op.since != op.at or op.until != FOREVER or op.at <= tail.at or op.at <= tail.since:
            return False
        known, shown = advance(StateType(key[1]), tail.shown, op)
        if not known or tail.rf == seq:
            return False
        if shown == tail.shown:
            self._tails[key] = Tail(op.at, tail.since, shown, tail.rf)
            return True
        if tail.shown is not None:
            value, method = tail.shown
            self._rows.change(_CLOSE, (seq, *key, tail.since, tail.rf))
            row = (*key, tail.since, seq, op.at, int(method), pack_text(value))
            self._rows.add(_SHOW, row)
        if shown is not None:
            self._show(key, seq, (op.at, None, int(shown[1]), pack_text(shown[0])))
        self._tails[key] = Tail(op.at, op.at, shown, seq)
        return True

    # --- in the middle of a key

    def _paint(self, key: Key, seq: int, op: Op) -> None:
        """Paint a late operation where none that is later in the fold covers it."""
        self._rows.flush()
        until = op.until
        # Those of the same instant are ordered by source and event id: looked at one by one.
        same = [o for o in self.operations(key, seq, at=op.at) if o > op]
        for (at,) in query(self._connection, _NEXT_REGULAR, (*key, op.at)):
            until = min(until, at)
        covers = [(o.since, o.until) for o in same]
        covers += rows_of(self._connection, _LATER_IRREGULAR, (*key, op.at))
        _, shown = advance(StateType(key[1]), None, op)
        for span in _without((op.since, until), covers):
            self._overwrite(key, seq, span, shown)

    def _overwrite(self, key: Key, seq: int, span: Span, shown: Shown) -> None:
        """Show a value over a span, joined with neighbours that show the same."""
        since, until = span
        self._rows.flush()
        had = rows_of(
            self._connection,
            f"""SELECT * FROM ({_OPEN} AND vf < ? ORDER BY vf DESC LIMIT 1)
            UNION ALL SELECT * FROM ({_OPEN} AND vf >= ? AND vf <= ?)""",
            (*key, since, *key, since, until),
        )
        want: list[Row] = []
        start, end = since, until
        touched: list[Row] = []
        for row in had:
            vf, vt, method, value, _ = row
            stop = FOREVER if vt is None else vt
            if stop < since:
                continue
            touched.append(row)
            if shown is not None and (unpack_text(value), method) == shown:
                start, end = min(start, vf), max(end, stop)
                continue
            if vf < since:
                want.append((vf, since, method, value))
            if stop > until:
                want.append((until, vt, method, value))
        if shown is not None:
            want.append((start, _open(end), int(shown[1]), pack_text(shown[0])))
        self._replace(key, seq, touched, want)

    # --- the whole key

    def operations(self, key: Key, seq: int, *, at: int | None = None) -> list[Op]:
        """Operations visible at ``seq`` (those of one instant only), in the order of the fold."""
        sql, bound = (_OPS, ()) if at is None else (f"{_OPS} AND o.at = ?", (at,))
        return sorted(
            Op(
                at, unpack_text(source), unpack_event_id(event_id), n, unpack_text(value),
                at if since is None else since, FOREVER if until is None else until,
                Method(method),
            )
            for at, source, event_id, n, value, since, until, method in query(
                self._connection, sql, (*key, seq, seq, *bound)
            )
        )  # fmt: skip

    def refold(self, key: Key, seq: int) -> None:
        """Bring the intervals of a key to what it shows at ``seq``, the latest of its positions."""
        self._tails.pop(key, None)
        wanted = fold(StateType(key[1]), self.operations(key, seq))
        rows = [(i.since, _open(i.until), int(i.method), pack_text(i.value)) for i in wanted]
        self._replace(key, seq, rows_of(self._connection, _OPEN, key), rows)

    def _replace(self, key: Key, seq: int, had: Iterable[Row], wanted: Iterable[Row]) -> None:
        rows = set(wanted)
        kept = set()
        for vf, vt, method, value, rf in had:
            row = (vf, vt, method, value)
            if row in rows:
                kept.add(row)
            elif rf == seq:
                self._connection.execute(_DROP, (*key, vf, rf))
            else:
                self._connection.execute(_CLOSE, (seq, *key, vf, rf))
        for row in rows - kept:
            self._show(key, seq, row)

    def _show(self, key: Key, seq: int, row: Row) -> None:
        vf, vt, method, value = row
        self._rows.add(_SHOW, (*key, vf, seq, vt, method, value))

    # --- reaching back

    def shown(self, key: Key) -> bool:
        """Whether the key has any operation that is not retracted."""
        self._rows.flush()
        return bool(rows_of(self._connection, _LAST_OP, key))

    def kill(self, key: Key, target: int, seq: int) -> None:
        """Entry ``target`` is retracted from ``seq`` on."""
        self._rows.flush()
        sql = f"UPDATE st_op SET dead = ? WHERE {_KEY} AND seq = ? AND dead IS NULL"
        self._connection.execute(sql, (seq, *key, target))
        self._tails.pop(key, None)
        self._stale[key] = None

    def erase(self, key: Key, target: int) -> None:
        """Drop the operations of entry ``target``."""
        self._rows.flush()
        self._connection.execute(f"DELETE FROM st_op WHERE {_KEY} AND seq = ?", (*key, target))
        self._tails.pop(key, None)
        self._stale[key] = None

    def rewrite(self, key: Key) -> None:
        """Fold the key again at every position: an operation of the past was erased."""
        self._rows.flush()
        self._connection.execute(f"DELETE FROM st WHERE {_KEY}", key)
        sql = f"""SELECT seq FROM st_op WHERE {_KEY}
            UNION SELECT dead FROM st_op WHERE {_KEY} AND dead IS NOT NULL ORDER BY 1"""
        for (seq,) in rows_of(self._connection, sql, (*key, *key)):
            self.refold(key, seq)
            self._rows.flush()
        self._stale.pop(key, None)
        self._tails[key] = self._load(key)


def _open(until: int) -> int | None:
    return None if until == FOREVER else until


def _without(span: Span, covers: Iterable[Span]) -> list[Span]:
    """What of a span is not covered."""
    left = [span] if span[0] < span[1] else []
    for since, until in covers:
        if since >= until:
            continue
        left = [
            piece
            for start, end in left
            for piece in ((start, min(end, since)), (max(start, until), end))
            if piece[0] < piece[1]
        ]
    return left
