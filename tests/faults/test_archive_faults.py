"""kill -9 at every step of archiving, redacting and restoring; several at once; no space left."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from lineage.errors import ArchiveFullError
from lineage.model.notes import generate_key
from lineage.record.archive import Archive, ArchiveSource, archive, redact_in_archive
from lineage.record.interpret import interpret
from lineage.record.ledger import verify
from lineage.record.restore import restore
from lineage.store.blobs import DirectoryBlobs
from lineage.store.memory import MemoryStore
from lineage.store.sqlite import SqliteStore
from tests.archiving import fill, new_store, on_disk, redact, seal
from tests.disks import small_disk

STEPS = Path(__file__).with_name("archive_steps.py")
ROOT = STEPS.parents[2]
KEY = generate_key("example.test/log")
SECRET = b'"secret-4"'
ENTRIES = 24


def _start(what: str, place: Path, step: int = 0) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, STEPS, what, place, str(step)], cwd=ROOT, stdout=subprocess.PIPE
    )


def _killed(what: str, place: Path, step: int) -> bool:
    """Whether it was killed at a step; False: it has no such step."""
    with _start(what, place, step) as process:
        status = process.wait(120)
    assert status in {0, -signal.SIGKILL}
    return status != 0


SHARES = 4
"""How many tests share the steps: each has its time, and they can run side by side."""


@pytest.fixture(params=range(SHARES))
def first(request: pytest.FixtureRequest) -> int:
    """The first step of a share, the next is ``SHARES`` later."""
    return 1 + int(request.param)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed store."""
    place = tmp_path_factory.mktemp("made")
    store = new_store(place)
    blobs = DirectoryBlobs(place / "store.blobs")
    fill(store, blobs, ENTRIES // 2)
    seal(store, KEY)
    fill(store, blobs, ENTRIES // 2)
    store.close()
    return place


def _copy(made: Path, tmp_path: Path, name: str) -> Path:
    return Path(shutil.copytree(made, tmp_path / name))


def _must_be_whole(place: Path) -> None:
    """Every entry once, all of it proved, and equal to the store when restored."""
    store = SqliteStore(place / "store.db", interpret)
    tables = [pl.read_delta(str(year)) for year in (place / "archive").glob("entries_*")]
    assert sorted(pl.concat(tables)["seq"]) == list(range(1, store.head().seq + 1))
    again = SqliteStore(place / "whole.db", interpret)
    blobs = DirectoryBlobs(place / "whole.blobs")
    done = restore(ArchiveSource(Archive(str(place / "archive"))), again, blobs)
    assert done.missing_blobs == []
    assert again.digest() == store.digest()
    assert list(again.checkpoints()) == list(store.checkpoints())
    assert not verify(again, blobs).faults
    for one in (store, again):
        one.close()


def _what_counts_can_be_restored(place: Path) -> None:
    archived = Archive(str(place / "archive"))
    if archived.last() is None:
        return
    again = MemoryStore(interpret)
    size = restore(ArchiveSource(archived), again, DirectoryBlobs(place / "counts.blobs")).size
    assert again.head().seq == size


def _archive(place: Path) -> None:
    store = SqliteStore(place / "store.db", interpret)
    blobs = DirectoryBlobs(place / "store.blobs")
    archive(store, blobs, Archive(str(place / "archive")), unsealed=True)
    store.close()


@pytest.mark.slow
def test_an_archiver_killed_at_any_step_is_followed_by_one_that_ends_the_same(
    made: Path, tmp_path: Path, first: int
) -> None:
    step = first
    while True:
        place = _copy(made, tmp_path, f"archive{step}")
        if not _killed("archive", place, step):
            break
        _what_counts_can_be_restored(place)
        _archive(place)
        _must_be_whole(place)
        shutil.rmtree(place)
        step += SHARES
    assert step > 20, "it was not killed where it writes"


@pytest.mark.slow
def test_archiving_a_redaction_killed_at_any_step_leaves_nothing_that_is_not_believed(
    made: Path, tmp_path: Path, first: int
) -> None:
    before = _copy(made, tmp_path, "before")
    _archive(before)
    store = SqliteStore(before / "store.db", interpret)
    redact(store, 5)
    fill(store, DirectoryBlobs(before / "store.blobs"), 3)
    store.close()
    step = first
    while True:
        place = _copy(before, tmp_path, f"redacted{step}")
        if not _killed("archive", place, step):
            break
        _what_counts_can_be_restored(place)
        _archive(place)
        assert on_disk(place / "archive", SECRET) == []
        _must_be_whole(place)
        shutil.rmtree(place)
        step += SHARES
    assert step > 12, "it was not killed where it writes"


@pytest.mark.slow
def test_a_redaction_killed_at_any_step_is_followed_by_one_that_ends_the_same(
    made: Path, tmp_path: Path, first: int
) -> None:
    before = _copy(made, tmp_path, "before")
    _archive(before)
    store = SqliteStore(before / "store.db", interpret)
    blobs = DirectoryBlobs(before / "store.blobs")
    stub = redact(store, 5)
    store.close()
    digest = next(name for name in blobs.all() if blobs.get(name) == b"a diff of 4")
    (before / "erased").write_text(digest)
    step = first
    while True:
        place = _copy(before, tmp_path, f"redact{step}")
        if not _killed("redact", place, step):
            break
        redact_in_archive(Archive(str(place / "archive")), [stub], [digest])
        assert on_disk(place / "archive", SECRET) == []
        assert on_disk(place / "archive", b"a diff of 4") == []
        shutil.rmtree(place)
        step += SHARES
    assert step > 8, "it was not killed where it writes"


@pytest.mark.slow
def test_a_restore_killed_at_any_step_goes_on(made: Path, tmp_path: Path, first: int) -> None:
    before = _copy(made, tmp_path, "before")
    _archive(before)
    step = first
    while True:
        place = _copy(before, tmp_path, f"restore{step}")
        if not _killed("restore", place, step):
            break
        assert not _killed("restore", place, 0)
        store, again = (SqliteStore(place / name, interpret) for name in ("store.db", "again.db"))
        assert again.digest() == store.digest()
        assert list(again.checkpoints()) == list(store.checkpoints())
        assert not verify(again, DirectoryBlobs(place / "again.blobs")).faults
        store.close()
        again.close()
        shutil.rmtree(place)
        step += SHARES
    assert step > 8, "it was not killed where it writes"


@pytest.mark.slow
def test_an_archiver_killed_at_any_moment_leaves_nothing_twice(made: Path, tmp_path: Path) -> None:
    place = _copy(made, tmp_path, "moments")
    killed, dice = 0, random.Random(20261121)
    for _ in range(12):
        process = _start("archive", place)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(dice.uniform(0, 0.15))
        process.kill()
        killed += process.wait() == -signal.SIGKILL
        process.stdout.close()
        store = SqliteStore(place / "store.db", interpret)
        fill(store, DirectoryBlobs(place / "store.blobs"), 20)
        store.close()
    assert killed > 3
    _archive(place)
    _must_be_whole(place)


def test_several_archivers_at_once_archive_each_entry_once(made: Path, tmp_path: Path) -> None:
    place = _copy(made, tmp_path, "several")
    store = SqliteStore(place / "store.db", interpret)
    fill(store, DirectoryBlobs(place / "store.blobs"), 80)
    store.close()
    processes = [_start("archive", place) for _ in range(3)]
    for process in processes:
        with process:
            assert process.wait(200) == 0
    _must_be_whole(place)


@pytest.fixture
def tiny_disk() -> Iterator[Path]:
    with small_disk("1m") as place:
        yield place


def _fill_up(store: SqliteStore, blobs: DirectoryBlobs, target: Archive) -> None:
    for _ in range(40):
        fill(store, blobs, 40, note=random.randbytes(3000).hex())
        archive(store, blobs, target, unsealed=True)


def test_a_full_disk_is_said_and_it_goes_on_with_room(
    made: Path, tiny_disk: Path, tmp_path: Path
) -> None:
    place = _copy(made, tmp_path, "full")
    store = SqliteStore(place / "store.db", interpret)
    blobs = DirectoryBlobs(place / "store.blobs")
    target = Archive(str(tiny_disk / "archive"))
    assert archive(store, blobs, target, unsealed=True).size == ENTRIES
    (tiny_disk / "ballast").write_bytes(b"x" * 1_000_000)
    with pytest.raises(ArchiveFullError) as found:
        _fill_up(store, blobs, target)
    assert found.value.retryable
    (tiny_disk / "ballast").unlink()
    assert archive(store, blobs, target, unsealed=True).size == store.head().seq
    again = new_store(tmp_path, "again")
    restore(ArchiveSource(target), again, DirectoryBlobs(tmp_path / "again.blobs"))
    assert again.digest() == store.digest()
