"""A real `lineage serve` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import HTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import pytest

from lineage.settings import Settings, load_settings
from tests.stores import store_of

SECONDS = 60.0
"""How long to wait for anything; machines under load are slow."""


def environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a command on the store of ``home``, and on no other."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LINEAGE_")}
    given = dict(more or {})
    # What delivers to a service has no store.
    store = {} if given.keys() & {"LINEAGE_STORE", "LINEAGE_URL"} else store_of(home)
    return {**kept, "LINEAGE_HOME": str(home), **store, **given}


def play_in(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Make this process a command on the store of ``home``."""
    wanted = environment(home)
    for name in [name for name in os.environ if name.startswith("LINEAGE_")]:
        monkeypatch.delenv(name)
    for name in [name for name in wanted if name.startswith("LINEAGE_")]:
        monkeypatch.setenv(name, wanted[name])


def lineage(home: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "lineage", *words],
        env=environment(home, more), capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip


class Serving:
    """A running service; leaving the context stops it as a person would."""

    def __init__(self, home: Path, *words: str, **more: str) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.environment = environment(home, more)
        self.log = home / "serve.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lineage", "serve", "--port", "0", "--json", *words],
                env=self.environment, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(SECONDS)
            raise AssertionError(f"it did not start:\n{self.log.read_text()}")
        self.facts: dict[str, Any] = json.loads(line)
        self.url: str = self.facts["url"]
        self.client = httpx.Client(base_url=self.url, timeout=SECONDS, trust_env=False)

    @property
    def settings(self) -> Settings:
        """The settings it runs with."""
        return load_settings(self.environment)

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of a GraphQL answer."""
        answer = self.client.post("/graphql", json={"query": query, "variables": variables}).json()
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def lines(self) -> list[dict[str, Any]]:
        """What it logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.stop()
        assert self.process.stdout is not None
        self.process.stdout.close()


def processes_with(marker: str) -> list[int]:
    """Processes with ``marker`` in their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit() and marker.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


@contextmanager
def answering(server: HTTPServer) -> Iterator[str]:
    """The address of a server that is no service of ours, while it answers."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def until(what: Any, seconds: float = SECONDS) -> Any:
    """Ask again until the answer is true."""
    deadline = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)
    return answer


def event(run: str, **more: Any) -> dict[str, Any]:
    """An OpenLineage event of a run that reads one thing and makes another."""
    return {
        "eventTime": "2026-11-21T08:00:00Z", "eventType": "COMPLETE",
        "run": {"runId": run}, "job": {"namespace": "etl", "name": "nightly"},
        "inputs": [{"namespace": "s3://lake", "name": "raw"}],
        "outputs": [{"namespace": "s3://lake", "name": f"out-{run}"}],
        "producer": "https://example.test/producer",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        **more,
    }  # fmt: skip
