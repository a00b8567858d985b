"""The service as its users meet it: started, asked, sent to, and stopped."""

from __future__ import annotations

import gzip
import json
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import httpx
import pytest

from lineage.record.ledger import verify
from lineage.wiring import open_workspace
from tests.serving import SECONDS, Serving, environment, event, lineage, until

pytestmark = pytest.mark.both_stores

ROOT = UUID("00000000-0000-4000-8000-000000000000")
HEAD = "{ ledger { head { seq rootHash } } }"
JSON = {"content-type": "application/json"}


def run(n: int) -> str:
    """A run id."""
    return str(uuid5(ROOT, str(n)))


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, store_kind: str) -> Iterator[Serving]:
    """One service for tests that leave no trace but entries."""
    with Serving(tmp_path_factory.mktemp("service") / ".lineage") as started:
        yield started


# --- starting ------------------------------------------------------------------------------------


def test_it_says_where_it_is_and_what_to_try(tmp_path: Path) -> None:
    with Serving(tmp_path) as serving:
        assert serving.facts["url"] == f"http://127.0.0.1:{serving.facts['port']}"
        assert serving.facts["pid"] == serving.process.pid
        assert serving.facts["position"] == 0
        assert serving.client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.sqlite
def test_it_names_its_store_plainly_and_nothing_is_logged_before(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    with Serving(tmp_path / "project" / ".." / "home") as serving:
        assert serving.facts["store"] == str((tmp_path / "home" / "store.db").resolve())
        assert serving.lines() == []
        assert serving.client.get("/healthz").status_code == 200
        until(serving.lines)  # after the answer
        assert [line["path"] for line in serving.lines()] == ["/healthz"]


def test_a_person_is_told_in_words(tmp_path: Path) -> None:
    import subprocess
    import sys

    process = subprocess.Popen(
        [sys.executable, "-m", "lineage", "serve", "--port", "0"],
        env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(6)]
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert rest == ""
    assert "/graphql" in "".join(said)
    assert "curl" in "".join(said)


@pytest.mark.sqlite
def test_a_second_service_on_one_store_says_who_has_it(serving: Serving) -> None:
    second = lineage(serving.home, "serve", "--port", "0", "--json")
    assert second.returncode == 75
    facts = json.loads(second.stderr.splitlines()[-1])["error"]
    assert facts["code"] == "store-in-use"
    assert facts["where"]["pid"] == serving.process.pid
    assert facts["where"]["port"] == serving.facts["port"]
    assert serving.client.get("/readyz").status_code == 200


def test_other_commands_share_the_store_with_a_service(serving: Serving) -> None:
    serving.client.post("/api/v1/lineage", json=event(run(900)))
    shown = lineage(serving.home, "show", f"s3://lake/out-{run(900)}", "--json")
    assert shown.returncode == 0, shown.stderr
    assert {node["kind"] for node in json.loads(shown.stdout)["nodes"]} == {"dataset", "run"}


def test_the_place_is_free_again_when_a_service_is_killed(tmp_path: Path) -> None:
    with Serving(tmp_path) as first:
        assert first.stop(signal.SIGKILL) == -signal.SIGKILL
    with Serving(tmp_path) as second:
        assert second.client.get("/readyz").json()["status"] == "ready"


def test_a_port_in_use_is_an_error_in_words(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        tried = lineage(tmp_path, "serve", "--port", str(port))
    assert tried.returncode == 64
    assert f"port {port}" in tried.stderr
    assert "--port 0" in tried.stderr
    assert "Traceback" not in tried.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_machines_need_a_token(tmp_path: Path, host: str) -> None:
    tried = lineage(tmp_path, "serve", "--port", "0", "--host", host)
    assert tried.returncode == 64
    assert "LINEAGE_TOKEN" in tried.stderr


def test_a_host_that_is_none(tmp_path: Path) -> None:
    tried = lineage(tmp_path, "serve", "--port", "0", "--host", "localhost.invalid.localhost")
    assert tried.returncode == 64
    assert "Traceback" not in tried.stderr


# --- who may ask ---------------------------------------------------------------------------------


def test_with_a_token_everything_but_health_needs_it(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cr3t-token\n")
    home = tmp_path / "home"
    with (
        Serving(home, "--host", "0.0.0.0", LINEAGE_TOKEN_FILE=str(token)) as serving,
        httpx.Client(
            base_url=f"http://127.0.0.1:{serving.facts['port']}", timeout=SECONDS, trust_env=False
        ) as client,
    ):
        assert client.get("/healthz").status_code == 200
        for headers in (
            {}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer"},
            {"authorization": "Basic s3cr3t-token"}, {"authorization": "s3cr3t-token"},
        ):  # fmt: skip
            for path in ("/", "/graphql?query={ledger{head{seq}}}", "/readyz", "/metrics", "/nope"):
                refused = client.get(path, headers=headers)
                assert (refused.status_code, refused.json()["code"]) == (401, "not-authorized")
                assert refused.headers["www-authenticate"] == "Bearer"
            refused = client.post("/api/v1/lineage", json=event(run(1)), headers=headers)
            assert refused.status_code == 401
        good = {"authorization": "Bearer s3cr3t-token"}
        assert client.get("/readyz", headers=good).json()["position"] == 0
        assert client.post("/api/v1/lineage", json=event(run(1)), headers=good).status_code == 201
        entry = "{ ledger { entry(seq: 1) { actor { id verified } } } }"
        shown = client.post("/graphql", json={"query": entry}, headers=good).json()
        assert shown["data"]["ledger"]["entry"]["actor"] == {
            "id": "service:lineage,bearer-token", "verified": "token"
        }  # fmt: skip
        assert "s3cr3t" not in serving.log.read_text()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200), ("localhost:99", 200), ("[::1]:8080", 200), ("LOCALHOST", 200),
        ("evil.example", 421), ("evil.example:80", 421), ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421), ("10.0.0.1", 421), ("", 421), ("[::1].evil", 421),
    ],
)  # fmt: skip
def test_names_that_only_resolve_here_are_refused(serving: Serving, host: str, status: int) -> None:
    answer = serving.client.get("/readyz", headers={"host": host})
    assert answer.status_code == status


def test_nothing_is_shared_with_pages_from_elsewhere(serving: Serving) -> None:
    origin = {"origin": "https://evil.example"}
    for answer in (
        serving.client.get("/", headers=origin),
        serving.client.get("/nope", headers=origin),
        serving.client.post("/graphql", json={"query": HEAD}, headers=origin),
        serving.client.options("/graphql", headers={
            **origin, "access-control-request-method": "POST"
        }),
    ):  # fmt: skip
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_page_loads_nothing_and_links_to_what_is_there(serving: Serving) -> None:
    page = serving.client.get("/").text
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    links = [part.partition('"')[0] for part in page.split('href="')[1:]]
    assert links
    for link in links:
        assert serving.client.get(link).status_code == 200


# --- taking in -----------------------------------------------------------------------------------


def post(serving: Serving, value: Any, **headers: str) -> httpx.Response:
    return serving.client.post("/api/v1/lineage", json=value, headers=headers)


def nameless(n: int) -> dict[str, Any]:
    """An event that names no run."""
    return {**event(run(n)), "run": {}}


def test_an_event_is_recorded_once(serving: Serving) -> None:
    first = post(serving, event(run(10)))
    assert first.status_code == 201
    assert first.json() == {"status": "recorded", "seq": first.json()["seq"], "warnings": []}
    again = post(serving, event(run(10)))
    assert again.status_code == 201
    assert again.json() == {"status": "duplicate", "seq": first.json()["seq"], "warnings": []}


def test_warnings_come_back(serving: Serving) -> None:
    answer = post(serving, event("not-a-uuid")).json()
    assert answer["status"] == "recorded"
    assert answer["warnings"]


def test_an_array_gets_a_result_for_each(serving: Serving) -> None:
    good, bad = event(run(20)), nameless(21)
    accepted = post(serving, [good, event(run(22))])
    assert accepted.status_code == 201
    assert accepted.json()["summary"] == {"accepted": 2, "refused": 0}
    mixed = post(serving, [good, bad, event(run(23))])
    assert mixed.status_code == 207
    statuses = [result["status"] for result in mixed.json()["results"]]
    assert statuses == ["duplicate", "refused", "recorded"]
    refusal = mixed.json()["results"][1]
    assert (refusal["code"], refusal["pointer"]) == ("no-run-id", "/run/runId")
    assert refusal["dead_letter"]
    assert post(serving, [bad, bad]).status_code == 422


def test_spark_compresses_what_it_sends(serving: Serving) -> None:
    body = gzip.compress(json.dumps(event(run(30))).encode())
    for content, encoding in ((body, "gzip"), (body[:100], "gzip"), (body + body, "gzip")):
        answer = serving.client.post(
            "/api/v1/lineage", content=content, headers={**JSON, "content-encoding": encoding}
        )
        if content == body:
            assert answer.json()["status"] == "recorded"
        else:
            assert answer.status_code == 400


def test_a_body_in_several_gzip_members_is_one_body(serving: Serving) -> None:
    text = json.dumps([event(run(31)), event(run(32))]).encode()
    body = gzip.compress(text[:77]) + gzip.compress(text[77:])
    headers = {**JSON, "content-encoding": "gzip"}
    answer = serving.client.post("/api/v1/lineage", content=body, headers=headers)
    assert answer.json()["summary"] == {"accepted": 2, "refused": 0}


def test_our_own_changes(serving: Serving) -> None:
    change = {
        "kind": "tag.added", "event_at": 1, "target": "artifact:file,/t", "tag": "pii",
    }  # fmt: skip
    sent = {"changes": [{"source": "tester", "event_id": "1", "change": change}]}
    first = serving.client.post("/api/v1/changes", json=sent)
    assert (first.status_code, first.json()["results"][0]["status"]) == (201, "recorded")
    again = serving.client.post("/api/v1/changes", json=sent)
    assert again.json()["results"][0]["status"] == "duplicate"
    states = '{ node(id: "artifact:file,/t") { states(types: [TAGGED]) { object } } }'
    assert serving.ask(states)["node"]["states"] == [{"object": "pii"}]


# --- asking --------------------------------------------------------------------------------------


def test_what_was_sent_can_be_asked(serving: Serving) -> None:
    post(serving, event(run(40)))
    answer = serving.ask(f"""{{ lineage(id: "s3://lake/out-{run(40)}") {{
      nodes {{ depth node {{ id kind ... on Run {{ state }} }} }}
      completeness {{ complete unresolved {{ artifact }} }} }} }}""")["lineage"]
    assert [item["node"].get("state") for item in answer["nodes"] if item["depth"] == 1] == [
        "COMPLETE"
    ]
    assert answer["completeness"]["unresolved"] == [{"artifact": "artifact:s3://lake,raw"}]


def test_questions_by_get_and_changes_only_by_post(serving: Serving) -> None:
    query = "query($n: Int!) { artifacts(first: $n) { edges { node { id } } } }"
    answer = serving.client.get("/graphql", params={"query": query, "variables": '{"n": 1}'})
    assert answer.status_code == 200
    assert "data" in answer.json()
    mutation = 'mutation { claimOwner(team: "t", target: "artifact:file,/t") { seq } }'
    before = serving.ask(HEAD)
    refused = serving.client.get("/graphql", params={"query": mutation})
    assert refused.status_code == 405
    assert refused.json()["errors"][0]["extensions"]["code"] == "bad-query"
    assert serving.ask(HEAD) == before


def test_media_types_of_answers(serving: Serving) -> None:
    for accept, kind, bad in (
        ("application/graphql-response+json", "application/graphql-response+json", 400),
        ("*/*", "application/graphql-response+json", 400),
        ("application/json", "application/json", 200),
    ):
        headers = {"accept": accept}
        good = serving.client.post("/graphql", json={"query": HEAD}, headers=headers)
        assert (good.status_code, good.headers["content-type"]) == (200, kind)
        wrong = serving.client.post("/graphql", json={"query": "{ nope }"}, headers=headers)
        assert (wrong.status_code, wrong.headers["content-type"]) == (bad, kind)


def test_the_schema_is_served_as_it_is_published(serving: Serving) -> None:
    published = Path(__file__).parents[2] / "schema" / "graphql" / "schema.graphql"
    served = serving.client.get("/graphql/schema.graphql")
    assert served.text == published.read_text(encoding="utf-8")


def test_the_same_answer_from_the_command_line(serving: Serving) -> None:
    post(serving, event(run(41)))
    query = f'{{ lineage(id: "s3://lake/out-{run(41)}") {{ nodes {{ node {{ id }} }} }} }}'
    printed = lineage(serving.home, "graphql", query)
    assert printed.returncode == 0, printed.stderr
    answer = json.loads(printed.stdout)["data"]
    assert answer == serving.ask(query)
    shown = lineage(serving.home, "show", f"s3://lake/out-{run(41)}", "--json", "--all-versions")
    nodes = [node["id"] for node in json.loads(shown.stdout)["nodes"]]
    assert nodes == [item["node"]["id"] for item in answer["lineage"]["nodes"]]


# --- running it ----------------------------------------------------------------------------------


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
                    assert client.post("/graphql", json=query).status_code == 200

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
