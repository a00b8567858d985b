"""Restoring proves everything first: what was altered is named, and nothing of it is appended."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake

from lineage.errors import (
    ArchiveDamagedError,
    BadSignatureError,
    LineageError,
    RestoreOccupiedError,
    UnknownNameError,
)
from lineage.model.notes import generate_key
from lineage.record.archive import Archive, ArchiveSource, archive
from lineage.record.archive.checking import verify_archive
from lineage.record.restore import Restored, restore
from lineage.store.blobs import DirectoryBlobs
from lineage.store.sqlite import SqliteStore
from tests.archiving import fill, new_store, seal

KEY = generate_key("example.test/log")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[SqliteStore, Path]:
    """A store of 40 entries, sealed at 20 and 40, archived in two batches."""
    place = tmp_path_factory.mktemp("made")
    store, blobs = new_store(place), DirectoryBlobs(place / "blobs")
    for _ in range(2):
        fill(store, blobs, 20)
        seal(store, KEY)
        archive(store, blobs, Archive(str(place / "archive")))
    return store, place / "archive"


@pytest.fixture
def copy(made: tuple[SqliteStore, Path], tmp_path: Path) -> Path:
    """The archive, to be altered."""
    return Path(shutil.copytree(made[1], tmp_path / "archive"))


def _restore(place: Path, tmp_path: Path, name: str = "again", **more: object) -> Restored:
    target = new_store(tmp_path, name)
    try:
        source = ArchiveSource(Archive(str(place)))
        return restore(source, target, DirectoryBlobs(tmp_path / f"{name}.blobs"), **more)  # type: ignore[arg-type]
    finally:
        target.close()


def _entries(place: Path) -> DeltaTable:
    return DeltaTable(place / "entries_2026")


def _set(column: str, value: str) -> Callable[[Path], object]:
    return lambda place: _entries(place).update({column: value}, predicate="seq = 27")


ALTERED: dict[str, Callable[[Path], object]] = {
    "body": _set("body", "arrow_cast('x', 'Binary')"),
    "salt": _set("salt", "arrow_cast('0123456789abcdef', 'Binary')"),
    "commitment": _set("commitment", "arrow_cast('x', 'Binary')"),
    "leaf": _set("leaf", "arrow_cast('x', 'Binary')"),
    "time": _set("recorded_at", "recorded_at + INTERVAL '1' SECOND"),
    "kind": _set("kind", "'run.started'"),
    "version": _set("v", "2"),
    "source": _set("source", "'other'"),
    "event id": _set("event_id", "'other'"),
    "actor": _set("actor", "'person:other'"),
    "verified": _set("verified", "'token'"),
    "seq": _set("seq", "seq + 1000"),
    "gone": lambda place: _entries(place).delete("seq = 27"),
    "twice": lambda place: _entries(place).update({"seq": "27"}, predicate="seq = 28"),
}


@pytest.mark.parametrize("what", ALTERED)
def test_an_altered_row_is_named_and_nothing_is_appended(
    what: str, copy: Path, tmp_path: Path
) -> None:
    ALTERED[what](copy)
    with pytest.raises(ArchiveDamagedError) as found:
        _restore(copy, tmp_path)
    assert found.value.where["position"] in {27, 28}, found.value
    # What was proved may be there; nothing that does not hold is.
    assert new_store(tmp_path, "again").head().seq <= 26
    assert _restore(copy, tmp_path, "before", until=20).size == 20


def test_the_tail_cut_off_is_missing(copy: Path, tmp_path: Path) -> None:
    _entries(copy).delete("seq > 35")
    with pytest.raises(ArchiveDamagedError) as found:
        _restore(copy, tmp_path)
    assert found.value.where["position"] == 36


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("root", "arrow_cast('x', 'Binary')"),
        ("frontier", "arrow_cast('x', 'Binary')"),
        (
            "checkpoint",
            "replace(checkpoint, chr(10) || '40' || chr(10), chr(10) || '41' || chr(10))",
        ),
        ("size", "size + 1"),
    ],
)
def test_an_altered_head_is_found(column: str, value: str, copy: Path, tmp_path: Path) -> None:
    DeltaTable(copy / "heads").update({column: value}, predicate="size = 40")
    with pytest.raises(ArchiveDamagedError):
        _restore(copy, tmp_path)


@pytest.mark.parametrize(
    "years",
    [
        {"first_year": "1", "last_year": "2147483647"},
        {"first_year": "-5"},
        {"last_year": "10000"},
        {"last_year": "first_year - 1"},
    ],
)
def test_years_that_cannot_be_are_refused_at_once(
    years: dict[str, str], copy: Path, tmp_path: Path
) -> None:
    DeltaTable(copy / "heads").update(years, predicate="size = 40")
    with pytest.raises(ArchiveDamagedError, match="of the years"):
        _restore(copy, tmp_path)


@pytest.mark.parametrize("form", ["{}", "../../{}", "%2e%2e/%2e%2e/{}", "file://{}"])
def test_a_file_outside_of_the_table_is_not_read(form: str, copy: Path, tmp_path: Path) -> None:
    """The very file, moved: nothing but the place is wrong."""
    (commit,) = (
        path for path in (copy / "heads" / "_delta_log").glob("*.json")
        if '"add"' in path.read_text() and "000002" in path.name
    )  # fmt: skip
    lines = list(map(json.loads, commit.read_text().splitlines()))
    for line in lines:
        if "add" in line:
            outside = (copy / "heads" / line["add"]["path"]).rename(tmp_path / "outside.parquet")
            name = outside.name if form.startswith((".", "%")) else str(outside)
            line["add"]["path"] = form.format(name)
    commit.write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(ArchiveDamagedError, match="outside of it"):
        _restore(copy, tmp_path)


def test_an_altered_blob_is_found(copy: Path, tmp_path: Path) -> None:
    DeltaTable(copy / "blobs").update({"data": "arrow_cast('x', 'Binary')"}, predicate="seq = 5")
    with pytest.raises(ArchiveDamagedError, match="blob"):
        _restore(copy, tmp_path)


def test_a_file_that_is_gone_or_no_parquet_is_named(copy: Path, tmp_path: Path) -> None:
    file = next((copy / "entries_2026").glob("*.parquet"))
    for spoil in (lambda: file.write_bytes(b"PAR1" + b"x" * 100 + b"PAR1"), file.unlink):
        spoil()
        with pytest.raises(ArchiveDamagedError) as found:
            _restore(copy, tmp_path)
        assert found.value.where["table"] == "entries_2026"


def _regions(file: Path) -> list[int]:
    """An offset in each region of some bytes."""
    size = file.stat().st_size
    step = max(1, size // 24)
    rng = random.Random(file.name.partition("-")[0] + str(size))
    return [min(size - 1, start + rng.randrange(step)) for start in range(0, size, step)]


@pytest.mark.slow
def test_a_flipped_byte_is_found_or_was_none_of_the_contents(
    made: tuple[SqliteStore, Path], copy: Path
) -> None:
    """Of Parquet's own notes and of Delta's (who wrote, when) a byte may change nothing read."""
    wanted = list(made[0].entries())
    found = 0
    for file in sorted(path for path in copy.rglob("*") if path.is_file()):
        data = file.read_bytes()
        for offset in _regions(file):
            spoilt = bytearray(data)
            spoilt[offset] ^= 0x10
            file.write_bytes(spoilt)
            try:
                source = ArchiveSource(Archive(str(copy)))
                result = verify_archive(source)
                if result.faults:
                    assert result.first_bad is not None
                    found += 1
                else:
                    assert list(source.entries()) == wanted, (file, offset)
            except LineageError:
                found += 1
        file.write_bytes(data)
    assert found > 50


def test_until_a_position_a_time_and_every_size(
    made: tuple[SqliteStore, Path], tmp_path: Path
) -> None:
    store, place = made
    whole = list(store.entries())
    for until in (1, 19, 20, 21, 40):
        name = f"u{until}"
        done = _restore(place, tmp_path, name, until=until)
        again = new_store(tmp_path, name)
        assert list(again.entries()) == whole[:until]
        assert done.sealed == until
        assert done.checkpoints == until // 20
    with pytest.raises(UnknownNameError, match="ends at 40"):
        _restore(place, tmp_path, until=41)


def test_a_restore_goes_on_and_takes_nothing_away(
    made: tuple[SqliteStore, Path], tmp_path: Path
) -> None:
    store, place = made
    _restore(place, tmp_path, until=13)
    assert _restore(place, tmp_path).entries == 27
    assert _restore(place, tmp_path).entries == 0
    assert new_store(tmp_path, "again").digest() == store.digest()
    with pytest.raises(RestoreOccupiedError, match="40 entries already"):
        _restore(place, tmp_path, until=13)
    other = new_store(tmp_path, "other")
    fill(other, DirectoryBlobs(tmp_path / "x"), 5)
    other.close()
    with pytest.raises(RestoreOccupiedError, match="not the first"):
        _restore(place, tmp_path, "other")
    assert new_store(tmp_path, "other").head().seq == 5


def test_the_last_checkpoint_must_be_signed_by_a_known_key(
    made: tuple[SqliteStore, Path], tmp_path: Path
) -> None:
    place = made[1]
    assert _restore(place, tmp_path, keys=[KEY.public]).sealed == 40
    with pytest.raises(BadSignatureError):
        _restore(place, tmp_path, "b", keys=[generate_key("example.test/log").public])


def test_a_signed_checkpoint_vouches_for_what_comes_before_it(
    made: tuple[SqliteStore, Path], tmp_path: Path
) -> None:
    """Other 20 entries, with a head of their own, under what was signed of 40."""
    forger, forged = new_store(tmp_path, "forger"), tmp_path / "forged"
    fill(forger, DirectoryBlobs(tmp_path / "x"), 20)
    archive(forger, DirectoryBlobs(tmp_path / "x"), Archive(str(forged)), unsealed=True)
    for table, rest in (("entries_2026", "seq > 20"), ("heads", "size > 20")):
        rows = QueryBuilder().register("t", DeltaTable(made[1] / table))
        more = rows.execute(f"SELECT * FROM t WHERE {rest}").read_all()
        write_deltalake(forged / table, more, mode="append")
    assert _restore(forged, tmp_path, "trusting", until=20).size == 20
    for name, asked in (
        ("a", {"keys": [KEY.public]}),
        ("b", {"expect": {40: made[0].head().frontier.root()}}),
    ):
        with pytest.raises(ArchiveDamagedError):
            _restore(forged, tmp_path, name, until=20, **asked)


def test_a_root_kept_elsewhere_is_compared(made: tuple[SqliteStore, Path], tmp_path: Path) -> None:
    store, place = made
    root = store.head().frontier.root()
    assert _restore(place, tmp_path, expect={40: root}).size == 40
    with pytest.raises(ArchiveDamagedError):
        _restore(place, tmp_path, "b", expect={40: b"x" * 32})
    with pytest.raises(ArchiveDamagedError) as found:
        _restore(place, tmp_path, "c", expect={33: b"x" * 32})
    assert found.value.where["position"] == 21
    with pytest.raises(ArchiveDamagedError):
        _restore(place, tmp_path, "d", expect={41: root})
