"""Migrations of a Neo4j: an empty database becomes a store, another is not touched unasked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lineage.errors import (
    LineageError,
    NotAStoreError,
    StoreBehindError,
    StoreKeyError,
    StoreNewerError,
)
from lineage.model.claims import Claims
from lineage.store.contract import NewEntry
from lineage.store.neo4j import Neo4jStore, schema
from lineage.store.neo4j.connection import Database
from lineage.testing.plain import ACTOR, interpret
from tests.neo4j_server import MARK, Neo4jAt, wipe_schema
from tests.serving import lineage, until


@pytest.fixture
def database(neo4j_at: Neo4jAt) -> Iterator[Database]:
    with Database.open(neo4j_at.url, neo4j_at.password) as database:
        with database.session() as session:
            wipe_schema(session)
        yield database


def _run(database: Database, query: str, **parameters: Any) -> list[dict[str, Any]]:
    with database.session() as session:
        return session.run(query, parameters).data()


def _set_version(database: Database, version: int, readable_from: int = 1) -> None:
    _run(
        database, "MATCH (s:Schema) SET s.version = $version, s.readable_from = $readable_from",
        version=version, readable_from=readable_from,
    )  # fmt: skip


def _constraints(database: Database) -> set[str]:
    return {row["name"] for row in _run(database, "SHOW CONSTRAINTS YIELD name")} - {MARK}


def test_an_empty_database_becomes_a_store_when_it_is_opened(database: Database) -> None:
    assert len(schema.pending(database)) == schema.VERSION
    assert schema.check(database)
    assert schema.pending(database) == []
    assert _run(database, "MATCH (s:Schema) RETURN s.version AS v") == [{"v": schema.VERSION}]
    assert "entry_seq" in _constraints(database)
    assert schema.migrate(database) == []


def test_reading_makes_no_store(database: Database) -> None:
    with pytest.raises(StoreBehindError, match="holds no store yet"):
        schema.check(database, read_only=True)
    assert _constraints(database) == set()


def test_a_database_of_somebody_is_left_as_it_is(database: Database) -> None:
    _run(database, "CREATE (:Precious)")
    for act in (schema.check, schema.migrate, schema.pending):
        with pytest.raises(NotAStoreError, match="holds 1 nodes of something else"):
            act(database)
    assert _constraints(database) == set()


def test_a_store_of_an_older_version_is_migrated_only_when_asked(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema.migrate(database)
    next_one = schema.VERSION + 1
    more = f"{next_one:04d}_more.cypher"
    files = {f"{n:04d}_before.cypher": "" for n in range(1, next_one)}
    files[more] = "// ;\nCREATE (:More {of: ';'});\n"
    monkeypatch.setattr(schema, "schema_names", lambda _: list(files))
    monkeypatch.setattr(schema, "schema_text", lambda path: files[path.rpartition("/")[2]])
    monkeypatch.setattr(schema, "VERSION", next_one)
    needs = f"is at schema {next_one - 1}, this program needs {next_one}"
    with pytest.raises(StoreBehindError, match=needs) as behind:
        schema.check(database)
    assert "lineage migrate" in behind.value.hint
    assert schema.pending(database) == [more]
    told: list[str] = []
    assert schema.migrate(database, told.append) == told == [more]
    assert schema.check(database)
    assert _run(database, "MATCH (m:More) RETURN m.of AS of") == [{"of": ";"}]


def test_a_store_of_a_newer_version_is_read_where_it_can_be(database: Database) -> None:
    schema.migrate(database)
    _set_version(database, 99)
    assert not schema.check(database)
    assert schema.migrate(database) == []
    _set_version(database, 99, readable_from=98)
    for act in (schema.check, schema.migrate, schema.pending):
        with pytest.raises(StoreNewerError, match=f"schema 99, this one knows {schema.VERSION}"):
            act(database)


def test_a_migration_that_was_cut_off_is_done_again(database: Database) -> None:
    schema.migrate(database)
    _run(database, "DROP CONSTRAINT entry_ref")
    _set_version(database, 0)
    assert schema.check(database)
    assert "entry_ref" in _constraints(database)


def test_a_store_of_before_seals_gets_its_tiles(database: Database) -> None:
    schema.migrate(database)
    store = Neo4jStore(database, interpret)
    store.append([
        NewEntry("foreign", 1, "test", str(n), ACTOR, b"", Claims()) for n in range(600)
    ])  # fmt: skip
    tiles = store.tiles(1, 0, 10)
    assert len(tiles) == 2
    _run(database, "MATCH (t:Tile) DELETE t")
    for name in ("checkpoint_size", "tile_number"):
        _run(database, f"DROP CONSTRAINT {name}")
    _set_version(database, 1)
    assert schema.migrate(database) == ["0002_seal.cypher"]
    assert store.tiles(1, 0, 10) == tiles
    assert {"checkpoint_size", "tile_number"} <= _constraints(database)


def test_many_processes_that_find_nothing_make_one_store(
    database: Database, neo4j_at: Neo4jAt
) -> None:
    applied: list[list[str]] = []
    faults: list[LineageError] = []

    def attempt(own: Database) -> list[list[str]]:
        """What was applied, in a list; none while others are in the way for too long."""
        try:
            return [schema.migrate(own)]
        except LineageError as fault:
            if not fault.retryable:
                raise
            return []

    def migrate() -> None:
        with Database.open(neo4j_at.url, neo4j_at.password) as own:
            applied.extend(until(partial(attempt, own)))
            try:
                schema.bind_key(own, threading.current_thread().name.encode())
            except LineageError as fault:
                faults.append(fault)

    threads = [threading.Thread(target=migrate, name=f"key {n}") for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, applied)) == [0, 0, 0, 0, 0, schema.VERSION]
    assert [type(fault) for fault in faults] == [StoreKeyError] * 5
    assert len(_run(database, "MATCH (s:Schema) RETURN s")) == 1


def test_a_store_has_one_key(database: Database) -> None:
    schema.migrate(database)
    schema.bind_key(database, b"a" * 32)
    schema.bind_key(database, b"a" * 32)
    with pytest.raises(StoreKeyError, match="is not that of"):
        schema.bind_key(database, b"b" * 32)
    kept = str(_run(database, "MATCH (s:Schema) RETURN properties(s) AS p"))
    assert "a" * 32 not in kept
    assert (b"a" * 32).hex() not in kept


def test_the_command_says_what_it_would_do_and_does_it(
    database: Database, neo4j_at: Neo4jAt, tmp_path: Path
) -> None:
    names = schema.pending(database)

    def migrate(*words: str) -> dict[str, Any]:
        done = lineage(tmp_path, "migrate", "--json", *words, **neo4j_at.environment)
        assert done.returncode == 0, done.stderr
        value: dict[str, Any] = json.loads(done.stdout)
        return value

    store = neo4j_at.url
    assert migrate("--dry-run") == {"store": store, "applied": [], "pending": names}
    assert _constraints(database) == set()
    assert migrate() == {"store": store, "applied": names, "pending": []}
    assert migrate() == {"store": store, "applied": [], "pending": []}


def test_the_command_names_what_is_wrong_and_no_password(neo4j_at: Neo4jAt, tmp_path: Path) -> None:
    wrong = {**neo4j_at.environment, "LINEAGE_STORE_PASSWORD": "hunter2hunter2"}
    wrong["LINEAGE_STORE"] = wrong["LINEAGE_STORE"].replace("//neo4j@", "//somebody@")
    done = lineage(tmp_path, "migrate", **wrong)
    assert done.returncode == 77
    assert "store-auth" in done.stderr
    assert "hunter2" not in done.stderr
    done = lineage(tmp_path, "migrate", LINEAGE_STORE="neo4j://ann:hunter2hunter2@h")
    assert done.returncode == 64
    assert "hunter2" not in done.stderr


@pytest.mark.sqlite
def test_a_file_is_always_up_to_date(tmp_path: Path) -> None:
    done = lineage(tmp_path, "migrate", "--dry-run")
    assert "whenever it is opened" in done.stdout
    assert list(tmp_path.iterdir()) == []
    assert lineage(tmp_path, "migrate").returncode == 0
    assert (tmp_path / "store.db").exists()
