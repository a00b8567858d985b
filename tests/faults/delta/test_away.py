"""What breaks around a table: a service that is away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from lineage.settings import Settings
from tests.delta_tables import grown
from tests.faults.delta.watched import command, expected
from tests.serving import answering, until


class Service(BaseHTTPRequestHandler):
    """Takes changes, after refusing some."""

    refusals = 2
    cut: bytes
    """What it sends instead of a refusal, all of it."""
    taken: list[dict[str, Any]]
    tokens: set[str | None]

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        cls = type(self)
        cls.tokens.add(self.headers.get("Authorization"))
        if cls.refusals:
            cls.refusals -= 1
            if cls.cut:
                self.wfile.write(cls.cut)
                return
            self.send_response(503)
        else:
            cls.taken += body["changes"]
            self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def service(cut: bytes = b"") -> Iterator[str]:
    Service.taken, Service.tokens, Service.refusals, Service.cut = [], set(), 2, cut
    server = HTTPServer(("127.0.0.1", 0), Service)
    with answering(server) as url:
        yield url


def test_a_service_that_is_away_is_tried_again(tmp_path: Path, settings: Settings) -> None:
    table = grown(tmp_path / "t", 3)
    with service() as url:
        watch = command(
            settings, table, "--interval", "0.05", LINEAGE_URL=url, LINEAGE_TOKEN="sesame"
        )
        until(lambda: len(Service.taken) == 3)
        watch.terminate()
        _, said = watch.communicate(timeout=30)
        assert watch.returncode == 0
        assert "not-delivered" in said
        assert "sesame" not in said
        assert [item["event_id"] for item in Service.taken] == expected(table)
        assert Service.tokens == {"Bearer sesame"}
        again = command(settings, table, "--once", LINEAGE_URL=url)
        again.communicate(timeout=30)
        assert len(Service.taken) == 3  # the cursor moved with the delivery
    assert not settings.store_path.exists()


@pytest.mark.parametrize(
    "cut",
    [
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}",
        b"HTTP/1.1 503 Away\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}",
        b"HTT",
    ],
    ids=["answer", "refusal", "status line"],
)
def test_a_service_that_is_cut_off_amid_its_answer_is_tried_again(
    tmp_path: Path, settings: Settings, cut: bytes
) -> None:
    table = grown(tmp_path / "t", 3)
    with service(cut) as url:
        watch = command(settings, table, "--interval", "0.05", LINEAGE_URL=url)
        until(lambda: len(Service.taken) == 3 or watch.poll() is not None)
        watch.terminate()
        _, said = watch.communicate(timeout=60)
        assert watch.returncode == 0, said
        assert "gave no whole answer" in said
        assert [item["event_id"] for item in Service.taken] == expected(table)
