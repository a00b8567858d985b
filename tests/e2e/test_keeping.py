"""`PUT /api/v1/blobs/sha256/<hex>`: contents that changes refer to, kept under their digest."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lineage.store.blobs import DirectoryBlobs
from tests.serving import Serving

ERRORS = Path(__file__).parents[2] / "docs" / "errors"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, store_kind: str) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("keeping") / ".lineage") as started:
        yield started


def place(data: bytes) -> str:
    return f"/api/v1/blobs/sha256/{hashlib.sha256(data).hexdigest()}"


def kept(serving: Serving) -> list[bytes]:
    blobs = DirectoryBlobs(serving.settings.blobs)
    return [blobs.get(digest) for digest in blobs.all()]


@pytest.mark.parametrize("size", [0, 7, 300_000])
def test_contents_are_kept_once(serving: Serving, size: int) -> None:
    data = os.urandom(size)
    assert serving.client.head(place(data)).status_code == 404
    for status in (201, 200, 200):
        answer = serving.client.put(place(data), content=data)
        assert answer.status_code == status, answer.text
        assert answer.json() == {"sha256": place(data)[-64:], "size": size}
    assert serving.client.head(place(data)).status_code == 200
    assert kept(serving).count(data) == 1


def test_the_digest_is_that_of_the_plain_contents(serving: Serving) -> None:
    data = b"text " * 10_000
    packed = {"content-encoding": "gzip"}
    answer = serving.client.put(place(data), content=gzip.compress(data), headers=packed)
    assert answer.status_code == 201
    assert data in kept(serving)


@pytest.mark.parametrize("name", ["0" * 64, "F" * 64, "xyz", "a" * 63, "..%2f..%2fetc", "%00"])
@pytest.mark.parametrize("data", [b"", b"something"])
def test_what_is_not_what_it_says_is_not_kept(serving: Serving, name: str, data: bytes) -> None:
    before = kept(serving)
    answer = serving.client.put(f"/api/v1/blobs/sha256/{name}", content=data)
    told = answer.json()
    expected = (404, "not-found") if "2f" in name else (422, "wrong-digest")
    assert (answer.status_code, told["code"]) == expected, told
    assert (ERRORS / f"{told['code']}.md").exists()
    assert kept(serving) == before
    assert serving.client.head(f"/api/v1/blobs/sha256/{name}").status_code == 404


def test_changed_contents_are_refused_where_the_right_ones_are_kept(serving: Serving) -> None:
    data = b"the right ones"
    assert serving.client.put(place(data), content=data).status_code == 201
    assert serving.client.put(place(data), content=b"others").json()["code"] == "wrong-digest"
    assert data in kept(serving)


def test_more_than_a_body_may_have_is_refused(tmp_path: Path) -> None:
    with Serving(tmp_path, LINEAGE_MAX_BODY="1000") as serving:
        data = bytes(1001)
        for content, headers in ((data, {}), (gzip.compress(data), {"content-encoding": "gzip"})):
            answer = serving.client.put(place(data), content=content, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
        assert serving.client.put(place(data[1:]), content=data[1:]).status_code == 201
        assert kept(serving) == [data[1:]]


def test_the_same_at_once_is_kept_once(serving: Serving) -> None:
    data = os.urandom(200_000)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: serving.client.put(place(data), content=data), range(16)))
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert kept(serving).count(data) == 1


def test_contents_are_given_to_nobody(serving: Serving) -> None:
    data = b"a diff"
    serving.client.put(place(data), content=data)
    assert serving.client.get(place(data)).status_code == 405
    assert serving.client.delete(place(data)).status_code == 405
    assert serving.client.head(place(data)).content == b""


def test_keeping_takes_what_every_write_takes(tmp_path: Path) -> None:
    data = b"mine"
    with Serving(tmp_path, LINEAGE_TOKEN="secret") as serving:
        assert serving.client.put(place(data), content=data).status_code == 401
        assert serving.client.head(place(data)).status_code == 401
        good = {"authorization": "Bearer secret"}
        elsewhere = {**good, "host": "evil.example:80"}
        assert serving.client.put(place(data), content=data, headers=elsewhere).status_code == 421
        assert kept(serving) == []
        assert serving.client.put(place(data), content=data, headers=good).status_code == 201


def test_what_cannot_be_written_is_said_and_can_be_tried_again(tmp_path: Path) -> None:
    data = b"contents"
    with Serving(tmp_path) as serving:
        serving.settings.blobs.write_text("in the way")
        assert serving.client.put(place(data), content=data).status_code == 503
        serving.settings.blobs.unlink()
        assert serving.client.put(place(data), content=data).status_code == 201
