"""The story on a Neo4j. ``python -m demo.neo4j`` starts the one of the last demo again."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from typing_extensions import override

from demo.stores import FOLDER, Embedded, refuse
from lineage.errors import LineageError
from lineage.settings import Settings
from lineage.store.neo4j.connection import Database
from tests.java_server import NoServerError, installed
from tests.neo4j_server import Neo4jAt, Neo4jServer, wipe

_NAME_ONE = """\
Name one that is empty, with its password in a file or in LINEAGE_STORE_PASSWORD:
  export LINEAGE_STORE=neo4j://neo4j@127.0.0.1:7687 LINEAGE_STORE_PASSWORD_FILE=/path/to/password
  make demo STORE=neo4j
By container:
  docker run -d -p 127.0.0.1:7687:7687 -e NEO4J_AUTH=neo4j/PASSWORD neo4j:5.26-community"""


class Started(Embedded):
    """A Neo4j from its jars, in the home. It is stopped at the end, and can come back."""

    name = FOLDER

    def __init__(self) -> None:
        """Raises ``SystemExit`` (2) without Java or Maven, telling what else to do."""
        print("Neo4j is started from its jars. Maven fetches them once, which takes a minute.")
        try:
            installed("neo4j")
        except NoServerError as why:
            refuse(f"no Neo4j can be started here: {why}\n{_NAME_ONE}")
        self.server: Neo4jServer | None = None
        self.last: list[str] = []

    @override
    def open(self, home: Path) -> dict[str, str]:
        self.server = server = server_in(home / FOLDER)
        server.start()
        note(server)
        self.last = exports(server)
        return {
            "LINEAGE_STORE": server.url,
            "LINEAGE_STORE_PASSWORD_FILE": str(server.directory / "password"),
        }

    @override
    def close(self) -> None:
        if self.server is not None:
            self.server.stop()

    @override
    def farewell(self) -> tuple[str, list[str]]:
        return (
            "Neo4j is stopped; what it holds is kept. To look around yourself:",
            [".venv/bin/python -m demo.neo4j    starts it again, until Ctrl-C", *self.last],
        )


class Named(Embedded):
    """The Neo4j that ``LINEAGE_STORE`` names."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self.settings = settings
        self.name = settings.store
        given = ("LINEAGE_STORE", "LINEAGE_STORE_PASSWORD", "LINEAGE_STORE_PASSWORD_FILE")
        self.environment = {name: environment[name] for name in given if name in environment}
        if file := self.environment.get("LINEAGE_STORE_PASSWORD_FILE"):
            self.environment["LINEAGE_STORE_PASSWORD_FILE"] = str(Path(file).absolute())

    @override
    def claim(self, *, as_left: bool) -> None:
        try:
            with (
                Database.open(self.settings.store, self.settings.store_password) as database,
                database.session() as session,
            ):
                nodes = session.run("MATCH (n) RETURN count(n)").single(strict=True).value()
                if nodes and not as_left:
                    refuse(
                        f"{self.name} holds {nodes:,} nodes that are not as a demo in this folder "
                        "left them. Nothing was touched: empty it yourself, or name another."
                    )
                wipe(session)
        except LineageError as fault:
            refuse(f"{fault.message}\n{fault.hint}\n{_NAME_ONE}")

    @override
    def open(self, home: Path) -> dict[str, str]:
        return self.environment


def server_in(directory: Path) -> Neo4jServer:
    """The server of a directory: with its port and password, if it had them before."""
    address, password = directory / "address", directory / "password"
    before = Neo4jAt(address.read_text(), password.read_text()) if address.exists() else None
    server = Neo4jServer(directory, before=before)
    server.quick = True
    return server


def note(server: Neo4jServer) -> None:
    """Write down what ``server_in`` reads, and what commands need."""
    password = server.directory / "password"
    password.touch(mode=0o600)
    password.write_text(server.password)
    (server.directory / "address").write_text(server.url)


def exports(server: Neo4jServer) -> list[str]:
    """Commands that make a server the store of a shell."""
    file = server.directory / "password"
    return [f"export LINEAGE_STORE={server.url}", f"export LINEAGE_STORE_PASSWORD_FILE='{file}'"]


def main() -> int:
    """Run until Ctrl-C. Exit 2 where no demo left a server."""
    homes = (Path.cwd() / name / FOLDER for name in (".lineage", ".lineage-demo"))
    directory = next((home for home in homes if (home / "address").exists()), None)
    if directory is None:
        refuse("no demo left a Neo4j here: make demo STORE=neo4j")
    stop = {signal.SIGINT, signal.SIGTERM}
    with server_in(directory) as server:
        # Once it runs: it would inherit the mask, and not hear that it is to stop.
        signal.pthread_sigmask(signal.SIG_BLOCK, stop)
        print(f"Neo4j answers at {server.url}. Ctrl-C stops it. Elsewhere:")
        for command in exports(server):
            print(f"  $ {command}", flush=True)
        signal.sigwait(stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
