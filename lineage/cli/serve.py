"""`lineage serve`: the service over HTTP, one a store file, any number on a database."""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import uvicorn
from typing_extensions import override

from lineage import __version__
from lineage.cli.context import json_option
from lineage.cli.listening import bound, only_service
from lineage.cli.memory import collect_seldom
from lineage.cli.workers import Workers
from lineage.errors import ConfigError
from lineage.settings import Settings, load_settings
from lineage.wiring import open_workspace

__all__ = ["Server", "end_by_signals", "serve"]

_GRACE_SECONDS = 30
_MOST_CONNECTIONS = 1_000


@click.command()
@click.option("--host", help="Address to bind to. Default: 127.0.0.1, or LINEAGE_HOST.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="Port; 0 takes any that is free. Default: 8080, or LINEAGE_PORT.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="What goes to stderr, one JSON object a line.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that serve together; more than one needs a store on Neo4j.",
)
@json_option
def serve(
    *, host: str | None, port: int | None, log_level: str, workers: int, as_json: bool
) -> None:
    """Take in events and answer questions over HTTP, until SIGTERM or Ctrl-C.

    On an address other than loopback LINEAGE_TOKEN (or LINEAGE_TOKEN_FILE) is required, and every
    request but those to /healthz has to carry it.
    """
    settings = load_settings()
    settings = replace(
        settings,
        host=settings.host if host is None else host,
        port=settings.port if port is None else port,
    )
    _check_workers(settings, workers)
    with _shared_metrics(workers) as shared:
        # Named, not imported: the faces of the product do not depend on each other.
        security = importlib.import_module("lineage.web.security")
        importlib.import_module("lineage.web.logs").log_to(sys.stderr, log_level)
        _check_exposure(settings, loopback=security.is_loopback(settings.host))
        end_by_signals()
        with only_service(settings) as note, bound(settings) as listening:
            taken = listening.getsockname()[1]
            note(taken)
            facts = _facts(settings, taken)
            if shared is None:
                _serve(settings, listening, lambda at: _announce(facts, at, as_json=as_json))
                return
            status = Workers(
                workers,
                lambda ready: _serve(settings, listening, lambda _: ready(), shared),
                lambda pid: _forget(pid, shared),
                as_json=as_json,
            ).run(lambda: _announce(facts, None, as_json=as_json))
    raise SystemExit(status)


def _serve(
    settings: Settings,
    listening: socket.socket,
    ready: Callable[[int | None], object],
    shared: Path | None = None,
) -> None:
    """Serve until told to stop. A database that is away is no reason not to start."""
    with open_workspace(settings, patient=True) as ws:
        app = importlib.import_module("lineage.web.app").create_app(ws, shared)
        position = app.state.service.position()
        collect_seldom()
        Server(app, lambda: ready(position)).run([listening])


def _check_workers(settings: Settings, workers: int) -> None:
    if workers > 1 and settings.store_kind == "sqlite":
        raise ConfigError(
            f"--workers {workers} on {settings.store_name}: a file is served by one process",
            hint="leave it out, or use a store on Neo4j",
        )


@contextmanager
def _shared_metrics(workers: int) -> Iterator[Path | None]:
    """Where several processes keep their metrics together; None for one."""
    if workers == 1:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="lineage-metrics-") as place:
        # The library looks once, when it is imported, and takes it from nowhere else.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = place  # noqa: TID251
        yield Path(place)


def _forget(pid: int, shared: Path) -> None:
    importlib.import_module("prometheus_client.multiprocess").mark_process_dead(pid, str(shared))


def end_by_signals() -> None:
    """SIGTERM and Ctrl-C end this process with status 0."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)


def _stop(_number: int, _frame: Any) -> None:
    # While it serves, the server has handlers of its own, and raises the signal again at the end.
    raise SystemExit(0)


def _check_exposure(settings: Settings, *, loopback: bool) -> None:
    if loopback:
        return
    if not settings.token:
        raise ConfigError(
            f"no token, and {settings.host} can be reached from other machines",
            hint="set LINEAGE_TOKEN or LINEAGE_TOKEN_FILE, or leave --host out",
        )
    click.echo(
        f"warning: {settings.host} can be reached from other machines; traffic is not encrypted, "
        "so put a proxy with TLS in front",
        err=True,
    )


class Server(uvicorn.Server):
    """A server that says when it is ready."""

    def __init__(self, app: Any, ready: Callable[[], object]) -> None:
        super().__init__(
            uvicorn.Config(
                app, log_config=None, access_log=False, lifespan="on", ws="none",
                proxy_headers=False, server_header=False, limit_concurrency=_MOST_CONNECTIONS,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )  # fmt: skip
        self._ready = ready

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def _facts(settings: Settings, port: int) -> dict[str, Any]:
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    return {
        "url": f"http://{shown}:{port}",
        "host": settings.host,
        "port": port,
        "pid": os.getpid(),
        "store": _shown_store(settings),
        "version": __version__,
    }


def _shown_store(settings: Settings) -> str:
    """Its file without ``..`` and links, or its address."""
    is_file = settings.store_kind == "sqlite"
    return str(settings.store_path.resolve()) if is_file else settings.store_name


def _announce(facts: dict[str, Any], position: int | None, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({**facts, "position": position}))
    else:
        url = facts["url"]
        holds = "" if position is None else f" ({position:,} entries)"
        click.echo(
            f"Lineage {facts['version']} at {url}\n"
            f"  store      {facts['store']}{holds}\n"
            f"  questions  {url}/graphql\n"
            f"  events     {url}/api/v1/lineage (OpenLineage)\n"
            f"  try        curl -s '{url}/graphql?query=%7Bledger%7Bhead%7Bseq%7D%7D%7D'\n"
            f"  stop       Ctrl-C"
        )
    sys.stdout.flush()
