"""A gallery of bad requests: each is told what is wrong with it, and leaves nothing behind."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lineage.record.ledger import verify
from lineage.wiring import open_workspace
from tests.serving import SECONDS, Serving, event

pytestmark = pytest.mark.both_stores

RUN = "01936893-9751-7a91-a2a0-a51101a3970c"
JSON = "application/json"
MIB = 1 << 20
ERRORS = Path(__file__).parents[2] / "docs" / "errors"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, store_kind: str) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("bad") / ".lineage") as started:
        yield started


def text(value: Any) -> bytes:
    return json.dumps(value).encode()


def but(**changes: Any) -> bytes:
    """The good event with some fields changed; ``...`` takes a field away."""
    changed = {**event(RUN), **changes}
    return text({name: value for name, value in changed.items() if value is not ...})


def raw(old: str, new: bytes) -> bytes:
    """The good event with bytes put in the place of others."""
    good = text(event(RUN))
    assert old.encode() in good
    return good.replace(old.encode(), new)


@dataclass(frozen=True)
class Bad:
    """A bad request and how it is refused. ``kept``: whether the bytes go to the dead letters."""

    body: bytes
    status: int
    code: str
    pointer: str = ""
    kept: bool = False
    path: str = "/api/v1/lineage"
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": JSON})


def typed(kind: str) -> dict[str, str]:
    return {"content-type": kind} if kind else {}


def packed(encoding: str) -> dict[str, str]:
    return {"content-type": JSON, "content-encoding": encoding}


def change(item: Any) -> bytes:
    return text({"changes": [item]})


TAG = {"kind": "tag.added", "event_at": 1, "target": "artifact:file,/t", "tag": "pii"}

GALLERY: dict[str, Bad] = {
    # not JSON
    "empty": Bad(b"", 400, "malformed"),
    "spaces": Bad(b"  \n ", 400, "malformed"),
    "cut": Bad(text(event(RUN))[:-1], 400, "malformed"),
    "words": Bad(b"hello", 400, "malformed"),
    "two-values": Bad(text(event(RUN)) * 2, 400, "malformed"),
    "trailing-comma": Bad(b"[1,]", 400, "malformed"),
    "single-quotes": Bad(b"{'eventTime': 1}", 400, "malformed"),
    "nan": Bad(raw('"COMPLETE"', b"NaN"), 400, "malformed"),
    "minus-infinity": Bad(raw('"COMPLETE"', b"-Infinity"), 400, "malformed"),
    "nul": Bad(b"\x00", 400, "malformed"),
    # not UTF-8
    "latin-1": Bad(raw("nightly", b"Gr\xf6\xdfe"), 400, "malformed"),
    "utf-16": Bad(json.dumps(event(RUN)).encode("utf-16"), 400, "malformed"),
    "cut-character": Bad(raw("nightly", b"\xe2\x82"), 400, "malformed"),
    "surrogate-bytes": Bad(raw("nightly", b"\xed\xa0\x80"), 400, "malformed"),
    "byte-order-mark": Bad(b"\xef\xbb\xbf" + text(event(RUN)), 400, "malformed"),
    # JSON without an exact encoding
    "depth-bomb": Bad(b"[" * 100_000 + b"]" * 100_000, 422, "too-deep"),
    "depth-bomb-of-objects": Bad(b'{"a":' * 50_000 + b"1" + b"}" * 50_000, 422, "too-deep"),
    "depth-101": Bad(raw('"COMPLETE"', b"[" * 100 + b"]" * 100), 422, "too-deep"),
    "huge-integer": Bad(raw('"COMPLETE"', b"9" * 5_000), 422, "number-out-of-range"),
    "huge-float": Bad(raw('"COMPLETE"', b"1e999"), 422, "number-out-of-range"),
    # JSON that means nothing
    "null": Bad(b"null", 422, "not-an-event", kept=True),
    "number": Bad(b"42", 422, "not-an-event", kept=True),
    "string": Bad(b'"x"', 422, "not-an-event", kept=True),
    "empty-object": Bad(b"{}", 422, "not-an-event", kept=True),
    "empty-array": Bad(b"[]", 400, "malformed"),
    "no-time": Bad(but(eventTime=...), 422, "no-event-time", "/eventTime", kept=True),
    "time-is-a-number": Bad(but(eventTime=1_790_000_000), 422, "bad-time", "/eventTime", kept=True),
    "time-is-a-word": Bad(but(eventTime="soon"), 422, "bad-time", "/eventTime", kept=True),
    "time-without-zone": Bad(
        but(eventTime="2026-11-21T08:00:00"), 422, "time-without-zone", "/eventTime", kept=True
    ),
    "leap-second": Bad(
        but(eventTime="2016-12-31T23:59:60Z"), 422, "leap-second", "/eventTime", kept=True
    ),
    "no-run-id": Bad(but(run={}), 422, "no-run-id", "/run/runId", kept=True),
    "run-is-a-list": Bad(but(run=[]), 422, "bad-type", "/run", kept=True),
    "run-id-is-a-number": Bad(but(run={"runId": 7}), 422, "bad-type", "/run/runId", kept=True),
    "no-job": Bad(but(job=...), 422, "no-name", "/job", kept=True),
    "job-without-name": Bad(but(job={"namespace": "n"}), 422, "no-name", "/job/name", kept=True),
    "inputs-are-an-object": Bad(but(inputs={}), 422, "bad-type", "/inputs", kept=True),
    "an-input-is-a-string": Bad(but(inputs=["x"]), 422, "bad-type", "/inputs/0", kept=True),
    "an-output-without-name": Bad(
        but(outputs=[{"namespace": "n"}]), 422, "no-name", "/outputs/0/name", kept=True
    ),
    # changes
    "changes-no-list": Bad(b"{}", 422, "bad-change", "/changes", path="/api/v1/changes"),
    "changes-a-list": Bad(b"[]", 422, "bad-change", "/changes", path="/api/v1/changes"),
    # headers
    "no-type": Bad(text(event(RUN)), 415, "wrong-content-type", headers=typed("")),
    "text": Bad(text(event(RUN)), 415, "wrong-content-type", headers=typed("text/plain")),
    "form": Bad(
        text(event(RUN)), 415, "wrong-content-type",
        headers=typed("application/x-www-form-urlencoded"),
    ),
    "xml": Bad(b"<a/>", 415, "wrong-content-type", headers=typed("application/xml")),
    "brotli": Bad(text(event(RUN)), 415, "wrong-content-type", headers=packed("br")),
    "two-encodings": Bad(b"", 415, "wrong-content-type", headers=packed("gzip, gzip")),
    "no-gzip": Bad(text(event(RUN)), 400, "malformed", headers=packed("gzip")),
    "zlib-for-gzip": Bad(
        zlib.compress(text(event(RUN))), 400, "malformed", headers=packed("gzip")
    ),
    "cut-gzip": Bad(
        gzip.compress(text(event(RUN)))[:-9], 400, "malformed", headers=packed("gzip")
    ),
    "empty-gzip": Bad(b"", 400, "malformed", headers=packed("gzip")),
    "gzip-and-rubbish": Bad(
        gzip.compress(text(event(RUN))) + b"rubbish", 400, "malformed", headers=packed("gzip")
    ),
    # size
    "gzip-bomb": Bad(
        gzip.compress(bytes(300 * MIB), 1), 413, "too-large", headers=packed("gzip")
    ),
    "gzip-bomb-of-members": Bad(
        gzip.compress(bytes(MIB)) * 40, 413, "too-large", headers=packed("gzip")
    ),
    "one-large-event": Bad(but(producer="x" * (5 * MIB)), 413, "too-large"),
    # GraphQL
    "graphql-not-json": Bad(b"{", 400, "malformed", path="/graphql"),
    "graphql-batch": Bad(
        text([{"query": "{ a }"}] * 2), 422, "bad-query", path="/graphql"
    ),
    "graphql-no-query": Bad(b"{}", 422, "bad-query", "/query", path="/graphql"),
    "graphql-query-is-a-list": Bad(
        text({"query": []}), 422, "bad-query", "/query", path="/graphql"
    ),
    "graphql-variables-are-a-list": Bad(
        text({"query": "{ a }", "variables": [1]}), 422, "bad-query", "/variables", path="/graphql"
    ),
    "graphql-as-a-form": Bad(
        b"query=x", 415, "wrong-content-type", path="/graphql",
        headers=typed("application/x-www-form-urlencoded"),
    ),
    "graphql-too-large": Bad(text({"query": "x" * (2 * MIB)}), 413, "too-large", path="/graphql"),
}  # fmt: skip


def left(serving: Serving) -> tuple[int, int]:
    """Entries and dead letters."""
    letters = list(serving.settings.dead_letters.glob("*"))
    # Not /readyz, which on a database tells the position of a moment ago.
    return serving.ask("{ ledger { head { seq } } }")["ledger"]["head"]["seq"], len(letters)


@pytest.mark.parametrize("name", sorted(GALLERY))
def test_a_bad_request_is_refused_with_its_reason(serving: Serving, name: str) -> None:
    bad = GALLERY[name]
    entries, letters = left(serving)
    answer = serving.client.post(bad.path, content=bad.body, headers=bad.headers)
    told = answer.json()
    assert (answer.status_code, told["code"]) == (bad.status, bad.code), told
    assert told.get("pointer", "") == bad.pointer
    assert told["message"]
    assert (ERRORS / f"{bad.code}.md").exists()
    assert told["docs"] == f"docs/errors/{bad.code}.md"
    now = left(serving)
    assert now == (entries, letters + bad.kept), "entries, dead letters"


CHANGES: dict[str, tuple[Any, str, str]] = {
    "a-change-that-is-none": ("x", "bad-change", "/source"),
    "no-source": ({"change": TAG}, "bad-change", "/source"),
    "event-id-is-a-number": (
        {"source": "s", "event_id": 7, "change": TAG}, "bad-change", "/event_id"
    ),
    "event-id-too-long": (
        {"source": "s", "event_id": "x" * 2_000, "change": TAG}, "bad-change", "/event_id"
    ),
    "unknown-kind": (
        {"source": "s", "change": {**TAG, "kind": "tag.invented"}}, "unknown-kind", "/kind"
    ),
    "no-kind": ({"source": "s", "change": {}}, "unknown-kind", "/kind"),
    "newer-version": ({"source": "s", "change": {**TAG, "v": 99}}, "bad-change", "/v"),
    "wrong-type": ({"source": "s", "change": {**TAG, "tag": 7}}, "bad-change", "/tag"),
    "missing-field": (
        {"source": "s", "change": {"kind": "tag.added", "event_at": 1, "tag": "t"}},
        "bad-change", "/target",
    ),
    "time-is-a-float": (
        {"source": "s", "change": {**TAG, "event_at": 1.5}}, "bad-change", "/event_at"
    ),
    "bad-id": ({"source": "s", "change": {**TAG, "target": "file:/t"}}, "bad-change", "/target"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_bad_change_is_refused_and_kept(serving: Serving, name: str) -> None:
    item, code, pointer = CHANGES[name]
    entries, letters = left(serving)
    answer = serving.client.post(
        "/api/v1/changes", content=change(item), headers={"content-type": JSON}
    )
    assert answer.status_code == 422
    (result,) = answer.json()["results"]
    assert (result["status"], result["code"], result["pointer"]) == ("refused", code, pointer)
    assert left(serving) == (entries, letters + 1)


def test_one_bad_event_does_not_take_the_good_ones_with_it(serving: Serving) -> None:
    entries, _ = left(serving)
    events = [event("g1"), {**event("b"), "eventTime": 3}, 7, event("g2")]
    answer = serving.client.post("/api/v1/lineage", json=events)
    assert answer.status_code == 207
    assert [r["status"] for r in answer.json()["results"]] == [
        "recorded", "refused", "refused", "recorded"
    ]  # fmt: skip
    assert left(serving)[0] == entries + 2


def test_an_array_that_breaks_off_records_nothing(serving: Serving) -> None:
    entries = left(serving)
    whole = text([event("h1"), event("h2")])
    answer = serving.client.post(
        "/api/v1/lineage", content=whole[:-20], headers={"content-type": JSON}
    )
    assert answer.json()["code"] == "malformed"
    assert left(serving) == entries


def zeros(size: int) -> Iterator[bytes]:
    for _ in range(size // 65_536):
        yield bytes(65_536)


@pytest.mark.parametrize("declared", [True, False])
def test_fifty_megabytes_are_refused_without_being_kept(serving: Serving, declared: bool) -> None:
    """With a declared length, and chunked: told, and never held in memory."""
    entries = left(serving)
    before = memory(serving.process.pid)
    size = 50 * MIB
    headers = {"content-type": JSON, **({"content-length": str(size)} if declared else {})}
    answer = serving.client.post("/api/v1/lineage", content=zeros(size), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert memory(serving.process.pid) - before < 32 * MIB
    assert left(serving) == entries


def test_a_gzip_bomb_is_not_unpacked(serving: Serving) -> None:
    left(serving)  # what the first question costs is no matter of this
    before = memory(serving.process.pid)
    body = gzip.compress(bytes(1024 * MIB), 9)
    assert len(body) < 2 * MIB
    answer = serving.client.post("/api/v1/lineage", content=body, headers=packed("gzip"))
    assert answer.status_code == 413
    assert memory(serving.process.pid) - before < 48 * MIB


def memory(pid: int) -> int:
    """The most memory that a process ever held, bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


RAW: dict[str, Callable[[int], bytes]] = {
    "no-http": lambda _: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    "half-a-request": lambda _: b"POST /api/v1/lineage HTTP/1.1\r\nHost: localhost\r\n",
    "less-than-declared": lambda port: (
        f"POST /api/v1/lineage HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: {JSON}\r\n"
        "Content-Length: 5000\r\n\r\n{"
    ).encode(),
    "bad-length": lambda port: (
        f"POST /api/v1/lineage HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: {JSON}\r\n"
        "Content-Length: -5\r\n\r\n{}"
    ).encode(),
    "bad-chunk": lambda port: (
        f"POST /api/v1/lineage HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: {JSON}\r\n"
        "Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n"
    ).encode(),
    "long-header": lambda port: (
        f"GET /{'x' * 100_000} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"
    ).encode(),
    "no-host": lambda _: b"GET /readyz HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("name", sorted(RAW))
def test_what_is_no_request_leaves_the_service_as_it_was(serving: Serving, name: str) -> None:
    entries = left(serving)
    port = serving.facts["port"]
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(RAW[name](port))
        connection.shutdown(socket.SHUT_WR)
        answered = b""
        try:
            while part := connection.recv(65_536):
                answered += part
        except ConnectionResetError:
            pass
    assert b" 200 " not in answered.partition(b"\r\n")[0]
    assert left(serving) == entries


def test_after_all_that_the_ledger_verifies_and_nothing_unexpected_was_logged(
    serving: Serving,
) -> None:
    assert serving.client.post("/api/v1/lineage", json=event("last")).status_code == 201
    with open_workspace(serving.settings) as ws:
        assert not verify(ws.store, ws.blobs).faults
    assert "Traceback" not in serving.log.read_text()
