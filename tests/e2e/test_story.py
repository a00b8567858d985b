"""The story of a new user, as `make demo` plays it: every chapter, twice, and what it leaves."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests import needs
from tests.java_server import NoServerError, installed
from tests.neo4j_server import Neo4jAt

ROOT = Path(__file__).parents[2]
CHAPTERS = 6

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def _environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LINEAGE_")}
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PYTHONPATH": str(ROOT), "PATH": binaries, **more}


def _play(
    place: Path, *words: str, environment: Mapping[str, str] = MappingProxyType({}), expect: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "demo", *words],
        cwd=place,
        env=_environment(**environment),
        text=True,
        capture_output=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == expect, done.stdout[-4000:] + done.stderr[-2000:]
    return done


def _lineage(place: Path, *arguments: str, **environment: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "lineage", *arguments, "--json"],
        cwd=place / "demo-run",
        env=_environment(LINEAGE_HOME=str(place / ".lineage"), **environment),
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _is_told(told: str) -> None:
    for chapter in range(1, CHAPTERS + 1):
        assert f"\n{chapter}. " in told
    assert told.count("IDENTICAL") == 2
    assert "LOST" in told
    assert ".parquet" in told


def _is_sound(place: Path, **store: str) -> None:
    verified = _lineage(place, "ledger", "verify", **store)
    assert verified["sound"]
    assert verified["uninterpreted"] == 0
    assert _lineage(place, "rebuild", **store)["equal"]
    entries = _lineage(place, "ledger", "list", "--limit", "999", **store)
    assert {entry["kind"] for entry in entries} >= {
        "run.started", "run.finished", "table.committed", "owner.claimed", "owner.accepted",
        "gate.decided", "pin.created", "reproduction.finished",
    }  # fmt: skip


def test_the_story_is_told_twice_and_leaves_a_sound_store(tmp_path: Path) -> None:
    for _ in range(2):
        _is_told(_play(tmp_path).stdout)
    _is_sound(tmp_path)


def test_on_a_neo4j_of_its_own_that_can_be_started_again(tmp_path: Path) -> None:
    try:
        installed("neo4j")
    except NoServerError as why:
        needs.missing("neo4j", str(why))
    told = _play(tmp_path, "--store", "neo4j").stdout
    _is_told(told)
    words = [word for line in told.splitlines() if "$ export LINEAGE" in line
             for word in shlex.split(line.partition("export ")[2])]  # fmt: skip
    store = dict(word.split("=", 1) for word in words)
    again = subprocess.Popen(
        [sys.executable, "-m", "demo.neo4j"],
        cwd=tmp_path, env=_environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert again.stdout is not None
        assert store["LINEAGE_STORE"] in again.stdout.readline()
        _is_sound(tmp_path, **store)
    finally:
        again.terminate()
        again.communicate()
    assert again.returncode == 0
    # Somebody may have recorded something meanwhile: the next demo does not throw it away.
    assert ".lineage.kept-1" in _play(tmp_path).stdout
    assert (tmp_path / ".lineage.kept-1" / "neo4j-server" / "password").exists()


def test_on_a_named_neo4j_again_but_never_over_what_is_of_somebody(
    tmp_path: Path, neo4j_at: Neo4jAt
) -> None:
    named = ("--store", "neo4j")
    _is_told(_play(tmp_path, *named, environment=neo4j_at.environment).stdout)
    _is_sound(tmp_path, **neo4j_at.environment)
    _is_told(_play(tmp_path, *named, environment=neo4j_at.environment).stdout)
    _lineage(tmp_path, "owners", "claim", "model:other", "team:mine", **neo4j_at.environment)
    head = _lineage(tmp_path, "ledger", "head", **neo4j_at.environment)
    refused = _play(tmp_path, *named, expect=2, environment=neo4j_at.environment)
    assert "Nothing was touched" in refused.stderr
    assert _lineage(tmp_path, "ledger", "head", **neo4j_at.environment) == head


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"PATH": "/nowhere"}, "there is no java on the PATH"),
        ({"LINEAGE_STORE": "neo4j://neo4j@127.0.0.1:1"}, "LINEAGE_STORE=neo4j://"),
        ({"LINEAGE_STORE": "oracle://x"}, "not understood"),
    ],
)
def test_without_a_neo4j_it_says_how_to_name_one(
    tmp_path: Path, environment: dict[str, str], said: str
) -> None:
    refused = _play(tmp_path, "--store", "neo4j", expect=2, environment=environment)
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / ".lineage").exists()


def test_the_store_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    own = tmp_path / ".lineage"
    own.mkdir()
    (own / "store.db").write_bytes(b"mine")
    assert ".lineage-demo" in _play(tmp_path).stdout
    assert (own / "store.db").read_bytes() == b"mine"


def test_what_came_to_the_demo_store_since_is_kept(tmp_path: Path) -> None:
    _play(tmp_path)
    _lineage(tmp_path, "owners", "claim", "model:other", "team:mine")
    position = _lineage(tmp_path, "ledger", "head")["seq"]
    assert ".lineage.kept-1" in _play(tmp_path).stdout
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
    more = {"LINEAGE_ISOLATION": "in-process", "PATH": str(bare), "XDG_CACHE_HOME": str(bare)}
    told = _play(place, environment=more).stdout
    assert told.count("IDENTICAL") == 2
    assert "in-process" in told
    assert "compiler" in told
