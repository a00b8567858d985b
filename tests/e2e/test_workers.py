"""Several processes behind one port: one service to its clients, and to whoever stops it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx
import pytest

from tests.java_server import free_ports
from tests.neo4j_server import Neo4jAt
from tests.serving import SECONDS, Serving, event, lineage, until


def workers(serving: Serving) -> list[int]:
    listed = Path(f"/proc/{serving.process.pid}/task/{serving.process.pid}/children").read_text()
    return [int(pid) for pid in listed.split()]


def send(serving: Serving, name: str) -> str:
    """Over a connection of its own: any of the processes may get it."""
    answer = httpx.post(
        f"{serving.url}/api/v1/lineage", json=event(name), timeout=SECONDS, trust_env=False
    )
    assert answer.status_code == 201, answer.text
    status: str = answer.json()["status"]
    return status


def metric(serving: Serving, line: str) -> float:
    text = httpx.get(f"{serving.url}/metrics", timeout=SECONDS, trust_env=False).text
    found = [part for part in text.splitlines() if part.startswith(line)]
    return float(found[0].rpartition(" ")[2]) if found else 0.0


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.sqlite
def test_a_file_is_served_by_one_process(tmp_path: Path) -> None:
    refused = lineage(tmp_path, "serve", "--port", "0", "--workers", "2", "--json")
    assert refused.returncode == 64
    assert '"bad-setting"' in refused.stderr
    assert "--workers" in refused.stderr


def test_they_serve_together_one_that_dies_is_replaced_and_all_stop(
    neo4j_at: Neo4jAt, tmp_path: Path
) -> None:
    with Serving(tmp_path, "--workers", "2", **neo4j_at.environment) as serving:
        first = workers(serving)
        assert len(first) == 2
        assert {send(serving, f"a{n}") for n in range(20)} == {"recorded"}
        until(lambda: metric(serving, 'lineage_events_total{status="recorded"}') == 20)
        until(lambda: metric(serving, "lineage_store_position") == 20)
        os.kill(first[0], signal.SIGKILL)
        until(lambda: len(workers(serving)) == 2 and first[0] not in workers(serving))
        assert {send(serving, f"a{n}") for n in range(5)} == {"duplicate"}
        # What the dead one counted is not forgotten.
        until(lambda: metric(serving, 'lineage_events_total{status="duplicate"}') == 5)
        until(lambda: metric(serving, 'lineage_events_total{status="recorded"}') == 20)
        last = workers(serving)
        assert serving.stop() == 0
        assert not [pid for pid in last if is_there(pid)]


def test_what_a_dead_one_accepted_another_keeps(tmp_path: Path) -> None:
    away = f"neo4j://127.0.0.1:{free_ports(1)[0]}"
    with Serving(tmp_path, "--workers", "2", LINEAGE_STORE=away) as serving:
        assert {send(serving, f"a{n}") for n in range(20)} == {"accepted"}
        until(lambda: metric(serving, "lineage_spool_waiting") == 20)
        for pid in workers(serving):
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(workers(serving)) == 2)
        until(lambda: metric(serving, "lineage_spool_waiting") == 20)


def test_they_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    away = f"neo4j://127.0.0.1:{free_ports(1)[0]}"
    with Serving(tmp_path, "--workers", "2", LINEAGE_STORE=away) as serving:
        started = workers(serving)
        assert serving.stop(signal.SIGKILL) == -signal.SIGKILL
        until(lambda: not [pid for pid in started if is_there(pid)])


def test_one_that_cannot_start_is_the_end_of_all(neo4j_at: Neo4jAt, tmp_path: Path) -> None:
    wrong = {**neo4j_at.environment, "LINEAGE_STORE_PASSWORD": "wrong"}
    refused = lineage(tmp_path, "serve", "--port", "0", "--workers", "2", "--json", **wrong)
    assert refused.returncode == 77
    assert '"store-auth"' in refused.stderr


@pytest.mark.parametrize("count", ["0", "65", "many"])
def test_a_number_that_is_none_is_a_wrong_command_line(tmp_path: Path, count: str) -> None:
    assert lineage(tmp_path, "serve", "--workers", count).returncode == 2
