"""What runs in the sandbox tries to get out. It can touch nothing real: servers."""

from __future__ import annotations

import contextlib
import socket
import threading
import uuid

import pytest

from tests.faults.sandbox.jobs import World
from tests.serving import until


def listen(
    family: socket.AddressFamily, address: str | tuple[str, int]
) -> tuple[socket.socket, list[object]]:
    """A server that notes who connects."""
    server = socket.socket(family)
    server.bind(address)
    server.listen()
    visitors: list[object] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, address = server.accept()
                connection.close()
                visitors.append(address)

    threading.Thread(target=accept, daemon=True).start()
    return server, visitors


@pytest.mark.parametrize("kind", ["tcp", "abstract", "path"])
def test_a_job_reaches_no_server(
    kind: str, world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("s") / "socket"
    addresses: dict[str, tuple[socket.AddressFamily, str | tuple[str, int]]] = {
        "tcp": (socket.AF_INET, ("127.0.0.1", 0)),
        "abstract": (socket.AF_UNIX, f"\0lineage-{uuid.uuid4()}"),
        "path": (socket.AF_UNIX, str(place)),
    }
    family, address = addresses[kind]
    server, visitors = listen(family, address)
    try:
        code = f"assert refused(socket.socket({int(family)}).connect, {server.getsockname()!r})"
        ended, said = world.run(code)
        assert ended.ok, said
        assert not visitors
        with socket.socket(family) as client:
            client.connect(server.getsockname())  # it was there to be reached
    finally:
        server.close()


def test_the_network_is_there_when_it_was_allowed(world: World) -> None:
    server, visitors = listen(socket.AF_INET, ("127.0.0.1", 0))
    world.network = True
    with server:
        ended, said = world.run(f"socket.create_connection({server.getsockname()!r}).close()")
        assert ended.ok, said
        until(lambda: visitors)


def test_a_server_of_this_machine_is_there_when_the_network_was_allowed(world: World) -> None:
    server, visitors = listen(socket.AF_UNIX, str(world.root / "server"))
    world.network = True
    with server:
        ended, said = world.run(f"socket.socket({int(socket.AF_UNIX)}).connect"
                                f"({server.getsockname()!r})")  # fmt: skip
        assert ended.ok, said
        until(lambda: visitors)


def test_a_job_can_talk_to_itself(world: World) -> None:
    ended, said = world.run("""
        server = socket.create_server(("127.0.0.1", 0))
        socket.create_connection(server.getsockname()).close()
    """)
    assert ended.ok, said
