"""States while entries are appended: operations, and the intervals that they show."""

from __future__ import annotations

from collections.abc import Iterable

import apsw

from lineage.model.canonical import FOREVER
from lineage.model.claims import Method, StateType
from lineage.model.fold import Interval, Op, fold
from lineage.store.sqlite.connection import query, rows_of
from lineage.store.sqlite.texts import pack_text, unpack_event_id, unpack_text

__all__ = ["Key", "States"]

Key = tuple[int, int, int, int]
"""(subject, type, object, source), interned; the source is 0 but for attributes."""

_KEY = "subj = ? AND type = ? AND obj = ? AND src = ?"
_ADD = "INSERT INTO st_op VALUES(?,?,?,?,?,?,?,?,?,?,?,NULL)"
_OPS = f"""SELECT o.at, s.text, e.event_id, o.n, o.value, o.vf, o.vt, o.method
FROM st_op o CROSS JOIN entry e ON e.seq = o.seq CROSS JOIN word s ON s.id = e.source
WHERE {_KEY} AND o.seq <= ? AND (o.dead IS NULL OR o.dead > ?)"""
_OPEN = f"SELECT vf, vt, method, value, rf FROM st WHERE {_KEY} AND rt IS NULL"
_DROP = f"DELETE FROM st WHERE {_KEY} AND vf = ? AND rf = ?"
_CLOSE = f"UPDATE st SET rt = ? WHERE {_KEY} AND vf = ? AND rf = ?"
_SHOW = "INSERT INTO st VALUES(?,?,?,?,?,?,?,NULL,?,?)"


class States:
    """Keeps ``st`` equal to the fold of ``st_op`` at every position."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def add(self, key: Key, seq: int, n: int, op: Op) -> None:
        """Write one operation of entry ``seq``; the key is to be refolded after it."""
        since = None if op.since == op.at else op.since
        until = None if op.until == FOREVER else op.until
        row = (*key, op.at, seq, n, pack_text(op.value), since, until, int(op.method))
        self._connection.execute(_ADD, row)

    def kill(self, key: Key, target: int, seq: int) -> None:
        """Entry ``target`` is retracted from ``seq`` on."""
        sql = f"UPDATE st_op SET dead = ? WHERE {_KEY} AND seq = ? AND dead IS NULL"
        self._connection.execute(sql, (seq, *key, target))

    def erase(self, key: Key, target: int) -> None:
        """Drop the operations of entry ``target``."""
        self._connection.execute(f"DELETE FROM st_op WHERE {_KEY} AND seq = ?", (*key, target))

    def shown(self, key: Key) -> bool:
        """Whether the key has any operation that is not retracted."""
        sql = f"SELECT 1 FROM st_op WHERE {_KEY} AND dead IS NULL LIMIT 1"
        return bool(rows_of(self._connection, sql, key))

    def operations(self, key: Key, seq: int) -> list[Op]:
        """Operations visible at ``seq``, in the order of the fold."""
        return sorted(
            Op(
                at, unpack_text(source), unpack_event_id(event_id), n, unpack_text(value),
                at if since is None else since, FOREVER if until is None else until,
                Method(method),
            )
            for at, source, event_id, n, value, since, until, method in query(
                self._connection, _OPS, (*key, seq, seq)
            )
        )  # fmt: skip

    def refold(self, key: Key, seq: int) -> None:
        """Bring the intervals of a key to what it shows at ``seq``, the latest of its positions."""
        wanted = fold(StateType(key[1]), self.operations(key, seq))
        self._replace(key, seq, rows_of(self._connection, _OPEN, key), wanted)

    def _replace(
        self, key: Key, seq: int, had: Iterable[tuple[object, ...]], wanted: Iterable[Interval]
    ) -> None:
        rows = {(i.since, _open(i.until), int(i.method), pack_text(i.value)) for i in wanted}
        kept = set()
        for vf, vt, method, value, rf in had:
            row = (vf, vt, method, value)
            if row in rows:
                kept.add(row)
            elif rf == seq:
                self._connection.execute(_DROP, (*key, vf, rf))
            else:
                self._connection.execute(_CLOSE, (seq, *key, vf, rf))
        for vf, vt, method, value in rows - kept:
            self._connection.execute(_SHOW, (*key, vf, seq, vt, method, value))

    def rewrite(self, key: Key) -> None:
        """Fold the key again at every position: an operation of the past was erased."""
        self._connection.execute(f"DELETE FROM st WHERE {_KEY}", key)
        sql = f"""SELECT seq FROM st_op WHERE {_KEY}
            UNION SELECT dead FROM st_op WHERE {_KEY} AND dead IS NOT NULL ORDER BY 1"""
        for (seq,) in rows_of(self._connection, sql, (*key, *key)):
            self.refold(key, seq)


def _open(until: int) -> int | None:
    return None if until == FOREVER else until
