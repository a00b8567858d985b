"""Where a service listens, and that a store file has only one."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lineage.errors import ConfigError, StoreInUseError
from lineage.settings import Settings

__all__ = ["bound", "only_service"]


@contextmanager
def bound(settings: Settings) -> Iterator[socket.socket]:
    """A socket on the address. Raises ``ConfigError`` where it is taken or not ours."""
    try:
        found = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as fault:
        raise ConfigError(f"no such host: {settings.host}", hint="name an address") from fault
    family, kind, protocol, _, address = found[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
        except OSError as fault:
            raise _cannot_bind(settings, fault) from fault
        yield listening
    finally:
        listening.close()


def _cannot_bind(settings: Settings, fault: OSError) -> ConfigError:
    if fault.errno == errno.EADDRINUSE:
        return ConfigError(
            f"port {settings.port} on {settings.host} is in use",
            hint="name another with --port, or let it choose with --port 0",
        )
    return ConfigError(
        f"cannot listen on {settings.host}:{settings.port}: {fault.strerror}",
        hint="name an address of this machine, and a port above 1023",
    )


@contextmanager
def only_service(settings: Settings) -> Iterator[Callable[[int], None]]:
    """Hold the place of service of a file; the function takes the port and leaves it for others.

    A lock of the kernel, which ends with the process however it ends: nothing stale is left. Raises
    ``StoreInUseError`` naming who holds it.
    """
    if settings.store_kind != "sqlite":  # a database has any number
        yield lambda _: None
        return
    path = settings.store_path.with_suffix(".serve.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            raise _in_use(settings, path) from fault

        def note(port: int) -> None:
            file.truncate(0)
            file.write(json.dumps({"pid": os.getpid(), "host": settings.host, "port": port}))
            file.flush()

        file.truncate(0)
        yield note
        file.truncate(0)


def _in_use(settings: Settings, path: Path) -> StoreInUseError:
    try:
        holder: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        holder = {}
    where = f" by process {holder['pid']} on port {holder['port']}" if holder else ""
    return StoreInUseError(
        f"{settings.store_name} is served already{where}",
        hint="use that one, stop it, or name another store with LINEAGE_STORE",
        **holder,
    )
