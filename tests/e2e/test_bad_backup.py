"""A backup that is not whole, or that somebody made up, is refused and leaves nothing behind."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sealing import opened, write
from tests.serving import lineage

pytestmark = pytest.mark.sqlite
Members = dict[str, bytes | None]
"""Contents by name; None is a directory."""


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("good")
    with opened(home) as ws:
        write(ws, 6)
    assert lineage(home, "backup", str(home / "good.tar")).returncode == 0
    return home / "good.tar"


def _members(good: Path) -> Members:
    found: Members = {}
    with tarfile.open(good) as tar:
        for member in tar.getmembers():
            file = tar.extractfile(member)
            assert file is not None
            found[member.name] = file.read()
    return found


def _made(path: Path, members: Members, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]  # modes are literals
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
            info.size = len(data or b"")
            tar.addfile(info, io.BytesIO(data or b""))
    return path


def _with(name: str, data: bytes | None) -> Callable[[Path, Path], Path]:
    return lambda good, path: _made(path, {**_members(good), name: data})


def _flipped(good: Path, path: Path) -> Path:
    data = bytearray(_made(path, _members(good), "w:gz").read_bytes())
    for offset in range(len(data) // 2, len(data), 40):
        data[offset] ^= 0xFF
    path.write_bytes(data)
    return path


NOT_WHOLE: dict[str, Callable[[Path, Path], Path]] = {
    "key of junk": _with("store.key", b"junk"),
    "key that is empty": _with("store.key", b""),
    "key too short": _with("store.key", b"ab" * 31),
    "key of no ASCII": _with("store.key", b"\xff" * 64),
    "key that is a directory": _with("store.key", None),
    "store that is empty": _with("store.db", b""),
    "store that is a directory": _with("store.db", None),
    "compressed and damaged": _flipped,
    "blob of another name": _with("store.blobs/aa/\x1b]0;hi\x07", b"x"),
    "blob of a path": _with(f"store.blobs/{'a' * 2}/../{'b' * 59}", b"x"),
}


@pytest.mark.parametrize("what", NOT_WHOLE)
def test_what_is_not_whole_is_refused_and_the_good_one_is_not(
    what: str, good: Path, tmp_path: Path
) -> None:
    home, bad = tmp_path / "home", NOT_WHOLE[what](good, tmp_path / "bad.tar")
    done = lineage(home, "restore", "--from", str(bad), "--json")
    assert done.returncode == 64, done
    error = json.loads(done.stderr)["error"]
    assert (error["code"], error["hint"][:16]) == ("bad-setting", "`lineage backup ")
    assert "is no whole backup" in error["message"]
    assert not (home / "store.key").exists()
    assert lineage(home, "restore", "--from", str(good)).returncode == 0
    assert (home / "store.key").read_bytes() == (good.parent / "store.key").read_bytes()


def test_a_restore_that_fails_leaves_no_key(good: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    other = _made(tmp_path / "other.tar", {**_members(good), "store.key": b"ab" * 32})
    junk = _members(good) | {"store.db": b"SQLite format 3\x00" + b"x" * 5000}
    for words in (
        [str(_made(tmp_path / "junk.tar", junk))],
        [str(other), "--expect", f"6:{'00' * 32}"],
        [str(other), "--until", "7"],
    ):
        done = lineage(home, "restore", "--from", *words, "--json")
        assert done.returncode, done
        assert not (home / "store.key").exists(), done
    assert lineage(home, "restore", "--from", str(good)).returncode == 0
    # Now it is the key of what is there.
    done = lineage(home, "restore", "--from", str(good), "--until", "7", "--json")
    assert done.returncode
    assert (home / "store.key").read_bytes() == (good.parent / "store.key").read_bytes()
