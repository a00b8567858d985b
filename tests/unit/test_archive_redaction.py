"""What a redaction erases from the store is erased from its archive: rows, files, and leftovers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from lineage.errors import ArchiveDamagedError
from lineage.record.archive import (
    Archive,
    ArchiveSource,
    archive,
    redact_in_archive,
    rewrite_archives,
)
from lineage.record.archive.checking import verify_archive
from lineage.record.archive.rows import entry_table
from lineage.record.archive.table import ArchiveTable
from lineage.record.ledger import verify
from lineage.record.restore import restore
from lineage.store.blobs import DirectoryBlobs
from lineage.store.sqlite import SqliteStore
from tests.archiving import fill, new_store, on_disk, redact

SECRET = b'"secret-4"'
"""In the body of entry 5, and of no other."""


@pytest.fixture
def blobs(tmp_path: Path) -> DirectoryBlobs:
    return DirectoryBlobs(tmp_path / "blobs")


@pytest.fixture
def store(tmp_path: Path, blobs: DirectoryBlobs) -> SqliteStore:
    made = new_store(tmp_path)
    fill(made, blobs, 40)
    return made


@pytest.fixture
def place(tmp_path: Path, store: SqliteStore, blobs: DirectoryBlobs) -> Archive:
    made = Archive(str(tmp_path / "archive"))
    archive(store, blobs, made, unsealed=True)
    assert on_disk(Path(made.uri), SECRET), "the test would see nothing"
    return made


def _must_restore(store: SqliteStore, place: Archive, tmp_path: Path) -> None:
    again = new_store(tmp_path, "again")
    blobs = DirectoryBlobs(tmp_path / "again.blobs")
    restore(ArchiveSource(place), again, blobs)
    assert again.digest() == store.digest()
    assert not verify(again).faults
    again.close()


def test_an_archived_entry_is_erased_with_its_salt_and_its_files(
    store: SqliteStore, place: Archive, blobs: DirectoryBlobs, tmp_path: Path
) -> None:
    before = next(store.entries(4, 1))
    assert before.salt is not None
    stub = redact(store, 5)
    done = redact_in_archive(place, [stub])
    assert (done.entries, done.files) == (1, 1)
    assert on_disk(Path(place.uri), SECRET) == []
    assert on_disk(Path(place.uri), before.salt) == []
    assert redact_in_archive(place, [stub]).entries == 0, "repeating it changes nothing"
    archive(store, blobs, place, unsealed=True)
    _must_restore(store, place, tmp_path)


def test_archives_are_rewritten_by_place_and_those_out_of_reach_named(
    store: SqliteStore, place: Archive, blobs: DirectoryBlobs, tmp_path: Path
) -> None:
    (tmp_path / "damaged" / "entries_2026" / "_delta_log").mkdir(parents=True)
    (tmp_path / "damaged" / "entries_2026" / "_delta_log" / f"{0:020d}.json").write_text("{")
    damaged = str(tmp_path / "damaged")
    why = rewrite_archives(store, blobs, [place.uri, damaged], [redact(store, 5)], [])
    assert list(why) == [damaged]
    assert on_disk(Path(place.uri), SECRET) == []
    _must_restore(store, place, tmp_path)


def test_archiving_a_redaction_erases_what_it_erased(
    store: SqliteStore, place: Archive, blobs: DirectoryBlobs, tmp_path: Path
) -> None:
    redact(store, 5)
    assert archive(store, blobs, place, unsealed=True).erased == 1
    assert on_disk(Path(place.uri), SECRET) == []
    _must_restore(store, place, tmp_path)


def test_what_was_redacted_before_is_archived_as_the_stub(
    store: SqliteStore, blobs: DirectoryBlobs, tmp_path: Path
) -> None:
    redact(store, 5)
    place = Archive(str(tmp_path / "later"))
    archive(store, blobs, place, unsealed=True)
    assert on_disk(Path(place.uri), SECRET) == []
    _must_restore(store, place, tmp_path)


def test_a_second_redaction_of_one_entry_is_followed(
    store: SqliteStore, place: Archive, blobs: DirectoryBlobs, tmp_path: Path
) -> None:
    for event_id in ("b", "a", "c"):
        redact(store, 5, event_id=event_id)
        archive(store, blobs, place, unsealed=True)
    _must_restore(store, place, tmp_path)


def test_blobs_that_nothing_names_any_more_go(place: Archive, blobs: DirectoryBlobs) -> None:
    digest = next(d for d in blobs.all() if blobs.get(d) == b"a diff of 4")
    done = redact_in_archive(place, [], [digest])
    assert done.blob_parts == 1
    assert on_disk(Path(place.uri), b"a diff of 4") == []
    assert on_disk(Path(place.uri), b"a diff of 8") != []


def test_leftovers_of_killed_writers_and_compactions_are_found(
    store: SqliteStore, place: Archive, blobs: DirectoryBlobs, tmp_path: Path
) -> None:
    fill(store, blobs, 4)
    archive(store, blobs, place, unsealed=True)
    table = Path(place.uri, "entries_2026")
    (file,) = [f["path"] for f in place.entries(2026).files() if f["first"] == 1]
    for name in ("part-orphan.parquet", "part-other.parquet#1"):
        shutil.copy(table / file, table / name)
    place.compact()
    assert len(on_disk(Path(place.uri), SECRET)) >= 3
    redact_in_archive(place, [redact(store, 5)])
    assert on_disk(Path(place.uri), SECRET) == []
    archive(store, blobs, place, unsealed=True)
    _must_restore(store, place, tmp_path)


def test_a_file_that_is_swept_while_others_archive_is_no_fault(
    store: SqliteStore,
    place: Archive,
    blobs: DirectoryBlobs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Compacted since, it goes just as it is to be synced."""
    fill(store, blobs, 4)
    archive(store, blobs, place, unsealed=True)
    old = {Path(place.uri, "entries_2026", file["path"]) for file in place.entries(2026).files()}
    place.compact()
    assert all(path.exists() for path in old)
    real = os.open

    def swept(path: str | Path, *more: Any, **by_name: Any) -> int:
        if Path(path) in old:
            Path(path).unlink(missing_ok=True)
        return real(path, *more, **by_name)

    fill(store, blobs, 4)
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", swept)
        archive(store, blobs, Archive(place.uri), unsealed=True)
    assert not any(path.exists() for path in old)
    _must_restore(store, place, tmp_path)


def test_files_of_a_writer_that_erases_nothing_stay(store: SqliteStore, place: Archive) -> None:
    table = Path(place.uri, "entries_2026")
    with_it = place.entries(2026).files()[0]["path"]
    other = ArchiveTable(str(table.parent.parent / "other"), place.entries(2026).columns)
    assert other.append(entry_table(list(store.entries(20))), expected=0, written=40)
    shutil.copy(Path(other.uri, other.files()[0]["path"]), table / "part-in-flight.parquet")
    redact_in_archive(place, [redact(store, 5)])
    assert not (table / with_it).exists()
    assert (table / "part-in-flight.parquet").exists()


def test_an_archiver_that_read_before_the_redaction_cannot_commit_after_it(
    store: SqliteStore, place: Archive, blobs: DirectoryBlobs
) -> None:
    fill(store, blobs, 4)
    late = ArchiveTable(f"{place.uri}/entries_2026", place.entries(2026).columns)
    rows = entry_table(list(store.entries(40)))
    handle = late.open()
    redact_in_archive(place, [redact(store, 5)])
    late.open = lambda: handle  # type: ignore[method-assign]  # it stands at its snapshot
    assert not late.append(rows, expected=40, written=44)


def test_a_stub_without_its_redaction_is_not_believed(
    store: SqliteStore, place: Archive, tmp_path: Path
) -> None:
    path = f"{place.uri}/entries_2026"
    DeltaTable(path).update({"salt": "NULL"}, predicate="seq = 5")
    with pytest.raises(ArchiveDamagedError) as found:
        restore(ArchiveSource(place), new_store(tmp_path, "r"), DirectoryBlobs(tmp_path / "rb"))
    assert found.value.where["position"] == 5
    assert found.value.where["file"].endswith(".parquet")


def test_a_redaction_that_does_not_count_yet_is_believed(
    store: SqliteStore, place: Archive, blobs: DirectoryBlobs, tmp_path: Path
) -> None:
    """An archiver that was killed after it erased, and before its head."""
    redact(store, 5)
    archive(store, blobs, place, unsealed=True)
    DeltaTable(f"{place.uri}/heads").delete("size > 40")
    early = new_store(tmp_path, "early")
    done = restore(ArchiveSource(place), early, DirectoryBlobs(tmp_path / "eb"))
    assert (done.size, done.erased_later) == (40, [5])
    source = ArchiveSource(place)
    assert not verify_archive(source).faults


def test_a_point_before_a_redaction_shows_the_stub_and_says_so(
    store: SqliteStore, place: Archive, blobs: DirectoryBlobs, tmp_path: Path
) -> None:
    redact(store, 5)
    archive(store, blobs, place, unsealed=True)
    early = new_store(tmp_path, "early")
    done = restore(ArchiveSource(place), early, DirectoryBlobs(tmp_path / "eb"), until=30)
    assert done.erased_later == [5]
    assert next(early.entries(4, 1)).salt is None
    assert early.head().frontier.root().hex() == done.root
