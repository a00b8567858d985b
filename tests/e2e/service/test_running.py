"""The service as its users meet it: started, asked, sent to, and stopped: running it."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

import httpx
import pytest

from lineage.record.ledger import verify
from lineage.wiring import open_workspace
from tests.e2e.service.asking import JSON, nameless, post, run
from tests.serving import SECONDS, Serving, event, until

pytestmark = pytest.mark.both_stores


def metric(serving: Serving, line: str) -> float:
    found = [
        text for text in serving.client.get("/metrics").text.splitlines() if text.startswith(line)
    ]
    return float(found[0].rpartition(" ")[2]) if found else 0.0


def test_metrics_count_what_happened(tmp_path: Path) -> None:
    with Serving(tmp_path) as serving:
        post(serving, event(run(1)))
        post(serving, event(run(1)))
        post(serving, nameless(2))
        serving.client.get("/no/such/page")
        assert metric(serving, 'lineage_events_total{status="recorded"}') == 1
        assert metric(serving, 'lineage_events_total{status="duplicate"}') == 1
        assert metric(serving, 'lineage_events_total{status="refused"}') == 1
        assert metric(serving, 'lineage_refused_total{code="no-run-id"}') == 1
        # On a database it is what the store said when it was last asked whether it is there.
        until(lambda: metric(serving, "lineage_store_position") == 1)
        assert metric(serving, "lineage_dead_letters") == 1
        count = 'lineage_request_seconds_count{method="POST",route="/api/v1/lineage",status="201"}'
        assert metric(serving, count) == 2
        # Paths that match nothing are anybody's to invent: they share one label.
        assert metric(serving, 'lineage_request_seconds_count{method="any",route="none"') == 1
        assert "no/such" not in serving.client.get("/metrics").text
        ready = serving.client.get("/readyz").json()
        assert ready.items() >= {
            "status": "ready", "accepting": True, "recording": True, "position": 1, "waiting": 0
        }.items()  # fmt: skip


def test_logs_are_lines_of_json_without_contents(tmp_path: Path) -> None:
    with Serving(tmp_path) as serving:
        secret = "hunter2-in-the-body"
        post(serving, event(run(1), job={"namespace": "n", "name": secret}))
        serving.client.get("/graphql", params={"query": f'{{ node(id: "{secret}") {{ id }} }}'})
        serving.client.post("/api/v1/lineage", content=f'{{"{secret}', headers=JSON)
        assert serving.stop() == 0
        logged = [line for line in serving.lines() if line["logger"] == "lineage.requests"]
        assert [(line["method"], line["path"], line["status"]) for line in logged] == [
            ("POST", "/api/v1/lineage", 201), ("GET", "/graphql", 200),
            ("POST", "/api/v1/lineage", 400),
        ]  # fmt: skip
        assert secret not in serving.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopping_records_what_was_accepted(tmp_path: Path, number: int) -> None:
    """Every event that was acknowledged while it stopped is in the ledger, which verifies."""
    acknowledged: list[str] = []
    stopping = threading.Event()
    with Serving(tmp_path) as serving:

        def send(worker: int) -> None:
            with httpx.Client(base_url=serving.url, timeout=SECONDS, trust_env=False) as client:
                for n in range(10_000):
                    name = run(worker * 100_000 + n)
                    try:
                        answer = client.post("/api/v1/lineage", json=event(name))
                    except httpx.HTTPError:
                        return
                    if answer.status_code != 201:
                        assert answer.status_code == 503
                        return
                    acknowledged.append(name)
                    if len(acknowledged) > 50:
                        stopping.set()

        workers = [threading.Thread(target=send, args=(n,)) for n in range(4)]
        for worker in workers:
            worker.start()
        assert stopping.wait(SECONDS)
        assert serving.stop(number) == 0
        for worker in workers:
            worker.join(SECONDS)
        with open_workspace(serving.settings) as ws:
            recorded = [json.loads(entry.body)["run"]["runId"] for entry in ws.store.entries()]
            assert not verify(ws.store, ws.blobs).faults
    assert set(acknowledged) <= set(recorded)
    assert len(recorded) == len(set(recorded))


def test_slow_questions_do_not_keep_events_waiting(tmp_path: Path, store_kind: str) -> None:
    """Reads have threads of their own: with all of them busy an event is still recorded."""
    with Serving(tmp_path) as serving:
        post(serving, [event(run(n)) for n in range(500)])
        # Every list of versions is read by itself, which on Neo4j costs several round trips.
        many = 500 if store_kind == "sqlite" else 50
        query = {
            "query": """query($many: Int!) { artifacts(first: $many) { edges { node { id
          displayName kind versions(first: 3) { edges { node { id displayName madeAt } }
          } } } } }""",
            "variables": {"many": many},
        }
        stop = threading.Event()

        def keep_asking() -> None:
            with httpx.Client(base_url=serving.url, timeout=SECONDS, trust_env=False) as client:
                while not stop.is_set():
                    assert client.post("/graphql", json=query).status_code in {200, 503}

        askers = [threading.Thread(target=keep_asking) for _ in range(10)]
        for asker in askers:
            asker.start()
        try:
            until(
                lambda: (
                    metric(serving, 'lineage_request_seconds_count{method="POST",route="/graphql"')
                    > 3
                )
            )
            for n in range(1000, 1005):
                assert post(serving, event(run(n))).status_code == 201
            assert serving.client.get("/healthz").status_code == 200
        finally:
            stop.set()
            for asker in askers:
                asker.join(SECONDS)
