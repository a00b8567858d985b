"""The database's schema: numbered migrations, and what to do with a database of another version.

``(:Schema {id: 'main', version, readable_from, applied_at, key})`` is the first node of a store.
Neo4j has no transaction over schema and data, so every statement can be repeated, the version is
written last, and one process migrates at a time: it holds a lock on that node by a second session.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import NamedTuple

import neo4j

from lineage.contracts import schema_names, schema_text
from lineage.errors import (
    NotAStoreError,
    StoreBehindError,
    StoreDamagedError,
    StoreNewerError,
)
from lineage.store.keyprint import keyprint, require_same
from lineage.store.neo4j.connection import Database
from lineage.store.neo4j.seals import fill_tiles

__all__ = ["VERSION", "bind_key", "check", "migrate", "pending"]

READABLE_FROM = 1
"""The oldest version of this program that can still read what this one writes."""
_FOLDER = "graph/neo4j"
_NUMBERED = re.compile(r"(\d{4})_[a-z0-9_]+\.cypher\Z")
_STATEMENT_END = re.compile(r";[ \t]*$", re.MULTILINE)
_OF_SCHEMA = re.compile(r"(?:CREATE|DROP)\s+(?:\w+\s+)*?(?:CONSTRAINT|INDEX)\b")
# A constraint apart from the migrations: of two processes that found nothing, both would make one.
_FIRST = (
    "CREATE CONSTRAINT schema_id IF NOT EXISTS FOR (s:Schema) REQUIRE s.id IS UNIQUE",
    "MERGE (s:Schema {id: 'main'}) ON CREATE SET s.version = 0",
)


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


class _Found(NamedTuple):
    """What is in the database; no version: it is nobody's, or not ours."""

    nodes: int
    version: int | None
    readable_from: int


def pending(database: Database) -> list[str]:
    """Names of the migrations that the database lacks.

    Raises ``NotAStoreError`` where it holds something else, ``StoreNewerError``.
    """
    version = _judged(database, _look(database))
    return [name for number, name in sorted(_migrations().items()) if number > version]


def check(database: Database, *, read_only: bool = False) -> bool:
    """Whether this program may write there. An empty database becomes a store, unless read-only.

    Raises ``StoreBehindError`` where ``lineage migrate`` has to come first, ``NotAStoreError``
    where it holds something else, ``StoreNewerError`` where it cannot even be read.
    """
    found = _look(database)
    version = _judged(database, found)
    if not version and not read_only:
        migrate(database)
        return True
    if version < VERSION:
        raise StoreBehindError(
            f"{_name(database)} is at schema {version}, this program needs {VERSION}"
            if version
            else f"{_name(database)} holds no store yet",
            hint="run `lineage migrate`, after a backup and with older processes stopped",
        )
    return version == VERSION


def migrate(database: Database, tell: Callable[[str], None] = lambda _: None) -> list[str]:
    """Apply what is missing, each number once however many processes try; names of what was.

    ``tell`` is given every name before it is applied. Raises as ``pending`` does.
    """
    _judged(database, _look(database))
    with database.session() as session, database.session() as locking:
        for statement in _FIRST:
            session.execute_write(_run, [statement])
        with locking.begin_transaction() as lock:
            row = lock.run("MATCH (s:Schema {id: 'main'}) SET s.locked = true RETURN s.version")
            version: int = row.single(strict=True).value()
            missing = [(n, name) for n, name in sorted(_migrations().items()) if n > version]
            for number, name in missing:
                tell(name)
                _apply(session, schema_text(f"{_FOLDER}/{name}"))
                if number == _WITH_TILES:
                    fill_tiles(session)
                lock.run(
                    "MATCH (s:Schema {id: 'main'}) SET s.version = $version, "
                    "s.readable_from = $readable_from, s.applied_at = $now",
                    version=number, readable_from=READABLE_FROM, now=time.time_ns() // 1_000,
                ).consume()  # fmt: skip
            lock.run("MATCH (s:Schema {id: 'main'}) REMOVE s.locked").consume()
            lock.commit()
    return [name for _, name in missing]


def bind_key(database: Database, key: bytes) -> None:
    """Note which key the store has, at first; later compare. Raises ``StoreKeyError``.

    Not the key: what it makes of a fixed text.
    """
    with database.session() as session:
        noted = session.run("MATCH (s:Schema {id: 'main'}) RETURN s.key").single(strict=True)
        known = noted.value() or session.execute_write(_note_key, keyprint(key))
    require_same(known, key, _name(database))


def _note_key(tx: neo4j.ManagedTransaction, key: str) -> str:
    # Written before it is read: the second of two that come at once waits for the first.
    row = tx.run(
        "MATCH (s:Schema {id: 'main'}) SET s.locked = true "
        "SET s.key = coalesce(s.key, $key) REMOVE s.locked RETURN s.key",
        key=key,
    )
    known: str = row.single(strict=True).value()
    return known


def _look(database: Database) -> _Found:
    with database.session() as session:
        nodes = session.run("MATCH (n) RETURN count(n)").single(strict=True).value()
        # After the count: a store that is being made has this node before any other.
        row = session.run(
            "MATCH (s:Schema {id: 'main'}) RETURN s.version, coalesce(s.readable_from, 1)"
        ).single()
    return _Found(nodes, row[0], row[1]) if row else _Found(nodes, None, 1)


def _judged(database: Database, found: _Found) -> int:
    """The version, 0 where there is nothing; raises where it is nothing that we can use."""
    if found.version is None and found.nodes:
        raise NotAStoreError(
            f"{_name(database)} holds {found.nodes:,} nodes of something else",
            hint="name a database that is empty, or a store",
        )
    if (found.version or 0) > VERSION and found.readable_from > VERSION:
        raise StoreNewerError(
            f"{_name(database)} was written by a newer version (schema {found.version}, this "
            f"one knows {VERSION})",
            hint="upgrade this program",
        )
    return found.version or 0


def _name(database: Database) -> str:
    return f"{database.address.place}/{database.name}"


def _apply(session: neo4j.Session, text: str) -> None:
    """Statements of one file: those of the schema that follow each other in one transaction."""
    group: list[str] = []
    for statement in _statements(text):
        if not _OF_SCHEMA.match(statement):
            session.execute_write(_run, group)
            group = []
            session.execute_write(_run, [statement])
        else:
            group.append(statement)
    session.execute_write(_run, group)


def _statements(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("//")]
    return [s for part in _STATEMENT_END.split("\n".join(lines)) if (s := part.strip())]


def _run(tx: neo4j.ManagedTransaction, statements: list[str]) -> None:
    for statement in statements:
        tx.run(statement).consume()
