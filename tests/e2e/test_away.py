"""A service whose database is away: it starts, accepts, and answers everything else at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.java_server import free_ports
from tests.serving import Serving, event

CHANGE = {"kind": "tag.added", "event_at": 1, "target": "artifact:file,/t", "tag": "pii"}


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    away = f"neo4j://127.0.0.1:{free_ports(1)[0]}"
    with Serving(tmp_path_factory.mktemp("home"), LINEAGE_STORE=away) as serving:
        yield serving


def test_it_says_so_and_goes_on_accepting(serving: Serving) -> None:
    assert serving.facts["position"] is None
    answer = serving.client.get("/readyz")
    said = answer.json()
    assert (answer.status_code, said["status"]) == (200, "ready")
    assert (said["accepting"], said["recording"], said["position"]) == (True, False, None)
    assert said["error"]["code"] == "store-unavailable"
    assert serving.client.get("/healthz").json() == {"status": "ok"}


def test_events_and_changes_are_accepted_and_that_is_what_their_senders_hear(
    serving: Serving,
) -> None:
    one = serving.client.post("/api/v1/lineage", json=event("a"))
    assert one.status_code == 201
    assert one.json() == {"status": "accepted", "seq": None, "warnings": ["run-id-not-uuid"]}
    mixed = serving.client.post("/api/v1/lineage", json=[event("b"), {**event("c"), "run": {}}])
    assert mixed.status_code == 207
    assert mixed.json()["summary"] == {"accepted": 1, "refused": 1}
    assert [result["status"] for result in mixed.json()["results"]] == ["accepted", "refused"]
    sent = {"changes": [{"source": "tester", "change": CHANGE}]}
    ours = serving.client.post("/api/v1/changes", json=sent)
    assert (ours.status_code, ours.json()["results"][0]["status"]) == (201, "accepted")
    assert serving.client.post("/api/v1/lineage", content=b"{").status_code == 415


@pytest.mark.parametrize(
    "document",
    ["{ ledger { head { seq } } }", 'mutation { claimOwner(team: "t", target: "a:b") { seq } }'],
)
def test_what_needs_the_database_is_refused_at_once(serving: Serving, document: str) -> None:
    began = time.monotonic()
    answer = serving.client.post("/graphql", json={"query": document})
    assert time.monotonic() - began < 8  # nobody waits for the driver, which tries for longer
    assert (answer.status_code, answer.json()["code"]) == (503, "store-unavailable")
    assert answer.headers["retry-after"] == "1"


def test_metrics_tell_what_waits_and_since_when(serving: Serving) -> None:
    before = metrics(serving)
    serving.client.post("/api/v1/lineage", json=[event("d"), event("e")])
    after = metrics(serving)
    assert after["lineage_recording"] == 0
    assert after["lineage_spool_waiting"] == before["lineage_spool_waiting"] + 2
    assert after["lineage_spool_bytes"] > before["lineage_spool_bytes"]
    assert after["lineage_spool_age_seconds"] > before["lineage_spool_age_seconds"]
    accepted = 'lineage_spool_events_total{status="accepted"}'
    assert after[accepted] == after["lineage_spool_waiting"]
    assert after['lineage_events_total{status="accepted"}'] == after[accepted]


def metrics(serving: Serving) -> dict[str, Any]:
    lines = serving.client.get("/metrics").text.splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}
