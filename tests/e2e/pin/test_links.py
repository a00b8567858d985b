"""Pins and vacuums: where links are impossible."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from lineage.errors import (
    CannotPinError,
    PinNeedsCopyError,
)
from lineage.reproduce.delta import (
    live_files,
)
from lineage.reproduce.pin import pin_version, pins_of
from tests.e2e.pin.tables import grown, rows, token


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder on another file system."""
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system at /dev/shm")
    return Path(tempfile.mkdtemp(dir=shared))


def test_without_links_a_copy_is_made_only_when_asked_for(tmp_path: Path, elsewhere: Path) -> None:
    table = grown(tmp_path / "tx")
    try:
        part = table / "p=a%20b"
        shutil.move(part, elsewhere / "part")
        part.symlink_to(elsewhere / "part")
        far = sum(size for path, size in live_files(table, 1) if path.startswith("p=a%20b"))
        with pytest.raises(PinNeedsCopyError) as refused:
            pin_version(table, token(table, 1))
        assert refused.value.where["bytes"] == far > 0
        assert f"{far:,}" in refused.value.message
        assert pins_of(table) == []
        pin = pin_version(table, token(table, 1), copy=True)
        assert (pin.method, pin.bytes_copied) == ("copy", far)
        wanted = rows(table, 1)
    finally:
        shutil.rmtree(elsewhere)
    assert rows(pin.location) == wanted


def test_a_pin_can_be_flushed_file_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no `syncfs`."""
    monkeypatch.setattr("lineage.reproduce.place._sync_file_system", lambda folder: False)
    flushed: list[int] = []
    real = os.fsync

    def fsync(number: int) -> None:
        flushed.append(number)
        real(number)

    monkeypatch.setattr(os, "fsync", fsync)
    table = grown(tmp_path / "tx")
    pin = pin_version(table, token(table, 1))
    files = [path for path in pin.location.rglob("*") if path.is_file()]
    assert len(flushed) > len(files)


def test_a_folder_that_cannot_be_written_is_an_error_with_advice(tmp_path: Path) -> None:
    table = grown(tmp_path / "lake" / "tx")
    (tmp_path / "lake" / ".lineage-pins").write_text("in the way")
    with pytest.raises(CannotPinError) as caught:
        pin_version(table, token(table, 1))
    assert "writable" in caught.value.hint
