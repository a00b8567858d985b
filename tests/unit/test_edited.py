"""Which installed files count as changed after a run: by the clock first, then by their digests."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

import pytest

from lineage.reproduce.edited import Edited, edited_since

END = 1_700_000_000_000_000
"""Microseconds: when the run ended."""
BEFORE, AFTER = END // 1_000_000 - 1, END // 1_000_000 + 1


def install(site: Path, name: str, text: str, *, hashed: bool, at: int) -> Path:
    """A distribution of one module, with or without digests in its RECORD."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
    said = f"sha256={digest},{len(text)}" if hashed else ","
    (info / "RECORD").write_text(f"{name}.py,{said}\n{name}-1.0.dist-info/RECORD,,\ngone.py,,\n")
    module = site / f"{name}.py"
    write(module, text, at)
    return module


def write(path: Path, text: str, at: int) -> None:
    path.write_text(text)
    os.utime(path, (at, at))


@pytest.mark.parametrize("hashed", [True, False])
def test_a_file_edited_after_the_run_is_found(tmp_path: Path, hashed: bool) -> None:
    module = install(tmp_path, "mylib", "X = 1\n", hashed=hashed, at=BEFORE)
    assert edited_since([str(tmp_path)], END) == []
    write(module, "X = 2\n", AFTER)
    assert edited_since([str(tmp_path)], END) == [Edited("mylib", "1.0", ("mylib.py",))]
    assert edited_since([str(tmp_path)], END, besides={"mylib"}) == []


def test_an_edit_before_the_run_is_what_the_run_had(tmp_path: Path) -> None:
    module = install(tmp_path, "mylib", "X = 1\n", hashed=True, at=BEFORE)
    write(module, "X = 2\n", BEFORE)
    assert edited_since([str(tmp_path)], END) == []


def test_the_same_bytes_installed_again_are_the_same(tmp_path: Path) -> None:
    install(tmp_path, "mylib", "X = 1\n", hashed=True, at=AFTER)
    install(tmp_path, "other", "X = 1\n", hashed=False, at=AFTER)
    assert [one.name for one in edited_since([str(tmp_path)], END)] == ["other"]


def test_the_first_of_a_name_on_the_path_counts(tmp_path: Path) -> None:
    install(tmp_path / "a", "mylib", "X = 1\n", hashed=True, at=BEFORE)
    second = install(tmp_path / "b", "mylib", "X = 1\n", hashed=True, at=BEFORE)
    write(second, "X = 2\n", AFTER)
    assert edited_since([str(tmp_path / "a"), str(tmp_path / "b")], END) == []
