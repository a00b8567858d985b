"""kill -9 of a service under load, again and again: what was acknowledged is in the ledger, once.

Each round: start, send from several clients (single events and arrays, ours and OpenLineage), kill
at a random moment, open the store, compare. What was not acknowledged may be there or not; sent
again it is recorded exactly once.
"""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from lineage.record.ledger import verify
from lineage.wiring import open_workspace
from tests.serving import SECONDS, Serving, event

ROUNDS = 25
CLIENTS = 4

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Load:
    """Clients that send until the service is gone, and note what it acknowledged."""

    def __init__(self, url: str, prefix: str) -> None:
        self.url = url
        self.prefix = prefix
        self.sent: dict[str, list[str]] = {}
        self.acknowledged: dict[str, int] = {}
        self.started = threading.Event()
        self._threads = [threading.Thread(target=self._client, args=(n,)) for n in range(CLIENTS)]

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Until every client has seen that the service is gone."""
        for thread in self._threads:
            thread.join(SECONDS)
            assert not thread.is_alive()

    def _client(self, number: int) -> None:
        with httpx.Client(base_url=self.url, timeout=SECONDS, trust_env=False) as client:
            for n in range(100_000):
                size = 1 if number % 2 else 20
                names = [f"{self.prefix}-{number}-{n}-{i}" for i in range(size)]
                self.sent[names[0]] = names
                try:
                    answer = send(client, names)
                except httpx.HTTPError:
                    return
                for name, result in zip(names, answer, strict=True):
                    assert result["status"] == "recorded"
                    self.acknowledged[name] = result["seq"]
                self.started.set()


def send(client: httpx.Client, names: list[str]) -> list[dict[str, Any]]:
    """Send events of these runs: one alone, several as an array."""
    body: Any = [event(name) for name in names]
    answer = client.post("/api/v1/lineage", json=body if len(names) > 1 else body[0])
    assert answer.status_code == 201, answer.text
    results: list[dict[str, Any]] = answer.json()["results"] if len(names) > 1 else [answer.json()]
    return results


def recorded(settings: Any) -> Counter[str]:
    """Run ids of all entries, after checking that the ledger verifies and the graph has them."""
    with open_workspace(settings) as ws:
        result = verify(ws.store, ws.blobs)
        assert not result.faults
        names = [json.loads(entry.body)["run"]["runId"] for entry in ws.store.entries()]
        assert ws.store.head().seq == len(names)
    return Counter(names)


def test_nothing_acknowledged_is_lost_and_nothing_is_doubled(tmp_path: Path) -> None:
    chance = random.Random(20261121)
    acknowledged: dict[str, int] = {}
    unsure: list[list[str]] = []
    killed_in_flight = 0
    for n in range(ROUNDS):
        with Serving(tmp_path) as serving:
            # What was in flight when the last one died is sent again.
            for names in unsure:
                for name, result in zip(names, send(serving.client, names), strict=True):
                    acknowledged[name] = result["seq"]
            load = Load(serving.url, str(n))
            load.start()
            assert load.started.wait(SECONDS)
            time.sleep(chance.uniform(0, 0.25))  # the moment of death, not a synchronisation
            assert serving.stop(signal.SIGKILL) == -signal.SIGKILL
            load.wait()
        acknowledged |= load.acknowledged
        unsure = [names for names in load.sent.values() if names[0] not in load.acknowledged]
        killed_in_flight += bool(unsure)
        found = recorded(serving.settings)
        assert not [name for name in acknowledged if name not in found], f"lost in round {n}"
        assert not [name for name, times in found.items() if times > 1], f"doubled in round {n}"
        for names in unsure:
            # An array is one transaction: all of it or nothing.
            assert len({name in found for name in names}) == 1, f"half recorded in round {n}"
    assert killed_in_flight > ROUNDS // 2, "the kills came when nothing happened"
    assert len(acknowledged) > ROUNDS * CLIENTS
    with Serving(tmp_path) as serving:
        for names in unsure:
            send(serving.client, names)
        assert serving.stop() == 0
    with open_workspace(serving.settings) as ws:
        for entry in ws.store.entries():
            name = json.loads(entry.body)["run"]["runId"]
            # An acknowledgement names the very place.
            assert acknowledged.get(name, entry.seq) == entry.seq
