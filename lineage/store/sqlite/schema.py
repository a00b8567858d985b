"""The file's schema: numbered migrations, and what to do with a file of another version."""

from __future__ import annotations

import re
from pathlib import Path

import apsw

from lineage.contracts import schema_names, schema_text
from lineage.errors import StoreDamagedError, StoreNewerError
from lineage.store.sqlite.connection import rows_of
from lineage.store.sqlite.seals import fill_tiles

__all__ = ["APPLICATION_ID", "VERSION", "check", "migrate"]

APPLICATION_ID = 0x4C_49_4E_45  # "LINE"
_FOLDER = "graph/sqlite"
_NUMBERED = re.compile(r"(\d{4})_[a-z0-9_]+\.sql\Z")


def _migrations() -> dict[int, str]:
    found = {int(m[1]): name for name in schema_names(_FOLDER) if (m := _NUMBERED.match(name))}
    if sorted(found) != list(range(1, len(found) + 1)):
        raise StoreDamagedError(
            f"the migrations in schema/{_FOLDER} are not numbered without a gap",
            hint="install the package again",
        )
    return found


VERSION = max(_migrations())
"""The schema version that this program writes."""
_WITH_TILES = 2


def _pragma(connection: apsw.Connection, name: str) -> int:
    value = rows_of(connection, f"PRAGMA {name}")[0][0]
    return value if isinstance(value, int) else 0


def migrate(connection: apsw.Connection, path: Path) -> bool:
    """Bring the file to this program's version; False: it is newer and can only be read.

    Raises ``StoreDamagedError`` where the file is not a store, ``StoreNewerError`` where it cannot
    even be read by this version.
    """
    found = check(connection, path, allow_empty=True)
    if found > VERSION:
        return False
    # Only now: a database of somebody else's is left as it is.
    rows_of(connection, "PRAGMA journal_mode=WAL")
    rows_of(connection, "PRAGMA synchronous=FULL")
    if found == VERSION:
        return True
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Read again under the lock: another process may have come first.
        version = check(connection, path, allow_empty=True)
        for number, name in sorted(_migrations().items()):
            if number > version:
                rows_of(connection, schema_text(f"{_FOLDER}/{name}"))
        if version < _WITH_TILES:
            fill_tiles(connection)
        if version < VERSION:
            rows_of(connection, f"PRAGMA user_version={VERSION}")
            rows_of(connection, f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if not connection.get_autocommit():
            connection.execute("ROLLBACK")
        raise
    return version <= VERSION


def check(connection: apsw.Connection, path: Path, *, allow_empty: bool = False) -> int:
    """The file's version, if it is a store that this program can read; 0: an empty file."""
    tables = rows_of(connection, "SELECT count(*) FROM sqlite_master")[0][0]
    version = _pragma(connection, "user_version")
    application = _pragma(connection, "application_id")
    if allow_empty and not (tables or version or application):
        return 0
    if application != APPLICATION_ID or not version:
        raise StoreDamagedError(
            f"{path} is a database, but not a store of this program",
            hint="name another file",
            path=str(path),
        )
    if version > VERSION:
        needed = rows_of(connection, "SELECT value FROM meta WHERE key='readable_from'")[0][0]
        if not isinstance(needed, int) or needed > VERSION:
            raise StoreNewerError(
                f"{path} was written by a newer version (schema {version}, this one knows "
                f"{VERSION})",
                hint="upgrade this program",
                path=str(path),
            )
    return version
