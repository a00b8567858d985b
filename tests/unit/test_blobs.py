from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lineage.errors import StoreDamagedError, StoreError, StoreFullError, UnknownNameError
from lineage.store.blobs import DirectoryBlobs


@pytest.fixture
def blobs(tmp_path: Path) -> DirectoryBlobs:
    return DirectoryBlobs(tmp_path / "blobs")


@pytest.mark.parametrize("data", [b"", b"x", b"\x00\xff" * 100_000])
def test_what_was_put_comes_back(blobs: DirectoryBlobs, data: bytes) -> None:
    digest = blobs.put(data)
    assert digest == hashlib.sha256(data).hexdigest()
    assert blobs.get(digest) == data
    assert blobs.size(digest) == len(data)
    assert blobs.has(digest)


def test_putting_again_changes_nothing(blobs: DirectoryBlobs) -> None:
    digest = blobs.put(b"x")
    path = blobs.root / digest[:2] / digest[2:]
    before = path.stat()
    assert blobs.put(b"x") == digest
    assert path.stat().st_ino == before.st_ino
    assert list(blobs.all()) == [digest]


def test_all_lists_digests_in_order_and_nothing_else(blobs: DirectoryBlobs) -> None:
    assert list(blobs.all()) == []
    digests = sorted(blobs.put(str(n).encode()) for n in range(50))
    folder = blobs.root / digests[0][:2]
    (folder / ".left.over.123").write_bytes(b"half")
    (blobs.root / "README").write_text("not a blob")
    assert list(blobs.all()) == digests


@pytest.mark.parametrize("name", ["", "x", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 65])
def test_a_name_that_is_no_digest_is_unknown(blobs: DirectoryBlobs, name: str) -> None:
    assert not blobs.has(name)
    for ask in (blobs.get, blobs.size):
        with pytest.raises(UnknownNameError):
            ask(name)


def test_a_missing_blob_is_unknown(blobs: DirectoryBlobs) -> None:
    digest = "0" * 64
    assert not blobs.has(digest)
    for ask in (blobs.get, blobs.size):
        with pytest.raises(UnknownNameError):
            ask(digest)


def test_altered_contents_are_refused(blobs: DirectoryBlobs) -> None:
    digest = blobs.put(b"what it was")
    path = blobs.root / digest[:2] / digest[2:]
    path.write_bytes(b"what it is")
    with pytest.raises(StoreDamagedError, match=digest):
        blobs.get(digest)


def test_blobs_are_for_their_owner_only(blobs: DirectoryBlobs) -> None:
    digest = blobs.put(b"secret")
    path = blobs.root / digest[:2] / digest[2:]
    assert path.stat().st_mode & 0o077 == 0


def test_a_root_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_bytes(b"")
    with pytest.raises(StoreError, match="could not be written"):
        DirectoryBlobs(occupied).put(b"x")


_TOO_LARGE = """
import resource, sys
from pathlib import Path
from lineage.errors import StoreFullError
from lineage.store.blobs import DirectoryBlobs
blobs = DirectoryBlobs(Path(sys.argv[1]))
kept = blobs.put(b"small")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    blobs.put(b"x" * 5000)
except StoreFullError as fault:
    print(fault.code, list(blobs.all()) == [kept])
"""


def test_no_space_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _TOO_LARGE, str(tmp_path / "blobs")],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.split() == [StoreFullError.code, "True"]
    left = [name for _, _, names in os.walk(tmp_path) for name in names]
    assert len(left) == 1
