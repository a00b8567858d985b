"""Which key the entries of a file were recorded under."""

from __future__ import annotations

import apsw

from lineage.store.keyprint import keyprint
from lineage.store.sqlite.connection import rows_of

__all__ = ["note_keyprint", "noted_keyprint"]

# Without entries nothing is named after a key: any key may become the store's.
_NOTED = "SELECT value FROM meta WHERE key = 'key' AND (SELECT seq FROM head) > 0"


def noted_keyprint(connection: apsw.Connection) -> str:
    """The print that was noted; empty: none, or there are no entries yet."""
    rows = rows_of(connection, _NOTED)
    return str(rows[0][0]) if rows else ""


def note_keyprint(connection: apsw.Connection, key: bytes, *, first: bool) -> str:
    """The print noted already; else this key's is, unless not ``first``: then none is."""
    known = noted_keyprint(connection)
    if known:
        return known
    if not first:
        rows_of(connection, "DELETE FROM meta WHERE key = 'key'")
        return ""
    noted = keyprint(key)
    rows_of(connection, "INSERT OR REPLACE INTO meta VALUES('key', ?)", (noted,))
    return noted
