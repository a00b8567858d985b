"""The story of a new user, as `make demo` plays it: every chapter, twice, and what it leaves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CHAPTERS = 6

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def _environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LINEAGE_")}
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PYTHONPATH": str(ROOT), "PATH": binaries, **more}


def _play(place: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "demo"],
        cwd=place,
        env=_environment(**environment),
        text=True,
        capture_output=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


def _lineage(place: Path, *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "lineage", *arguments, "--json"],
        cwd=place / "demo-run",
        env=_environment(LINEAGE_HOME=str(place / ".lineage")),
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_story_is_told_twice_and_leaves_a_sound_store(tmp_path: Path) -> None:
    for _ in range(2):
        told = _play(tmp_path)
        for chapter in range(1, CHAPTERS + 1):
            assert f"\n{chapter}. " in told
        assert told.count("IDENTICAL") == 2
        assert "LOST" in told
        assert ".parquet" in told
    verified = _lineage(tmp_path, "ledger", "verify")
    assert verified["sound"]
    assert verified["uninterpreted"] == 0
    assert _lineage(tmp_path, "rebuild")["equal"]
    kinds = {entry["kind"] for entry in _lineage(tmp_path, "ledger", "list", "--limit", "999")}
    assert kinds >= {
        "run.started", "run.finished", "table.committed", "owner.claimed", "owner.accepted",
        "gate.decided", "pin.created", "reproduction.finished",
    }  # fmt: skip


def test_the_store_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    own = tmp_path / ".lineage"
    own.mkdir()
    (own / "store.db").write_bytes(b"mine")
    told = _play(tmp_path)
    assert ".lineage-demo" in told
    assert (own / "store.db").read_bytes() == b"mine"


def test_what_came_to_the_demo_store_since_is_kept(tmp_path: Path) -> None:
    _play(tmp_path)
    _lineage(tmp_path, "owners", "claim", "model:other", "team:mine")
    position = _lineage(tmp_path, "ledger", "head")["seq"]
    assert ".lineage.kept-1" in _play(tmp_path)
    (tmp_path / ".lineage").rename(tmp_path / "fresh")
    (tmp_path / ".lineage.kept-1").rename(tmp_path / ".lineage")
    assert _lineage(tmp_path, "ledger", "head")["seq"] == position


def test_without_namespaces_and_without_a_compiler(tmp_path: Path) -> None:
    """A host that refuses both: the story is the same, and says what it fell back to."""
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("python", "lineage"):
        (bare / name).symlink_to(Path(sys.executable).parent / name)
    for name in ("git", "sh", "env", "uname"):
        found = shutil.which(name)
        if found:
            (bare / name).symlink_to(found)
    place = tmp_path / "place"
    place.mkdir()
    told = _play(place, LINEAGE_ISOLATION="in-process", PATH=str(bare), XDG_CACHE_HOME=str(bare))
    assert told.count("IDENTICAL") == 2
    assert "in-process" in told
    assert "compiler" in told
