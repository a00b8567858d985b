"""A real Neo4j Community server for tests and the demo, and a way to empty one quickly."""

from __future__ import annotations

import fcntl
import hashlib
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import neo4j
from neo4j.exceptions import ServiceUnavailable
from typing_extensions import override

from tests.java_server import JavaServer, NoServerError, free_ports

__all__ = ["MARK", "Neo4jAt", "Neo4jServer", "alone", "claim", "wipe", "wipe_schema"]

_SMALL = 5_000
_FIRST_PASSWORD = "neo4j"  # of every new server, for one use
MARK = "lineage_tests"
"""Name of the constraint that says: tests may wipe this database."""
_held: set[str] = set()


@dataclass(frozen=True)
class Neo4jAt:
    """Where a server is and how to be let in."""

    url: str
    """As ``LINEAGE_STORE`` has it: ``neo4j://user@host:port[/database]``."""
    password: str = field(repr=False)

    @property
    def user(self) -> str:
        """The user in the address."""
        return urlsplit(self.url).username or "neo4j"

    @property
    def database(self) -> str:
        """The database in the address."""
        return urlsplit(self.url).path.strip("/") or "neo4j"

    @property
    def environment(self) -> dict[str, str]:
        """The settings that make it the store of a command."""
        return {"LINEAGE_STORE": self.url, "LINEAGE_STORE_PASSWORD": self.password}

    def driver(self, *, password: str | None = None) -> neo4j.Driver:
        """A driver of its own, for what a test does behind the store's back."""
        parts = urlsplit(self.url)
        address = f"{parts.scheme}://{parts.hostname}:{parts.port or 7687}"
        return neo4j.GraphDatabase.driver(
            address, auth=(self.user, password or self.password), connection_timeout=3,
            max_transaction_retry_time=1, notifications_min_severity="OFF",
            telemetry_disabled=True,
        )  # fmt: skip

    @contextmanager
    def session(self) -> Iterator[neo4j.Session]:
        """A session of a driver of its own."""
        with self.driver() as driver, driver.session(database=self.database) as session:
            yield session


@contextmanager
def alone(at: Neo4jAt) -> Iterator[None]:
    """Hold off the other workers of pytest-xdist, where all have one server of the user's."""
    assert at.url not in _held, "this process has it already: it would wait for itself"
    name = hashlib.sha256(at.url.encode()).hexdigest()[:16]
    with Path(tempfile.gettempdir(), f"lineage-tests-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _held.add(at.url)
        try:
            yield
        finally:
            _held.remove(at.url)


class Neo4jServer(JavaServer):
    """Neo4j 5.26 Community on a free loopback port with a random password.

    ``with Neo4jServer(tmp_path / "neo4j") as server: ...``; ``stop``, ``kill`` and ``start`` keep
    directory, port and password.
    """

    name = "neo4j"

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, str] | None = None,
        before: Neo4jAt | None = None,
    ) -> None:
        """Nothing runs before ``start`` or ``with``.

        Args:
            directory: all of its files.
            settings: more lines of its configuration, as TLS.
            before: how the one answered that ran in this directory: this one will too.
        """
        super().__init__(directory)
        self.settings = dict(settings or {})
        self.port = (before and urlsplit(before.url).port) or free_ports(1)[0]
        self.user = "neo4j"
        self.password = before.password if before else secrets.token_urlsafe(18)
        self.url = f"neo4j://{self.user}@127.0.0.1:{self.port}"
        self._password_set = before is not None

    @property
    def at(self) -> Neo4jAt:
        """Address and password."""
        return Neo4jAt(self.url, self.password)

    @property
    def environment(self) -> dict[str, str]:
        """The settings that make it the store of a command."""
        return self.at.environment

    @override
    def words(self) -> Sequence[str]:
        configuration = self.directory / "neo4j.conf"
        lines = {
            "server.bolt.enabled": "true",
            "server.bolt.listen_address": f"127.0.0.1:{self.port}",
            "server.bolt.advertised_address": f"127.0.0.1:{self.port}",
            "server.http.enabled": "false",
            "dbms.security.auth_enabled": "true",
            "dbms.security.auth_minimum_password_length": "1",
            "dbms.usage_report.enabled": "false",
            "server.memory.pagecache.size": "128m",
            "db.tx_log.preallocate": "false",
            "db.tx_log.rotation.size": "16m",
            "db.tx_log.rotation.retention_policy": "64M size",
            # Else every stop waits 10 s for clients that are not there.
            "internal.server.bolt.thread_pool_shutdown_wait_time": "0s",
            **self.settings,
        }
        configuration.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        return [str(self.directory), str(configuration)]

    @override
    def answers(self) -> bool:
        if "started" not in self.said.splitlines():
            return False
        try:
            if not self._password_set:
                with self._driver(_FIRST_PASSWORD) as driver:
                    driver.execute_query(
                        "ALTER CURRENT USER SET PASSWORD FROM $old TO $new",
                        old=_FIRST_PASSWORD, new=self.password, database_="system",
                    )  # fmt: skip
                self._password_set = True
            with self._driver(self.password) as driver:
                driver.verify_connectivity()
        except ServiceUnavailable:
            return False  # it was started, and does not listen yet
        return True

    def _driver(self, password: str) -> neo4j.Driver:
        tls = self.settings.get("server.bolt.tls_level", "DISABLED") != "DISABLED"
        return neo4j.GraphDatabase.driver(
            f"bolt{'+ssc' if tls else ''}://127.0.0.1:{self.port}",
            auth=(self.user, password),
        )


def wipe(session: neo4j.Session) -> None:
    """Delete everything but indexes and constraints; a small graph in one statement."""
    found = session.run("MATCH (n) RETURN count(n) AS nodes").single(strict=True)["nodes"]
    if found > _SMALL:
        session.run("MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 5000 ROWS").consume()
    elif found:
        session.run("MATCH (n) DETACH DELETE n").consume()


def wipe_schema(session: neo4j.Session) -> None:
    """Delete everything, indexes and constraints too: what a new database looks like."""
    wipe(session)
    for kind, listing in (("CONSTRAINT", "SHOW CONSTRAINTS"), ("INDEX", "SHOW INDEXES")):
        rows = session.run(f"{listing} YIELD name, type").data()
        for row in rows:
            if row["type"] != "LOOKUP" and row["name"] != MARK:
                session.run(f"DROP {kind} `{row['name']}`").consume()


def claim(session: neo4j.Session) -> None:
    """Mark a database as one that tests may wipe; refuse one that holds something of somebody's.

    The mark is a constraint, since the tests wipe all nodes.
    """
    names = {row["name"] for row in session.run("SHOW CONSTRAINTS YIELD name").data()}
    if MARK in names:
        return
    nodes = session.run("MATCH (n) RETURN count(n) AS nodes").single(strict=True)["nodes"]
    if nodes:
        raise NoServerError(
            f"its database holds {nodes:,} nodes that are not of these tests; they would be deleted"
        )
    session.run(
        f"CREATE CONSTRAINT {MARK} IF NOT EXISTS FOR (n:LineageTests) REQUIRE n.nothing IS UNIQUE"
    ).consume()
