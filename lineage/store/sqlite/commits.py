"""Logs of tables while entries are appended: what commits say, and which files live when.

As long as a log is told the same way by everybody, its commits are applied in the order of their
numbers, each once, as soon as all before it are there: then it is known for good which commits
what is read at a version comes from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import apsw

from lineage.model.canonical import FOREVER
from lineage.model.claims import TableCommit
from lineage.store.sqlite.connection import Row, query, rows_of
from lineage.store.sqlite.names import Names
from lineage.store.sqlite.texts import pack_text

__all__ = ["Commits"]

_CACHED = 10_000
_ADD = "INSERT INTO tcommit VALUES(?,?,?,?,?,?,?,?,NULL)"
_CHANGE = "INSERT INTO tchange VALUES(?,?,?,?,?,?)"
_TOLD = "SELECT at, known, carries FROM tcommit WHERE tlog = ? AND number = ? AND rt IS NULL"
_FILES = "SELECT DISTINCT file FROM tchange WHERE tlog = ? AND number = ? AND gone = ?"
_VERSION = "INSERT INTO tversion VALUES(?,?,?,?,?,?,?,?,NULL,NULL)"
_STATE = """SELECT l.id, l.regular, coalesce(v.number + 1, 0), coalesce(v.ready_rf, 0),
  coalesce(v.ready_at, ?) FROM tlog l LEFT JOIN tversion v ON v.tlog = l.id AND v.number = (
    SELECT max(number) FROM tversion WHERE tlog = l.id AND ready_rf IS NOT NULL)
WHERE l.tbl = ? AND l.log = ?"""
_NEXT = "SELECT rf, at FROM tversion WHERE tlog = ? AND number = ?"
_READY = "UPDATE tversion SET ready_rf = ?, ready_at = ? WHERE tlog = ? AND number = ?"
_ADDERS = """SELECT DISTINCT number FROM tchange
WHERE tlog = ? AND file = ? AND gone = 0 AND number < ?"""
_LIVE = """INSERT INTO life VALUES(?,?,?,?,1)
ON CONFLICT(tlog, dead, born, adder) DO UPDATE SET files = files + 1"""
_DIE = """UPDATE life SET files = files - 1
WHERE tlog = ? AND dead = ? AND born = ? AND adder = ?"""
_DEAD = "DELETE FROM life WHERE tlog = ? AND dead = ? AND born = ? AND adder = ? AND files = 0"


@dataclass(slots=True)
class _Log:
    """A log: how many commits from 0 on are applied, and from which position and time on."""

    number: int
    regular: bool
    complete: int
    ready_rf: int
    ready_at: int


class Commits:
    """Writes what commits say, and keeps ``tversion`` and ``life`` of regular logs."""

    def __init__(self, connection: apsw.Connection, names: Names) -> None:
        self._connection = connection
        self._names = names
        self._logs: dict[tuple[str, str], _Log] = {}

    def begin(self) -> None:
        """A transaction begins."""
        if len(self._logs) > _CACHED:
            self._logs.clear()

    def clear(self) -> None:
        """Forget everything: rolled back, or another process wrote."""
        self._logs.clear()

    def _log(self, commit: TableCommit) -> _Log:
        key = (commit.table, commit.log)
        log = self._logs.get(key)
        if log is None:
            packed = (pack_text(commit.table), pack_text(commit.log))
            for number, regular, complete, rf, at in query(
                self._connection, _STATE, (-FOREVER, *packed)
            ):
                log = _Log(number, bool(regular), complete, rf, at)
            if log is None:
                self._connection.execute("INSERT INTO tlog(tbl, log) VALUES(?,?)", packed)
                log = _Log(self._connection.last_insert_rowid(), True, 0, 0, -FOREVER)
            self._logs[key] = log
        return log

    def _file(self, log: _Log, path: str) -> int:
        key = (log.number, pack_text(path))
        sql = "SELECT id FROM tfile WHERE tlog = ? AND path = ?"
        for (number,) in query(self._connection, sql, key):
            return int(number)
        self._connection.execute("INSERT INTO tfile(tlog, path) VALUES(?,?)", key)
        return self._connection.last_insert_rowid()

    def add(self, commit: TableCommit, seq: int, n: int) -> None:
        """Write commit ``n`` of entry ``seq``."""
        log = self._log(commit)
        number, version = commit.number, self._names.node(commit.version)
        added = {self._file(log, path) for path in commit.added}
        removed = {self._file(log, path) for path in commit.removed}
        if log.regular:
            self._follow(log, commit, seq, version, added, removed)
        row = (log.number, number, seq, n, version, commit.at, commit.files_known, commit.carries)
        self._connection.execute(_ADD, row)
        changes = [(0, file) for file in added] + [(1, file) for file in removed]
        rows = [(log.number, number, gone, file, seq, n) for gone, file in changes]
        self._connection.executemany(_CHANGE, rows)
        if log.regular and number == log.complete:
            self._advance(log)

    # --- regular logs

    def _follow(
        self, log: _Log, commit: TableCommit, seq: int, version: int,
        added: set[int], removed: set[int],
    ) -> None:  # fmt: skip
        """The log stays regular if what is told first, once its files are known, stays true."""
        told = rows_of(self._connection, _TOLD, (log.number, commit.number))
        known = [row for row in told if row[1]]
        if not commit.files_known:
            same = not known or _adds_nothing((commit.at, 0, commit.carries), known[0])
            if not same or added or removed:
                self._irregular(log)
        elif known:
            had = (log.number, commit.number)
            subset = self._files(*had, gone=0) >= added and self._files(*had, gone=1) >= removed
            if not subset or not _adds_nothing((commit.at, 1, commit.carries), known[0]):
                self._irregular(log)
        else:
            claim = (commit.at, 1, commit.carries)
            if not all(_adds_nothing(other, claim) for other in told):
                self._irregular(log)
                return
            rewrites = commit.carries and bool(removed)
            row = (log.number, commit.number, version, commit.at, seq, commit.carries, bool(added))
            self._connection.execute(_VERSION, (*row, rewrites))

    def _files(self, log: int, number: int, *, gone: int) -> set[int]:
        return {row[0] for row in query(self._connection, _FILES, (log, number, gone))}

    def _irregular(self, log: _Log) -> None:
        log.regular = False
        self._connection.execute("UPDATE tlog SET regular = 0 WHERE id = ?", (log.number,))

    def _advance(self, log: _Log) -> None:
        """Apply every commit that all before it are applied of."""
        while found := rows_of(self._connection, _NEXT, (log.number, log.complete)):
            number, (rf, at) = log.complete, found[0]
            log.ready_rf, log.ready_at = max(log.ready_rf, rf), max(log.ready_at, at)
            row = (log.ready_rf, log.ready_at, log.number, number)
            self._connection.execute(_READY, row)
            for file in self._files(log.number, number, gone=1):
                self._remove(log.number, number, file)
            for file in self._files(log.number, number, gone=0):
                self._revive(log.number, number, file)
            log.complete += 1

    def _since(self, file: int) -> int | None:
        sql = "SELECT since FROM tfile WHERE id = ?"
        ((since,),) = query(self._connection, sql, (file,))
        return since if isinstance(since, int) else None

    def _set_since(self, file: int, since: int | None) -> None:
        self._connection.execute("UPDATE tfile SET since = ? WHERE id = ?", (since, file))

    def _adders(self, log: int, number: int, file: int) -> Iterable[int]:
        return [row[0] for row in query(self._connection, _ADDERS, (log, file, number))]

    def _remove(self, log: int, number: int, file: int) -> None:
        since = self._since(file)
        if since is None:
            return
        for adder in self._adders(log, number, file):
            born = max(adder, since)
            self._connection.execute(_DIE, (log, FOREVER, born, adder))
            self._connection.execute(_DEAD, (log, FOREVER, born, adder))
            self._connection.execute(_LIVE, (log, number, born, adder))
        self._set_since(file, None)

    def _revive(self, log: int, number: int, file: int) -> None:
        """Add a file: one that was there before comes from its earlier adders as well."""
        rows: list[Row] = [(log, FOREVER, number, number)]
        if self._since(file) is None:
            earlier = self._adders(log, number, file)
            rows += [(log, FOREVER, number, adder) for adder in earlier]
            self._set_since(file, number)
        self._connection.executemany(_LIVE, rows)

    # --- reaching back

    def retract(self, commit: TableCommit, target: int, seq: int) -> None:
        """What entry ``target`` says of a commit is invisible from ``seq`` on."""
        log = self._log(commit)
        sql = """UPDATE tcommit SET rt = ?
            WHERE tlog = ? AND number = ? AND rf = ? AND rt IS NULL"""
        self._connection.execute(sql, (seq, log.number, commit.number, target))
        self._irregular(log)

    def erase(self, commit: TableCommit, target: int) -> None:
        """Drop what entry ``target`` says of a commit."""
        log = self._log(commit)
        for table in ("tcommit", "tchange"):
            sql = f"DELETE FROM {table} WHERE tlog = ? AND number = ? AND rf = ?"
            self._connection.execute(sql, (log.number, commit.number, target))
        self._irregular(log)


def _adds_nothing(other: Row, known: Row) -> bool:
    """Whether a claim (at, known, carries) changes nothing beside one whose files are known."""
    return other[0] >= known[0] and (known[2] or not other[2])
