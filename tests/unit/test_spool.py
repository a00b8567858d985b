"""The spool keeps what it acknowledged, in order, for many processes; delivery empties it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from lineage.capture.deliver import deliver
from lineage.capture.service import HttpSink, Service
from lineage.capture.spool import DAMAGED, REFUSED, Item, Spool
from lineage.errors import DeliveryError, InputError, SpoolError


def item(n: int, body: bytes = b'{"kind":"run.started"}') -> Item:
    return Item("run", f"run-{n}.started", "run.started", 1, n, body)


def test_what_was_put_comes_back_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    for n in range(5):
        spool.put([item(n), item(100 + n, b"\xff\x00 not text")])
    taken = [spool.take(name) for name in spool.pending()]
    assert taken == [[item(n), item(100 + n, b"\xff\x00 not text")] for n in range(5)]


def test_an_empty_place_has_nothing_waiting(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "nowhere")
    assert spool.pending() == []
    assert spool.depth().files == 0
    assert spool.depth().age == 0


def test_depth_tells_files_and_age(tmp_path: Path) -> None:
    now = [1000.0]
    spool = Spool(tmp_path, clock=lambda: now[0])
    spool.put([item(1)])
    now[0] = 1060.0
    spool.put([item(2)])
    depth = spool.depth()
    assert (depth.files, depth.age) == (2, 60.0)
    assert depth.bytes > 0


def test_every_cut_off_file_is_set_aside_and_never_taken(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    whole = (tmp_path / spool.put([item(1), item(2)])).read_bytes()
    for cut in range(0, len(whole), 7):
        name = spool.put([item(1), item(2)])
        (tmp_path / name).write_bytes(whole[:cut])
        assert spool.take(name) is None, cut
        assert (tmp_path / DAMAGED / name).read_bytes() == whole[:cut]
        assert name not in spool.pending()


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    name = spool.put([item(1)])
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data.replace(b"run-1", b"run-2"))
    assert spool.take(name) is None


def test_a_part_of_a_process_that_died_is_set_aside_in_time(tmp_path: Path) -> None:
    now = [10**9 + 0.0]
    spool = Spool(tmp_path, clock=lambda: now[0])
    spool.put([item(1)])
    part = tmp_path / "00000000000000000001-1-abcd.spool.part"
    part.write_bytes(b'{"spool"')
    os.utime(part, (now[0], now[0]))
    assert spool.sweep() == 0
    assert len(spool.pending()) == 1
    now[0] += 7200
    assert spool.sweep() == 1
    assert (tmp_path / DAMAGED / part.name).exists()


def test_a_place_that_cannot_be_written_is_an_error_and_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="cannot be kept"):
        Spool(tmp_path / "file" / "spool").put([item(1)])


def test_several_processes_put_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from lineage.capture.spool import Item, Spool\n"
        "spool = Spool(Path(sys.argv[1]))\n"
        "for n in range(40):\n"
        "    spool.put([Item('run', f'{sys.argv[2]}.{n}', 'run.started', 1, n, b'{}')])\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(n)]) for n in range(3)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    spool = Spool(tmp_path)
    ids = [i.event_id for name in spool.pending() for i in spool.take(name) or []]
    assert sorted(ids) == sorted(f"{w}.{n}" for w in range(3) for n in range(40))
    for w in range(3):
        assert [i for i in ids if i.startswith(f"{w}.")] == [f"{w}.{n}" for n in range(40)]


# --- delivery


def test_delivery_empties_the_spool_in_order(tmp_path: Path) -> None:
    spool, got = Spool(tmp_path), list[Item]()
    for n in range(3):
        spool.put([item(n)])
    result = deliver(spool, got.extend)
    assert got == [item(n) for n in range(3)]
    assert (result.items, result.waiting, result.fault) == (3, 0, None)
    assert spool.pending() == []


def test_a_sink_that_is_away_leaves_the_rest_waiting(tmp_path: Path) -> None:
    spool, got = Spool(tmp_path), list[Item]()
    for n in range(3):
        spool.put([item(n)])

    def sink(items: Sequence[Item]) -> None:
        if items[0].event_at == 1:
            raise DeliveryError("away")
        got.extend(items)

    result = deliver(spool, sink)
    assert (result.items, result.waiting) == (1, 2)
    assert isinstance(result.fault, DeliveryError)
    assert len(spool.pending()) == 2
    deliver(spool, got.extend)
    assert got == [item(0), item(1), item(2)]


def test_what_is_refused_for_good_does_not_stand_in_the_way(tmp_path: Path) -> None:
    spool, got = Spool(tmp_path), list[Item]()
    spool.put([item(0), item(1), item(2)])

    def sink(items: Sequence[Item]) -> None:
        if any(i.event_at == 1 for i in items):
            raise InputError("not understood")
        got.extend(items)

    result = deliver(spool, sink)
    assert (result.items, result.refused) == (2, 1)
    assert got == [item(0), item(2)]
    (kept,) = (tmp_path / REFUSED).iterdir()
    assert json.loads(kept.read_text())["reason"]["message"] == "not understood"
    assert spool.set_aside() == {DAMAGED: 0, REFUSED: 1}


def test_a_damaged_file_does_not_stand_in_the_way(tmp_path: Path) -> None:
    spool, got = Spool(tmp_path), list[Item]()
    (tmp_path / spool.put([item(0)])).write_bytes(b"torn")
    spool.put([item(1)])
    result = deliver(spool, got.extend)
    assert (result.items, result.damaged, got) == (1, 1, [item(1)])


class _Service:
    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.statuses: list[int] = []
        self.requests: list[tuple[str, str | None, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.path, self.headers["Authorization"], json.loads(body)))
                self.send_response(outer.statuses.pop(0) if outer.statuses else outer.status)
                if outer.status == 302:
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            @override
            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def service() -> Any:
    made = _Service()
    yield made
    made.close()


def test_a_service_gets_changes_with_their_event_ids(tmp_path: Path, service: _Service) -> None:
    spool = Spool(tmp_path)
    spool.put([item(7)])
    assert deliver(spool, HttpSink(Service(service.url + "/", token="t0ken"))).items == 1
    path, authorization, body = service.requests[0]
    assert path == "/api/v1/changes"
    assert authorization == "Bearer t0ken"
    assert body == {
        "changes": [
            {"source": "run", "event_id": "run-7.started", "change": {"kind": "run.started"}}
        ]
    }


@pytest.mark.parametrize("status", [302, 401, 404, 429, 500, 503])
def test_a_service_that_answers_otherwise_leaves_the_spool(
    tmp_path: Path, service: _Service, status: int
) -> None:
    service.status = status
    spool = Spool(tmp_path)
    spool.put([item(7)])
    result = deliver(spool, HttpSink(Service(service.url, token="t0ken")))
    assert (result.items, result.waiting) == (0, 1)
    assert result.fault is not None
    assert "t0ken" not in json.dumps(result.as_dict())


def test_a_service_that_refuses_the_content_is_not_asked_again(
    tmp_path: Path, service: _Service
) -> None:
    service.status = 422
    spool = Spool(tmp_path)
    spool.put([item(7)])
    assert deliver(spool, HttpSink(Service(service.url))).refused == 1
    assert spool.pending() == []


def test_what_a_service_refuses_among_others_is_set_aside(
    tmp_path: Path, service: _Service
) -> None:
    service.statuses = [207, 201, 422, 201]
    spool = Spool(tmp_path)
    spool.put([item(0), item(1), item(2)])
    result = deliver(spool, HttpSink(Service(service.url)))
    assert (result.items, result.refused, spool.pending()) == (2, 1, [])
    sent = [[c["event_id"] for c in body["changes"]] for _, _, body in service.requests]
    assert sent == [
        [f"run-{n}.started" for n in range(3)],
        *([f"run-{n}.started"] for n in range(3)),
    ]


def test_nobody_listening_leaves_the_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put([item(7)])
    result = deliver(spool, HttpSink(Service("http://127.0.0.1:1")))
    assert isinstance(result.fault, DeliveryError)
    assert len(spool.pending()) == 1
