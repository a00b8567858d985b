"""The service as its users meet it: started, asked, sent to, and stopped: starting."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import pytest

from tests.e2e.service.asking import run
from tests.serving import SECONDS, Serving, environment, event, lineage, until

pytestmark = pytest.mark.both_stores


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
