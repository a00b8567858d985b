"""Logs of tables while entries are appended."""

from __future__ import annotations

import apsw

from lineage.model.claims import TableCommit
from lineage.store.sqlite.connection import query
from lineage.store.sqlite.names import Names
from lineage.store.sqlite.texts import pack_text

__all__ = ["Commits"]


class Commits:
    """Writes what commits say: their versions, and the files they added and removed."""

    def __init__(self, connection: apsw.Connection, names: Names) -> None:
        self._connection = connection
        self._names = names

    def _log(self, commit: TableCommit) -> int:
        key = (pack_text(commit.table), pack_text(commit.log))
        sql = "SELECT id FROM tlog WHERE tbl = ? AND log = ?"
        for (number,) in query(self._connection, sql, key):
            return int(number)
        self._connection.execute("INSERT INTO tlog(tbl, log) VALUES(?,?)", key)
        return self._connection.last_insert_rowid()

    def _file(self, log: int, path: str) -> int:
        key = (log, pack_text(path))
        sql = "SELECT id FROM tfile WHERE tlog = ? AND path = ?"
        for (number,) in query(self._connection, sql, key):
            return int(number)
        self._connection.execute("INSERT INTO tfile(tlog, path) VALUES(?,?)", key)
        return self._connection.last_insert_rowid()

    def add(self, commit: TableCommit, seq: int, n: int) -> None:
        """Write commit ``n`` of entry ``seq``."""
        log = self._log(commit)
        version = self._names.node(commit.version)
        self._connection.execute(
            "INSERT INTO tcommit VALUES(?,?,?,?,?,?,?,?,NULL)",
            (
                log,
                commit.number,
                seq,
                n,
                version,
                commit.at,
                int(commit.files_known),
                int(commit.carries),
            ),
        )
        changes = [(0, path) for path in dict.fromkeys(commit.added)]
        changes += [(1, path) for path in dict.fromkeys(commit.removed)]
        for gone, path in changes:
            row = (log, commit.number, gone, self._file(log, path), seq, n)
            self._connection.execute("INSERT INTO tchange VALUES(?,?,?,?,?,?)", row)

    def retract(self, commit: TableCommit, target: int, seq: int) -> None:
        """What entry ``target`` says of a commit is invisible from ``seq`` on."""
        sql = """UPDATE tcommit SET rt = ?
            WHERE tlog = ? AND number = ? AND rf = ? AND rt IS NULL"""
        self._connection.execute(sql, (seq, self._log(commit), commit.number, target))

    def erase(self, commit: TableCommit, target: int) -> None:
        """Drop what entry ``target`` says of a commit."""
        key = (self._log(commit), commit.number, target)
        for table in ("tcommit", "tchange"):
            sql = f"DELETE FROM {table} WHERE tlog = ? AND number = ? AND rf = ?"
            self._connection.execute(sql, key)
