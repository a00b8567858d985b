"""The database goes away under a service that takes in: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import neo4j
import pytest

from lineage.wiring import open_workspace
from tests import needs
from tests.disks import small_disk
from tests.java_server import NoServerError, free_ports
from tests.neo4j_server import Neo4jServer
from tests.serving import SECONDS, Serving, event, lineage, until

ROUNDS = 20
CLIENTS = 4
PAUSE = 0.2
"""Between two requests of a client: they send all the time, and the rounds are to be short."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Neo4jServer]:
    """A Neo4j to be killed: never one of the user's."""
    # Most of a round is its start, and a cold compiler the most of that.
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")
    try:
        server = Neo4jServer(tmp_path / "neo4j")
    except NoServerError as why:
        needs.missing("neo4j", str(why))
    try:
        server.start()
        yield server
    finally:
        server.remove()


class Load:
    """Clients that send all the time, and note what was acknowledged, and how long it took."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.acknowledged: dict[str, int | None] = {}
        self.statuses: Counter[str] = Counter()
        self.slowest = 0.0
        self.faults: list[str] = []
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._client, args=(n,)) for n in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(SECONDS)
            assert not thread.is_alive()

    def _client(self, number: int) -> None:
        with httpx.Client(base_url=self.url, timeout=SECONDS, trust_env=False) as client:
            for n in range(100_000):
                if self._stopping.wait(PAUSE):
                    return
                names = [f"{number}-{n}-{i}" for i in range(1 if number % 2 else 3)]
                body: Any = [event(name) for name in names]
                began = time.monotonic()
                answer = client.post("/api/v1/lineage", json=body if len(body) > 1 else body[0])
                self.slowest = max(self.slowest, time.monotonic() - began)
                if answer.status_code != 201:
                    self.faults.append(answer.text)
                    return
                results = answer.json()["results"] if len(body) > 1 else [answer.json()]
                for name, result in zip(names, results, strict=True):
                    self.statuses[result["status"]] += 1
                    self.acknowledged[name] = result["seq"]


def ready(serving: Serving) -> dict[str, Any]:
    answer: dict[str, Any] = serving.client.get("/readyz").json()
    return answer


def emptied(serving: Serving) -> bool:
    said = ready(serving)
    return bool(said["recording"] and not said["spool"]["events"])


def first_answer(server: Neo4jServer) -> float:
    """When it answers a question for the first time."""
    while True:
        try:
            with server.at.session() as session:  # which tries once
                session.run("RETURN 1").consume()
        except neo4j.exceptions.DriverError:
            time.sleep(0.05)
        else:
            return time.monotonic()


def recorded(serving: Serving) -> dict[str, int]:
    """Places of run ids in the ledger, which verifies, and has each once."""
    verified = lineage(serving.home, "ledger", "verify", "--json", **{
        name: serving.environment[name] for name in ("LINEAGE_STORE", "LINEAGE_STORE_PASSWORD")
    })  # fmt: skip
    assert verified.returncode == 0, verified.stdout + verified.stderr
    with open_workspace(serving.settings) as ws:
        found = [(json.loads(e.body)["run"]["runId"], e.seq) for e in ws.store.entries()]
    doubled = [name for name, times in Counter(name for name, _ in found).items() if times > 1]
    assert not doubled
    return dict(found)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_under_load_again_and_again_nothing_is_lost_or_doubled(
    server: Neo4jServer, tmp_path: Path
) -> None:
    chance = random.Random(20261121)
    again: list[float] = []
    with Serving(tmp_path / "home", **server.environment) as serving:
        load = Load(serving.url)
        for _ in range(ROUNDS):
            until(lambda: load.faults or emptied(serving))
            assert not load.faults
            time.sleep(chance.uniform(0.2, 1.5))  # the moment of death, not a synchronisation
            before = ready(serving)["position"]
            server.kill()
            until(lambda: not ready(serving)["recording"])
            server.start(wait=False)
            answered = first_answer(server)
            until(lambda before=before: (ready(serving)["position"] or 0) > before + CLIENTS)
            again.append(time.monotonic() - answered)
        load.stop()
        until(lambda: emptied(serving))
        assert serving.stop() == 0
    assert not load.faults
    found = recorded(serving)
    sys.stdout.write(
        f"{len(found):,} entries, {dict(load.statuses)}, slowest answer {load.slowest:.2f} s, "
        f"recording again after {statistics.median(again):.2f} s (most {max(again):.2f} s)\n"
    )
    assert not [name for name in load.acknowledged if name not in found], "lost"
    assert not [n for n, seq in load.acknowledged.items() if seq not in {None, found[n]}], "moved"
    assert load.statuses["accepted"] > ROUNDS
    assert load.statuses["recorded"] > ROUNDS
    # What it takes on an idle machine tests/bench/accepting.py measures; here others work, too.
    assert statistics.median(again) < 30
    assert load.slowest < 30


def test_a_database_that_hangs_holds_nobody_up(server: Neo4jServer, tmp_path: Path) -> None:
    with Serving(tmp_path / "home", **server.environment) as serving:
        until(lambda: send_one(serving, "a") != "accepted")  # a cold server may be late
        os.kill(server.pid, signal.SIGSTOP)
        try:
            asked: list[tuple[int, float]] = []
            askers = [
                threading.Thread(target=ask, args=(serving, n, asked)) for n in range(20)
            ]  # more than may read at a time
            for asker in askers:
                asker.start()
            began = time.monotonic()
            said = serving.client.post("/api/v1/lineage", json=event("b")).json()
            spent = time.monotonic() - began
            assert said["status"] == "accepted"
            for asker in askers:
                asker.join(SECONDS)
            assert [status for status, _ in asked] == [503] * 20
            assert max([spent, *(seconds for _, seconds in asked)]) < 20  # about 4, alone
            assert ready(serving)["recording"] is False
            assert "lineage_recording 0.0" in serving.client.get("/metrics").text
        finally:
            os.kill(server.pid, signal.SIGCONT)
        until(lambda: emptied(serving))
        assert serving.ask("{ ledger { head { seq } } }")["ledger"]["head"]["seq"] == 2
    assert sorted(recorded(serving)) == ["a", "b"]


def ask(serving: Serving, number: int, asked: list[tuple[int, float]]) -> None:
    query = f"query q{number} {{ ledger {{ head {{ seq }} }} }}"
    began = time.monotonic()
    answer = httpx.post(
        f"{serving.url}/graphql", json={"query": query}, timeout=SECONDS, trust_env=False
    )
    asked.append((answer.status_code, time.monotonic() - began))


def fill(serving: Serving, start: int = 0) -> list[str]:
    """Send until there is no room; what was accepted."""
    accepted: list[str] = []
    for n in range(start, start + 5_000):
        answer = serving.client.post("/api/v1/lineage", json=[event(f"{n}-{i}") for i in range(5)])
        if answer.status_code == 503:
            assert answer.json()["code"] == "spool-full"
            assert answer.headers["retry-after"] == "5"
            return accepted
        assert answer.status_code == 201
        assert {result["status"] for result in answer.json()["results"]} == {"accepted"}
        accepted += [f"{n}-{i}" for i in range(5)]
    raise AssertionError("it is never full")


def test_a_service_that_is_killed_with_a_full_spool_records_all_of_it_once(
    server: Neo4jServer, tmp_path: Path
) -> None:
    environment = {**server.environment, "LINEAGE_SPOOL_MAX": "300000"}
    with Serving(tmp_path / "home", **environment) as serving:
        until(lambda: ready(serving)["recording"])
        server.kill()
        until(lambda: not ready(serving)["recording"])
        accepted = fill(serving)
        assert len(accepted) > 100
        assert ready(serving)["accepting"] is False
        assert serving.stop(signal.SIGKILL) == -signal.SIGKILL
    with Serving(tmp_path / "home", **environment) as serving:
        # The database is still away: it starts, and still has no room.
        assert fill(serving) == []
        answer = serving.client.get("/readyz")
        assert (answer.status_code, answer.json()["spool"]["events"]) == (503, len(accepted))
        server.start()
        until(lambda: emptied(serving))
        until(lambda: send_one(serving, "one more") != "accepted")
        assert serving.stop(signal.SIGKILL) == -signal.SIGKILL
    found = recorded(serving)
    assert sorted(found) == sorted([*accepted, "one more"])
    assert [name for name in found if name != "one more"] == accepted, "in another order"
    assert [*(tmp_path / "home" / "neo4j.accepted").rglob("*.spool")] == []


def send_one(serving: Serving, name: str) -> str:
    said: str = serving.client.post("/api/v1/lineage", json=event(name)).json()["status"]
    return said


@pytest.fixture
def tiny_disk() -> Iterator[Path]:
    with small_disk("4m") as place:
        yield place


def test_a_full_disk_refuses_and_keeps_what_was_accepted(tiny_disk: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "neo4j.accepted").symlink_to(tiny_disk)
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(b"x" * 3_000_000)
    away = f"neo4j://127.0.0.1:{free_ports(1)[0]}"
    with Serving(home, LINEAGE_STORE=away) as serving:
        accepted = fill(serving)
        assert accepted
        assert serving.client.get("/readyz").status_code == 503
        assert serving.client.get("/healthz").status_code == 200
        ballast.unlink()
        assert send_one(serving, "one more") == "accepted"
        accepted.append("one more")
        said = serving.client.get("/readyz")
        assert (said.status_code, said.json()["spool"]["events"]) == (200, len(accepted))
        assert serving.stop(signal.SIGKILL) == -signal.SIGKILL
    kept = [
        json.loads(json.loads(line)["body"])["run"]["runId"]
        for path in sorted(tiny_disk.rglob("*.spool"))
        for line in path.read_text().splitlines()[1:-1]
    ]
    assert kept == accepted
