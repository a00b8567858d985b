"""Connections to a Neo4j: how they are set up, and what their errors mean."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from lineage import __version__
from lineage.errors import NotInstalledError, UnsupportedError
from lineage.store.neo4j.address import Address

try:
    import neo4j
except ModuleNotFoundError as missing:
    raise NotInstalledError(
        "the driver of Neo4j is not installed", hint="pip install 'lineage-store[neo4j]'"
    ) from missing
from lineage.store.neo4j.faults import translated

__all__ = ["Database", "translated"]

_CONNECT_SECONDS = 3.0
# Also how long a greeting may take: something else than Neo4j may listen and never answer.
_ACQUIRE_SECONDS = 10.0
# Whoever appends repeats it by event id; a longer time here would only hide that it is away.
_RETRY_SECONDS = 5.0
_OLDEST = (5, 26)

# The driver tells every failed attempt to a log that nobody set up, which Python then prints.
logging.getLogger("neo4j").addHandler(logging.NullHandler())


class Database:
    """One database of a Neo4j, and connections to it: shared by threads, not by processes."""

    def __init__(self, driver: neo4j.Driver, address: Address) -> None:
        """Use ``open``; the driver is closed with this."""
        self.driver = driver
        self.address = address
        self.name = address.database

    @classmethod
    def open(cls, url: str, password: str = "") -> Self:
        """Get ready to connect: nothing is asked of the server before ``verify`` or a session.

        The address has no password in it; it is empty for a server that asks for none. Raises
        ``ConfigError`` for an address that is not understood.
        """
        address = Address.parse(url)
        with translated(address):
            return cls(
                neo4j.GraphDatabase.driver(
                    address.server,
                    auth=(address.user, password) if password else None,
                    user_agent=f"lineage/{__version__}",
                    connection_timeout=_CONNECT_SECONDS,
                    connection_acquisition_timeout=_ACQUIRE_SECONDS,
                    max_transaction_retry_time=_RETRY_SECONDS,
                    keep_alive=True,
                    notifications_min_severity=neo4j.NotificationMinimumSeverity.OFF,
                    telemetry_disabled=True,
                ),
                address,
            )

    def verify(self) -> None:
        """Ask the server something. Raises ``StoreError`` saying what is wrong with it, or us.

        Raises ``UnsupportedError`` for a server that is too old, or no Neo4j.
        """
        with self.session() as session:
            server = session.run("RETURN 1").consume().server
        if not _new_enough(server.agent):
            raise UnsupportedError(
                f"{self.address.place} is {server.agent}; a store needs Neo4j 5.26 or newer",
                hint="use another server",
            )

    @contextmanager
    def session(self, *, read_only: bool = False) -> Iterator[neo4j.Session]:
        """A session; what leaves it as an error of the driver arrives as one of ours.

        Results come at once, not by the thousand: fetching in pieces took half as long again.
        """
        access = neo4j.READ_ACCESS if read_only else neo4j.WRITE_ACCESS
        with (
            translated(self.address),
            self.driver.session(
                database=self.name, fetch_size=-1, default_access_mode=access
            ) as session,
        ):
            yield session

    def close(self) -> None:
        """Close every connection."""
        self.driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _new_enough(agent: str) -> bool:
    """Whether it is a Neo4j from 5.26 on: ``Neo4j/5.26.22``, later ``Neo4j/2025.10.1``."""
    product, _, version = agent.partition("/")
    numbers = version.split(".")
    if product != "Neo4j" or len(numbers) < 2 or not all(n.isdigit() for n in numbers[:2]):
        return False
    return (int(numbers[0]), int(numbers[1])) >= _OLDEST
