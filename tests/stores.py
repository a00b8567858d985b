"""Which store the tests play on: a file of SQLite, or Neo4j by ``--store`` and ``both_stores``.

A plugin of pytest. What makes a store asks here: ``store_of`` for commands, ``new_store`` for code.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lineage.record.interpret import interpret
from lineage.store.contract import Store
from tests import needs

if TYPE_CHECKING:
    from tests.neo4j_server import Neo4jAt

__all__ = ["new_store", "store_of"]

KINDS = ("sqlite", "neo4j")


def store_of(home: Path) -> dict[str, str]:
    """The settings that name the store of a home; none for SQLite, whose file is in the home."""
    return {} if _homes is None else _homes.lend(home).environment


@contextmanager
def new_store(place: Path, clock: Callable[[], int] | None = None) -> Iterator[Store]:
    """An empty store, of the kind that the test runs on; its place is free again at the end."""
    if _homes is None:
        from lineage.store.sqlite import SqliteStore

        place.mkdir(parents=True, exist_ok=True)
        store: Store = SqliteStore(place / "store.db", interpret, clock=clock or _now)
    else:
        store = new_neo4j(_homes.lend(place), clock)
    try:
        yield store
    finally:
        store.close()
        if _homes is not None:
            _homes.release([place])


def new_neo4j(at: Neo4jAt, clock: Callable[[], int] | None = None) -> Store:
    """A store on a database without a node."""
    from lineage.store.neo4j import Neo4jStore, schema
    from lineage.store.neo4j.connection import Database

    database = Database.open(at.url, at.password)
    schema.migrate(database)
    return Neo4jStore(database, interpret, clock=clock or _now)


def _now() -> int:
    return time.time_ns() // 1_000


class Homes:
    """Lends databases to homes: each has its own, which it finds empty.

    A Neo4j Community has one database, so two homes at once take two servers. More has no test.
    """

    def __init__(self, servers: Iterator[Neo4jAt]) -> None:
        self.lent: dict[Path, tuple[Neo4jAt, ExitStack]] = {}
        self._more = servers
        self._free: list[Neo4jAt] = []

    def lend(self, home: Path) -> Neo4jAt:
        """The database of a home, until it is released."""
        from tests.neo4j_server import alone, wipe

        if home not in self.lent:
            at = self._free.pop() if self._free else next(self._more)
            with ExitStack() as stack:
                stack.callback(self._free.append, at)
                stack.enter_context(alone(at))
                with at.session() as session:
                    wipe(session)
                self.lent[home] = at, stack.pop_all()
        return self.lent[home][0]

    def release(self, homes: list[Path]) -> None:
        """Take back what was lent to homes that nobody uses any more."""
        for home in homes:
            self.lent.pop(home)[1].close()


_homes: Homes | None = None
"""None while tests run on SQLite."""


@pytest.fixture(scope="session")
def neo4j_homes(neo4j_server: Neo4jAt, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Homes]:
    """Two databases: that of the server of all tests, and of one more once it is needed."""
    from tests.java_server import NoServerError
    from tests.neo4j_server import Neo4jServer

    with ExitStack() as stack:

        def servers() -> Iterator[Neo4jAt]:
            yield neo4j_server
            try:
                second = Neo4jServer(tmp_path_factory.mktemp("neo4j"))
            except NoServerError as why:
                needs.missing("neo4j", f"a second one, for two stores at once: {why}")
            stack.callback(second.remove)
            second.quick = True
            second.start()
            yield second.at

        yield Homes(servers())


@pytest.fixture(scope="module", autouse=True)
def store_kind(request: pytest.FixtureRequest) -> Iterator[str]:
    """The kind of store that homes have now. A fixture that keeps one for a module asks for it."""
    global _homes  # noqa: PLW0603 - commands are run by plain functions
    kind: str = getattr(request, "param", "sqlite")
    if kind == "sqlite":
        yield kind
        return
    _homes = homes = request.getfixturevalue("neo4j_homes")
    try:
        yield kind
    finally:
        _homes = None
        homes.release(list(homes.lent))


@pytest.fixture(autouse=True)
def _homes_of_one_test(store_kind: str) -> Iterator[None]:
    before = set(_homes.lent) if _homes else set()
    yield
    if _homes:
        _homes.release([home for home in _homes.lent if home not in before])


# --- what pytest asks


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--store", choices=KINDS,
        help="the store of all tests; else SQLite, and Neo4j too where they are both_stores",
    )  # fmt: skip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    named: str | None = metafunc.config.getoption("--store")
    kinds = [named] if named else KINDS if "both_stores" in marks else []
    if kinds:
        kinds = ["sqlite"] if "sqlite" in marks else kinds
        metafunc.parametrize("store_kind", kinds, indirect=True, scope="module")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.config.getoption("--store") == "neo4j" and item.get_closest_marker("sqlite"):
        pytest.skip("is about files of SQLite")
