"""For every test: what it needs of the machine, the servers, the signals of who started it all."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests import needs

if TYPE_CHECKING:
    from lineage.store.contract import Store
    from lineage.store.neo4j.connection import Database
    from tests.kafka_broker import KafkaBroker
    from tests.neo4j_server import Neo4jAt
    from tests.s3_server import S3Server

pytest_plugins = ["tests.stores"]


def pytest_configure(config: pytest.Config) -> None:
    del config
    needs.required()
    # How long an example takes says more of the machine than of the code.
    settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("tests")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Jobs of the tests die of signals, however the suite was started.

    A shell without job control starts what is in the background with these ignored, for good.
    """
    del session
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            needs.check(name)


# A worker of pytest-xdist has its own servers. Its groups (one server in one worker) are no way:
# pytest 9.2 ignores them without a word, and tests on one server could not run side by side.


@pytest.fixture(scope="session")
def neo4j_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neo4jAt]:
    """A Neo4j for tests: the one that LINEAGE_TEST_NEO4J names, else one of their own.

    A test asks for ``neo4j_at``, which it finds empty and has for itself.
    """
    from tests.java_server import NoServerError
    from tests.neo4j_server import Neo4jAt, Neo4jServer, claim

    if url := os.environ.get("LINEAGE_TEST_NEO4J"):
        named = Neo4jAt(url, os.environ.get("LINEAGE_TEST_NEO4J_PASSWORD", ""))
        with named.session() as session:
            claim(session)
        yield named
        return
    try:
        server = Neo4jServer(tmp_path_factory.mktemp("neo4j"))
    except NoServerError as why:
        needs.missing("neo4j", str(why))
    server.quick = True
    try:
        server.start()
        with server.at.session() as session:
            claim(session)
        yield server.at
        server.stop()
    finally:
        server.remove()


@pytest.fixture
def neo4j_at(neo4j_server: Neo4jAt) -> Iterator[Neo4jAt]:
    """Address of a Neo4j without a node, nobody else's for the length of a test."""
    from tests.neo4j_server import alone, wipe

    with alone(neo4j_server):
        with neo4j_server.session() as session:
            wipe(session)
        yield neo4j_server


@pytest.fixture
def neo4j_database(neo4j_at: Neo4jAt) -> Iterator[Database]:
    """A database as ``lineage migrate`` leaves an empty one."""
    from lineage.store.neo4j import schema
    from lineage.store.neo4j.connection import Database

    with Database.open(neo4j_at.url, neo4j_at.password) as database:
        schema.migrate(database)
        yield database


@pytest.fixture(scope="module")
def neo4j_stores(neo4j_server: Neo4jAt) -> Iterator[Callable[[], Store]]:
    """A factory of empty stores on Neo4j: each takes the place of the one before it."""
    from lineage.store.neo4j import Neo4jStore, schema
    from lineage.store.neo4j.connection import Database
    from lineage.testing.plain import interpret
    from tests.neo4j_server import alone, wipe

    def make() -> Store:
        database = Database.open(neo4j_server.url, neo4j_server.password)
        with database.session() as session:
            wipe(session)
        schema.migrate(database)
        return Neo4jStore(database, interpret)

    with alone(neo4j_server):
        yield make


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A Kafka broker for tests. It keeps its topics: every test makes its own."""
    from tests.java_server import NoServerError
    from tests.kafka_broker import KafkaBroker

    try:
        broker = KafkaBroker(tmp_path_factory.mktemp("kafka"))
    except NoServerError as why:
        needs.missing("kafka", str(why))
    try:
        broker.start()
        yield broker
        broker.stop()
    finally:
        broker.remove()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 for tests: ``make_bucket``, and ``environment`` for what writes to it."""
    from tests.java_server import NoServerError
    from tests.s3_server import S3Server

    try:
        server = S3Server(tmp_path_factory.mktemp("s3"))
    except NoServerError as why:
        needs.missing("s3", str(why))
    with server:
        yield server
