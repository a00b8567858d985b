"""The contents that changes refer to reach a service before the changes do."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from typing_extensions import override

from lineage.capture.deliver import deliver
from lineage.capture.references import References, references_of
from lineage.capture.service import Answer, HttpSink, Service, Upload
from lineage.capture.spool import Item, Spool
from lineage.errors import DeliveryError
from lineage.model.canonical import canonical
from lineage.model.changes import BlobRef, CodeFacts, EnvironmentFacts
from lineage.store.blobs import DirectoryBlobs


class Elsewhere(Service):
    """A service that keeps what it is sent, and breaks down at a given request."""

    def __init__(self, *, largest: int = 1 << 20) -> None:
        super().__init__("http://service.test")
        self.asked: list[tuple[str, str]] = []
        self.blobs: dict[str, bytes] = {}
        self.changes: list[str] = []
        self.fails_at = 10**9
        self.status = 0
        self.largest = largest

    @override
    def ask(
        self,
        method: str,
        path: str,
        data: bytes | None = None,
        kind: str = "",
        *,
        most: int = 1 << 20,
    ) -> Answer:
        digest = path.rpartition("/")[2]
        self.asked.append((method, digest[:6]))
        if len(self.asked) > self.fails_at:
            if self.status:
                return Answer(self.status, "", "it broke down")
            raise DeliveryError("it went away")
        if method == "HEAD":
            return Answer(200 if digest in self.blobs else 404, "", "")
        assert data is not None
        if method == "PUT":
            if len(data) > self.largest:
                return Answer(413, "", "")
            assert hashlib.sha256(data).hexdigest() == digest
            self.blobs[digest] = data
            return Answer(201, "", "")
        self.changes += [change["event_id"] for change in json.loads(data)["changes"]]
        return Answer(201, "", "")


class Here:
    """A machine with blobs and a spool."""

    def __init__(self, root: Path) -> None:
        self.blobs = DirectoryBlobs(root / "blobs")
        self.spool = Spool(root / "spool")

    def put(self, n: int, **body: Any) -> None:
        encoded = canonical({"kind": "run.finished", **body})
        self.spool.put([Item("run", f"run-{n}", "run.finished", 1, n, encoded)])

    def ref(self, data: bytes) -> dict[str, Any]:
        return {"sha256": self.blobs.put(data), "size": len(data), "media_type": "text/plain"}

    def deliver(self, to: Elsewhere) -> Any:
        return deliver(self.spool, HttpSink(to), Upload(to, self.blobs))


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


def test_blobs_go_first_and_once(here: Here) -> None:
    diff, lock = here.ref(b"diff"), here.ref(b"lock")
    here.put(1, code={"diff": diff}, environment={"lock": lock, "digest": "0" * 64})
    here.put(2, code={"diff": diff}, environment={"lock": lock})
    service = Elsewhere()
    result = here.deliver(service)
    assert (result.items, result.blobs.sent, result.blobs.missing) == (2, 2, {})
    assert sorted(service.blobs.values()) == [b"diff", b"lock"]
    assert [method for method, _ in service.asked] == ["HEAD", "PUT", "HEAD", "PUT", "POST", "POST"]
    here.put(3, code={"diff": diff})
    assert here.deliver(service).blobs.sent == 0


ANSWERS = {404: {0, 2}, 422: {4}}
"""Where a status is no breakdown: a blob that is not there, a change that is refused."""


@pytest.mark.parametrize(
    ("status", "fails_at"),
    [(status, at) for status in (0, 401, 404, 422, 500, 503) for at in range(5)
     if at not in ANSWERS.get(status, ())],
)  # fmt: skip
def test_a_service_that_goes_away_anywhere_loses_nothing(
    here: Here, status: int, fails_at: int
) -> None:
    here.put(1, code={"diff": here.ref(b"diff"), "untracked": here.ref(b"tar")})
    service = Elsewhere()
    service.fails_at, service.status = fails_at, status
    result = here.deliver(service)
    assert isinstance(result.fault, DeliveryError)
    assert (result.waiting, service.changes) == (1, [])
    service.fails_at, service.asked = 10**9, []
    result = here.deliver(service)
    assert (result.items, result.waiting, service.changes) == (1, 0, ["run-1"])
    assert len(service.blobs) == 2
    puts = [digest for method, digest in service.asked if method == "PUT"]
    assert len(puts) == 2 - fails_at // 2, "what had come is not sent again"


def test_a_blob_that_is_gone_here_is_told_and_holds_nothing_back(here: Here) -> None:
    diff, lock = here.ref(b"diff"), here.ref(b"lock")
    (here.blobs.root / diff["sha256"][:2] / diff["sha256"][2:]).unlink()
    damaged = here.blobs.root / lock["sha256"][:2] / lock["sha256"][2:]
    damaged.write_bytes(b"something else")
    here.put(1, code={"diff": diff}, environment={"lock": lock})
    service = Elsewhere()
    result = here.deliver(service)
    assert (result.items, result.fault, service.blobs) == (1, None, {})
    assert set(result.as_dict()["blobs_missing"]) == {diff["sha256"], lock["sha256"]}


def test_a_blob_that_is_gone_here_but_there_already_is_not_missed(here: Here) -> None:
    diff = here.ref(b"diff")
    service = Elsewhere()
    service.blobs[diff["sha256"]] = b"diff"
    (here.blobs.root / diff["sha256"][:2] / diff["sha256"][2:]).unlink()
    here.put(1, code={"diff": diff})
    assert here.deliver(service).blobs.missing == {}


def test_a_blob_that_is_too_large_for_the_service_is_told(here: Here) -> None:
    diff = here.ref(b"diff" * 100)
    here.put(1, code={"diff": diff})
    service = Elsewhere(largest=10)
    result = here.deliver(service)
    assert (result.items, list(result.blobs.missing)) == (1, [diff["sha256"]])
    assert "400 bytes" in result.blobs.missing[diff["sha256"]]


def test_a_list_comes_after_the_lists_that_it_names(here: Here) -> None:
    inner = here.blobs.put(canonical([["a.png", "", ""]]))
    middle = here.blobs.put(canonical([["x", "", inner], ["b.png", "", ""]]))
    outer = here.blobs.put(canonical([["y", "", middle]]))
    here.put(1, uses=[{"name": "/images", "manifest": outer}])
    service = Elsewhere()
    assert here.deliver(service).blobs.sent == 3
    assert list(service.blobs) == [inner, middle, outer]


def test_small_files_that_were_kept_come_along(here: Here) -> None:
    kept = here.blobs.put(b"lr: 0.1")
    uses = [{"name": "/c.yaml", "version": f"sha256.{kept}"},
            {"name": "/data.csv", "version": f"sha256.{'a' * 64}"}]  # fmt: skip
    here.put(1, uses=uses, outputs=[{"name": "/t", "version": "12.1f3a9c2e"}])
    service = Elsewhere()
    result = here.deliver(service)
    assert (service.blobs, result.blobs.missing) == ({kept: b"lr: 0.1"}, {})


def test_every_field_for_a_blob_is_found() -> None:
    """A new one in the facts of a run has to be brought along as well."""
    digests = iter(f"{n:064x}" for n in range(100))

    def filled(facts: type[BaseModel]) -> dict[str, Any]:
        return {
            name: {"sha256": next(digests), "size": 1}
            for name, field in facts.model_fields.items()
            if BlobRef in getattr(field.annotation, "__args__", (field.annotation,))
        }

    body = {"code": filled(CodeFacts), "environment": filled(EnvironmentFacts)}
    told = {ref["sha256"] for facts in body.values() for ref in facts.values()}
    assert len(told) >= 4
    assert references_of(json.dumps(body).encode()).kept == told


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"7", b"[]", b'{"uses": 7, "code": []}', b'{"uses": [7, {"manifest": 7}]}',
     b'{"code": {"diff": {"sha256": "../../etc/passwd"}}, "outputs": [{"version": null}]}'],
)  # fmt: skip
def test_what_refers_to_nothing_brings_nothing(body: bytes) -> None:
    assert references_of(body) == References()
