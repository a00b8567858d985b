"""Where checkpoints are published: each place the same, and what differs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from typing_extensions import override

from lineage.errors import ConfigError, NotAsSealedError, PublishError
from lineage.model.checkpoint import Checkpoint
from lineage.model.merkle import verify_consistency
from lineage.model.notes import text_of
from lineage.model.proofs import Consistency
from lineage.record.seal.bucket import BucketPlace
from lineage.record.seal.changing import make_key
from lineage.record.seal.folder import FolderPlace
from lineage.record.seal.places import Place, note_name
from lineage.record.seal.publishing import places_of, publish
from lineage.record.seal.repository import GitPlace
from lineage.wiring import Workspace
from tests.s3_server import S3Server
from tests.sealing import (
    ACTOR,
    ORIGIN,
    checkpoint,
    clone,
    git,
    note,
    now,
    opened,
    write,
)


@pytest.fixture(params=["folder", "git", "git without a remote", "s3"])
def setting(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty place, as LINEAGE_SEAL_PUBLISH names it."""
    if request.param == "folder":
        (tmp_path / "pub").mkdir()
        return str(tmp_path / "pub")
    if request.param == "git":
        return f"git:{clone(tmp_path / 'remote.git', tmp_path / 'clone')}"
    if request.param == "git without a remote":
        subprocess.run(["git", "init", "-q", tmp_path / "alone"], check=True)
        return f"git:{tmp_path / 'alone'}"
    server: S3Server = request.getfixturevalue("s3_server")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server.make_bucket(f"seals-{os.urandom(4).hex()}") + "/log"


def sealed(ws: Workspace, times: int) -> None:
    for _ in range(times):
        write(ws, 1, start=ws.store.head().seq)
        ws.sealer.seal()


def keyed(ws: Workspace) -> None:
    make_key(ws.sealer, ws.recorder, ACTOR, origin=ORIGIN, now=now())


def test_every_place_has_what_the_store_has(tmp_path: Path, setting: str) -> None:
    home = tmp_path / "home"
    with opened(home, LINEAGE_SEAL_PUBLISH=setting) as ws:
        keyed(ws)
        sealed(ws, 3)
        (place,) = places_of(setting)
        every = list(ws.store.checkpoints())
        assert [c.size for c in every] == [1, 2, 3, 4]
        for checkpoint in every:
            note = place.read(f"{ORIGIN}/checkpoints/{checkpoint.size:020d}")
            assert note == checkpoint.note
        assert place.read(f"{ORIGIN}/checkpoint") == every[-1].note
        for old, new in ((1, 2), (2, 3), (3, 4)):
            found = place.read(f"{ORIGIN}/consistency/{new:020d}.json")
            assert found is not None
            proof = Consistency.of_value(json.loads(found))
            before, after = (Checkpoint.of_text(text_of(n)) for n in (proof.old, proof.new))
            assert (before.size, after.size) == (old, new)
            assert verify_consistency(old, new, before.root, after.root, proof.path)
        assert publish(ws.store, ORIGIN, place).new == 0
        assert place.read(f"{ORIGIN}/nothing") is None


def test_what_a_place_lacks_comes_with_the_next(tmp_path: Path, setting: str) -> None:
    home = tmp_path / "home"
    with opened(home) as ws:
        keyed(ws)
        sealed(ws, 2)
    with opened(home, LINEAGE_SEAL_PUBLISH=setting) as ws:
        sealed(ws, 1)
        (place,) = places_of(setting)
        for size in (1, 2, 3, 4):
            assert place.read(f"{ORIGIN}/checkpoints/{size:020d}") is not None


@pytest.mark.sqlite
def test_a_database_of_before_what_was_published_takes_nothing(
    tmp_path: Path, setting: str
) -> None:
    """Nothing is left of it but what was published."""
    home = tmp_path / "home"
    with opened(home, LINEAGE_SEAL_PUBLISH=setting) as ws:
        keyed(ws)
    shutil.copytree(home, tmp_path / "backup")
    with opened(home, LINEAGE_SEAL_PUBLISH=setting) as ws:
        sealed(ws, 2)
    shutil.rmtree(home)
    shutil.copytree(tmp_path / "backup", home)
    with opened(home, LINEAGE_SEAL_PUBLISH=setting) as ws:
        with pytest.raises(NotAsSealedError) as refused:
            ws.sealer.guard.judge(thorough=True)
        assert refused.value.where["size"] == 3
        with pytest.raises(NotAsSealedError):
            write(ws, 1, start=7)
        with pytest.raises(NotAsSealedError):
            ws.sealer.seal()


def test_what_was_published_stays_as_it_is(tmp_path: Path, setting: str) -> None:
    """Only the latest is ever replaced: a witness may have added its signature to another."""
    (place,) = places_of(setting)
    name = f"{ORIGIN}/checkpoints/{1:020d}"
    place.write({name: b"one", f"{ORIGIN}/checkpoint": b"one"})
    place.write({name: b"two", f"{ORIGIN}/checkpoint": b"two"})
    assert place.read(name) == b"one"
    assert place.read(f"{ORIGIN}/checkpoint") == b"two"


def test_the_latest_is_never_replaced_by_an_earlier_one(setting: str) -> None:
    """Whoever signed it is slower to publish: a witness would take it for a log that went back."""
    (place,) = places_of(setting)
    place.write(checkpoint(30))
    place.write(checkpoint(20))
    for size in (20, 30):
        assert place.read(f"{ORIGIN}/{note_name(size)}") == note(size)
    assert place.read(f"{ORIGIN}/checkpoint") == note(30)


def test_what_a_slower_host_put_back_is_put_right(tmp_path: Path) -> None:
    """It looked before the faster one published, and replaced the latest after it."""

    class Slow(FolderPlace):
        @override
        def write(self, files: Mapping[str, bytes]) -> None:
            super().write(files)
            if not later:
                write(ws, 1, start=9)
                later.append(ws.sealer.seal().checkpoint.note)
                assert (there / ORIGIN / "checkpoint").read_bytes() == later[0]
                (there / ORIGIN / "checkpoint").write_bytes(files[f"{ORIGIN}/checkpoint"])

    there, later = tmp_path / "pub", list[bytes]()
    there.mkdir()
    with opened(tmp_path / "home") as ws:
        keyed(ws)
        sealed(ws, 1)
        ws.sealer.places = [FolderPlace(there)]
        published = publish(ws.store, ORIGIN, Slow(there))
        assert (published.size, published.new) == (3, 3)
    assert (there / ORIGIN / "checkpoint").read_bytes() == later[0]


def test_who_signed_first_and_publishes_last_puts_nothing_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "pub"
    there.mkdir()
    home = tmp_path / "home"
    with (
        opened(home, LINEAGE_SEAL_PUBLISH=str(there)) as slow,
        opened(home, LINEAGE_SEAL_PUBLISH=str(there)) as fast,
    ):
        keyed(fast)
        write(slow, 1)

        def meanwhile(_: int) -> None:
            write(fast, 1, start=1)
            assert fast.sealer.seal().checkpoint.size == 3

        monkeypatch.setattr(slow.sealer.guard, "sealed", meanwhile)
        assert slow.sealer.seal().checkpoint.size == 2
        last = fast.store.last_checkpoint()
        assert last is not None
        assert fast.sealer.beside.read_bytes() == last.note
        assert (there / ORIGIN / "checkpoint").read_bytes() == last.note


def away_folder(tmp_path: Path) -> Place:
    return FolderPlace(tmp_path / "not-mounted")


def away_git(tmp_path: Path) -> Place:
    place = GitPlace(clone(tmp_path / "remote.git", tmp_path / "clone"))
    place.write({"x/checkpoint": b"x"})
    shutil.rmtree(tmp_path / "remote.git")
    return place


def away_bucket(tmp_path: Path) -> Place:
    return BucketPlace("s3://no-such-bucket-here/x")


@pytest.mark.parametrize("away", [away_folder, away_git, away_bucket])
def test_a_place_that_is_away_keeps_nobody_from_sealing(
    tmp_path: Path, away: Callable[[Path], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    place = away(tmp_path)
    with pytest.raises(PublishError):
        place.read("x/checkpoint")
    with pytest.raises(PublishError):
        place.write({"x/checkpoint": b"y"})
    with opened(tmp_path / "home") as ws:
        keyed(ws)
        ws.sealer.places = ws.sealer.guard._places = [place]
        write(ws, 1)
        made = ws.sealer.seal()
        assert (made.checkpoint.size, made.new, len(made.faults)) == (2, True, 1)
        assert list(ws.sealer.guard.unreachable) == [place.name]


def test_two_clones_publish_to_one_repository(tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    one = GitPlace(clone(remote, tmp_path / "one"))
    one.write({"a/checkpoint": b"1"})
    other = GitPlace(clone(remote, tmp_path / "two"))
    one.write({"a/checkpoint": b"2"})
    other.write({"b/checkpoint": b"1"})
    assert one.read("b/checkpoint") == b"1"
    assert other.read("a/checkpoint") == b"2"
    assert git(remote, "log", "--format=%s", "main").count("Publish") == 3


def test_what_was_committed_and_not_pushed_is_pushed_later(tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    place = GitPlace(clone(remote, tmp_path / "clone"))
    place.write({"a/checkpoint": b"1"})
    remote.rename(tmp_path / "away")
    with pytest.raises(PublishError):
        place.write({"a/checkpoint": b"2"})
    (tmp_path / "away").rename(remote)
    assert place.read("a/checkpoint") == b"1"
    place.write({"a/checkpoint": b"2"})
    assert place.read("a/checkpoint") == b"2"


def test_several_places_are_named_by_commas(tmp_path: Path) -> None:
    names = [place.name for place in places_of(f"{tmp_path}, git:/x ,s3://b/p")]
    assert names == [str(tmp_path), "git:/x", "s3://b/p"]
    assert places_of("") == []
    with pytest.raises(ConfigError, match=r"ftp://\.\.\."):
        places_of("ftp://user:secret@host/x")
