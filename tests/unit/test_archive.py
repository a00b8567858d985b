"""An archive holds what a store held, once, and any store can be made of it again."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from lineage.errors import (
    ArchiveForeignError,
    ConfigError,
    NothingSealedError,
    TamperedError,
    UnknownNameError,
)
from lineage.model.canonical import canonical
from lineage.model.changes import parse_change
from lineage.model.claims import Claims
from lineage.model.notes import generate_key
from lineage.record.archive import Archive, Archived, ArchiveSource, archive
from lineage.record.archive.rows import PART_BYTES
from lineage.record.interpret import interpret
from lineage.record.ledger import verify
from lineage.record.recorder import Incoming, Recorder
from lineage.record.restore import restore
from lineage.store.blobs import DirectoryBlobs
from lineage.store.contract import NewEntry, Store
from lineage.store.memory import MemoryStore
from lineage.store.sqlite import SqliteStore
from tests.archiving import ACTOR, T0, fill, new_store, seal

KEY = generate_key("example.test/log")


@pytest.fixture
def blobs(tmp_path: Path) -> DirectoryBlobs:
    return DirectoryBlobs(tmp_path / "blobs")


@pytest.fixture
def store(tmp_path: Path, blobs: DirectoryBlobs) -> SqliteStore:
    made = new_store(tmp_path)
    fill(made, blobs, 40)
    return made


@pytest.fixture
def place(tmp_path: Path) -> Archive:
    return Archive(str(tmp_path / "archive"))


def _all(store: Store, blobs: DirectoryBlobs, place: Archive) -> Archived:
    return archive(store, blobs, place, unsealed=True)


def _restored(place: Archive, tmp_path: Path, name: str = "again") -> SqliteStore:
    made = new_store(tmp_path, name)
    restore(ArchiveSource(place), made, DirectoryBlobs(tmp_path / f"{name}.blobs"))
    return made


def test_only_what_is_sealed_is_archived(
    store: SqliteStore, blobs: DirectoryBlobs, place: Archive
) -> None:
    with pytest.raises(NothingSealedError):
        archive(store, blobs, place)
    sealed = seal(store, KEY)
    fill(store, blobs, 5)
    done = archive(store, blobs, place)
    assert (done.size, done.entries, done.checkpoints) == (sealed.size, 40, 1)
    assert archive(store, blobs, place).entries == 0
    assert _all(store, blobs, place).entries == 5


def test_restored_equals_archived_with_times_salts_and_checkpoints(
    store: SqliteStore, blobs: DirectoryBlobs, place: Archive, tmp_path: Path
) -> None:
    for _ in range(3):
        seal(store, KEY)
        fill(store, blobs, 7)
    done = _all(store, blobs, place)
    assert (done.size, done.checkpoints) == (61, 3)
    again = _restored(place, tmp_path)
    assert again.digest() == store.digest()
    assert again.head() == store.head()
    assert list(again.entries()) == list(store.entries())
    assert list(again.checkpoints()) == list(store.checkpoints())
    assert not verify(again, DirectoryBlobs(tmp_path / "again.blobs")).faults
    assert list(DirectoryBlobs(tmp_path / "again.blobs").all()) == list(blobs.all())


def test_an_archive_goes_on_where_it_ended_and_repeats_nothing(
    store: SqliteStore, blobs: DirectoryBlobs, place: Archive, tmp_path: Path
) -> None:
    for _ in range(4):
        _all(store, blobs, Archive(place.uri))
        fill(store, blobs, 6)
    table = DeltaTable(f"{place.uri}/entries_2026")
    assert sorted(pl.read_delta(str(table.table_uri))["seq"]) == list(range(1, 59))
    _all(store, blobs, place)
    assert _restored(place, tmp_path).digest() == store.digest()


def test_a_checkpoint_signed_after_its_entries_were_archived_joins_them(
    store: SqliteStore, blobs: DirectoryBlobs, place: Archive, tmp_path: Path
) -> None:
    _all(store, blobs, place)
    seal(store, KEY)
    assert _all(store, blobs, place).checkpoints == 1
    assert _all(store, blobs, place).checkpoints == 0
    assert list(_restored(place, tmp_path).checkpoints()) == list(store.checkpoints())


def test_a_checkpoint_between_what_was_archived_is_not_left_out(
    store: SqliteStore, blobs: DirectoryBlobs, place: Archive, tmp_path: Path
) -> None:
    _all(store, blobs, place)
    seal(store, KEY)
    fill(store, blobs, 5)
    seal(store, KEY)
    assert archive(store, blobs, place).checkpoints == 2
    assert list(_restored(place, tmp_path).checkpoints()) == list(store.checkpoints())


def test_the_archive_of_another_ledger_is_refused(
    store: SqliteStore, blobs: DirectoryBlobs, place: Archive, tmp_path: Path
) -> None:
    _all(store, blobs, place)
    other = new_store(tmp_path, "other")
    fill(other, blobs, 50)
    with pytest.raises(ArchiveForeignError, match="not those of the archive"):
        _all(other, blobs, place)
    behind = new_store(tmp_path, "behind")
    restore(ArchiveSource(place), behind, blobs, until=20)
    with pytest.raises(ArchiveForeignError, match="holds 40 entries, this store 20"):
        _all(behind, blobs, place)


def test_what_does_not_hold_is_not_archived(
    store: SqliteStore, blobs: DirectoryBlobs, place: Archive, tmp_path: Path
) -> None:
    import apsw

    store.close()
    connection = apsw.Connection(str(tmp_path / "store.db"))
    connection.execute("UPDATE entry SET salt = zeroblob(16) WHERE seq = 7")
    connection.close()
    with pytest.raises(TamperedError) as found:
        _all(SqliteStore(tmp_path / "store.db", interpret), blobs, place)
    assert found.value.where["position"] == 7


def test_years_have_tables_of_their_own(tmp_path: Path, blobs: DirectoryBlobs) -> None:
    quarters = count(T0, 7_900_000_000_000)  # about three months, and every read of the clock one
    store = SqliteStore(tmp_path / "s.db", interpret, clock=lambda: next(quarters))
    fill(store, blobs, 30)
    place = Archive(str(tmp_path / "archive"))
    assert _all(store, blobs, place).size == 30
    names = sorted(path.name for path in Path(place.uri).iterdir())
    assert names[:4] == ["blobs", "entries_2026", "entries_2027", "entries_2028"]
    again = _restored(place, tmp_path)
    assert again.digest() == store.digest()
    source = ArchiveSource(place)
    for entry in store.entries():
        assert source.position_at(entry.recorded_at) == entry.seq
        assert source.position_at(entry.recorded_at - 1) == entry.seq - 1


def test_texts_that_are_no_unicode_survive(
    store: SqliteStore, blobs: DirectoryBlobs, place: Archive, tmp_path: Path
) -> None:
    store.append([NewEntry("odd", 1, "a\ud800", "id\udfff", ACTOR, b"\xff\x00", Claims())])
    _all(store, blobs, place)
    again = _restored(place, tmp_path)
    assert list(again.entries(40)) == list(store.entries(40))
    assert again.digest() == store.digest()


def test_large_blobs_go_in_parts_and_each_blob_once(
    store: SqliteStore, blobs: DirectoryBlobs, place: Archive, tmp_path: Path
) -> None:
    data = bytes(range(256)) * ((2 * PART_BYTES + 1000) // 256)
    digest = blobs.put(data)
    fill(store, blobs, 3)
    recorder = Recorder(store, key=b"k" * 32)
    body = b'{"code":{"source":{"sha256":"%s","size":%d}}}' % (digest.encode(), len(data))
    for n in "ab":
        recorder.record([Incoming("run.started", 2, "s", body, T0, n)], ACTOR)
    _all(store, blobs, place)
    parts = pl.read_delta(f"{place.uri}/blobs").filter(pl.col("sha256") == digest)
    assert sorted(parts["part"]) == [0, 1, 2]
    _restored(place, tmp_path)
    assert DirectoryBlobs(tmp_path / "again.blobs").get(digest) == data


def test_what_only_versions_and_lists_of_folders_name_comes_along(
    store: SqliteStore, blobs: DirectoryBlobs, place: Archive, tmp_path: Path
) -> None:
    """A run's small files of settings: reproduction needs them, and no body refers to them."""
    read, listed, other = (blobs.put(name) for name in (b"read", b"listed", b"nobody's"))
    inner = blobs.put(canonical([["a.yaml", f"sha256.{listed}", ""]]))
    outer = blobs.put(canonical([["conf", "", inner]]))
    base = {"namespace": "file", "at": T0}
    change = parse_change({
        "kind": "run.finished", "v": 1, "event_at": T0, "state": "COMPLETE",
        "run": {"namespace": "n", "job": "j", "run_id": "x"},
        "uses": [
            {**base, "name": "/c.yaml", "version": f"sha256.{read}"},
            {**base, "name": "/conf", "artifact_kind": "directory", "manifest": outer},
        ],
    })  # fmt: skip
    Recorder(store, key=b"k" * 32).record_changes([change], source="s", actor=ACTOR)
    _all(store, blobs, place)
    _restored(place, tmp_path)
    came = set(DirectoryBlobs(tmp_path / "again.blobs").all())
    assert came >= {read, listed, inner, outer}
    assert other not in came


def test_a_blob_that_was_lost_is_named(
    store: SqliteStore, blobs: DirectoryBlobs, place: Archive, tmp_path: Path
) -> None:
    lost = next(iter(blobs.all()))
    (tmp_path / "blobs" / lost[:2] / lost[2:]).unlink()
    with pytest.raises(UnknownNameError, match=lost):
        _all(store, blobs, place)
    done = archive(store, blobs, place, unsealed=True, skip_missing=True)
    assert done.missing_blobs == [lost]
    again = new_store(tmp_path, "again")
    result = restore(ArchiveSource(place), again, DirectoryBlobs(tmp_path / "b2"))
    assert result.missing_blobs[0] == lost


def test_any_engine_reads_it_with_plain_types(
    store: SqliteStore, blobs: DirectoryBlobs, place: Archive
) -> None:
    _all(store, blobs, place)
    frame = pl.scan_delta(f"{place.uri}/entries_2026")
    kinds = frame.group_by("kind").len().sort("kind").collect()
    assert dict(kinds.iter_rows()) == {
        "openlineage.run": 10, "owner.claimed": 10, "run.started": 10, "table.committed": 10,
    }  # fmt: skip
    jobs = frame.filter(pl.col("kind") == "openlineage.run").select(
        pl.col("body").cast(pl.String).str.json_path_match("$.run.runId"), "recorded_at"
    )
    first = jobs.sort("recorded_at").collect().row(0)
    assert first[0] == "r3"
    assert first[1].tzinfo is not None


def test_compacting_merges_files_and_changes_nothing(
    store: SqliteStore, blobs: DirectoryBlobs, place: Archive, tmp_path: Path
) -> None:
    for _ in range(5):
        fill(store, blobs, 4)
        _all(store, blobs, place)
    before, after = place.compact()
    assert after < before
    assert len(place.entries(2026).files()) == 1
    fill(store, blobs, 4)
    _all(store, blobs, place)
    assert _restored(place, tmp_path).digest() == store.digest()


def test_appending_keeps_the_log_and_statistics_hold_no_contents(
    store: SqliteStore, blobs: DirectoryBlobs, place: Archive
) -> None:
    _all(store, blobs, place)
    table = DeltaTable(f"{place.uri}/entries_2026")
    assert table.metadata().configuration["delta.enableExpiredLogCleanup"] == "false"
    logs = b"".join(path.read_bytes() for path in Path(place.uri).rglob("*.json"))
    assert b"secret" not in logs
    assert b'\\"maxValues' in logs


def test_what_counts_is_on_disk(
    store: SqliteStore, blobs: DirectoryBlobs, place: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """deltalake syncs nothing: without it a commit can be an empty file after a power cut."""
    synced: list[Path] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    _all(store, blobs, place)
    root = Path(place.uri)
    files = {path for path in root.rglob("*") if path.is_file()}
    assert files <= set(synced)
    assert {path.parent for path in files} | {root, root.parent} <= set(synced)
    heads = [n for n, path in enumerate(synced) if "heads" in path.parts]
    others = [n for n, path in enumerate(synced) if path.suffix == ".parquet" and n not in heads]
    assert max(others) < min(heads), "a head is written after what it covers is on disk"


@pytest.mark.parametrize("make", [lambda path: MemoryStore(interpret), None])
def test_any_kind_of_store_is_archived_and_restored(
    make: Callable[[Path], Store] | None, blobs: DirectoryBlobs, place: Archive, tmp_path: Path
) -> None:
    store = make(tmp_path) if make else new_store(tmp_path)
    fill(store, blobs, 30)
    seal(store, KEY)
    archive(store, blobs, place)
    for number, other in enumerate([MemoryStore(interpret), new_store(tmp_path, "other")]):
        restore(ArchiveSource(place), other, DirectoryBlobs(tmp_path / f"b{number}"))
        assert other.digest(recorded=False) == store.digest(recorded=False)
        assert other.head() == store.head()
        assert list(other.checkpoints()) == list(store.checkpoints())


@pytest.mark.parametrize("target", ["ftp://x/y", "s3://user:password@bucket/x", "s3://b/x?a=b"])
def test_a_place_that_is_none_is_refused_without_showing_secrets(target: str) -> None:
    with pytest.raises(ConfigError) as found:
        Archive(target)
    assert "password" not in found.value.message


def test_there_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError):
        ArchiveSource(Archive(str(tmp_path / "none")))
