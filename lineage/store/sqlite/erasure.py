"""Erasure: what redactions took out of the tables is taken out of the file.

Deleting a row leaves its bytes behind, in free pages, in the unused parts of pages that are
used, and in the WAL; and names that were interned for it stay in tables of their own. So: (1) what
nothing refers to any more is dropped, (2) the file is written anew (VACUUM: the only way that takes
the unused parts as well, which ``secure_delete`` does not once a page was split), (3) the WAL is
copied back and cut to nothing, (4) the position up to which that was done is noted.
"""

from __future__ import annotations

import apsw

from lineage.errors import StoreBusyError
from lineage.store.sqlite.connection import BUSY_MS, query, rows_of

__all__ = ["REWRITES", "erase", "waiting"]

REWRITES = "coalesce((SELECT value FROM meta WHERE key = 'rewrites'), 0)"
"""How often names were dropped: who sees it grow forgets the numbers of names."""
_DONE = "coalesce((SELECT value FROM meta WHERE key = 'erased_to'), 0)"
_LAST = """coalesce((SELECT max(e.seq) FROM redaction r
  CROSS JOIN entry e ON e.source = r.by_source AND e.event_id = r.by_event_id), 0)"""
_IN_MEMORY = 256 << 20
"""Bytes of a file up to which the copy that VACUUM makes on the way stays in memory."""

_SWEEP = (
    """DELETE FROM saying WHERE NOT EXISTS(
      SELECT 1 FROM edge e CROSS JOIN note t ON t.id = e.note
      WHERE e.dn = saying.dn AND e.type = saying.type AND e.up = saying.up
      AND t.said = saying.said)""",
    "DELETE FROM note WHERE id NOT IN (SELECT note FROM edge WHERE note IS NOT NULL)",
    """DELETE FROM kind_said WHERE NOT EXISTS(
      SELECT 1 FROM node n CROSS JOIN word w ON w.text = 'kind'
      CROSS JOIN st_op o ON o.subj = n.id AND o.type = 4 AND o.obj = w.id
      WHERE n.urn = kind_said.urn AND o.value = kind_said.value)""",
    "DELETE FROM tfile WHERE id NOT IN (SELECT file FROM tchange)",
    """DELETE FROM word WHERE id NOT IN (
      SELECT kind FROM entry UNION SELECT source FROM entry UNION SELECT actor FROM entry
      UNION SELECT verified FROM entry UNION SELECT source FROM retraction
      UNION SELECT source FROM redaction UNION SELECT by_source FROM redaction
      UNION SELECT obj FROM st_op UNION SELECT src FROM st_op
      UNION SELECT obj FROM st UNION SELECT src FROM st)""",
    "INSERT OR REPLACE INTO meta VALUES('rewrites', " + REWRITES + " + 1)",
)


def waiting(connection: apsw.Connection) -> bool:
    """Whether a redaction was recorded whose target's bytes may still be in the file."""
    ((some,),) = query(connection, f"SELECT {_LAST} > {_DONE}")
    return bool(some)


def erase(connection: apsw.Connection) -> None:
    """Do it; after a crash anywhere in it, again.

    Raises ``StoreBusyError`` where somebody reads what is to go for longer than half a minute.
    """
    _sweep(connection)
    ((position,),) = query(connection, "SELECT seq FROM head")
    ((pages,),) = query(connection, "SELECT page_count * page_size FROM pragma_page_count, "
                        "pragma_page_size")  # fmt: skip
    rows_of(connection, f"PRAGMA temp_store={'MEMORY' if pages < _IN_MEMORY else 'FILE'}")
    try:
        connection.execute("VACUUM")
    finally:
        rows_of(connection, "PRAGMA temp_store=MEMORY")
    truncate(connection)
    sql = "INSERT OR REPLACE INTO meta VALUES('erased_to', ?)"
    connection.execute(sql, (position,))


def truncate(connection: apsw.Connection) -> None:
    """Copy the WAL back and cut it to nothing."""
    connection.set_busy_timeout(BUSY_MS)
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except (apsw.BusyError, apsw.LockedError) as fault:
        raise StoreBusyError(
            "somebody reads what was erased, so it is still in the file",
            hint="repeat the command when long questions, backups and verifications have ended",
        ) from fault


def _sweep(connection: apsw.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _SWEEP:
            connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        if not connection.get_autocommit():
            connection.execute("ROLLBACK")
        raise
