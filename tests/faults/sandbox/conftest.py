"""Jobs in the sandbox that try to get out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineage.reproduce.isolation import probe
from tests import needs
from tests.faults.sandbox.jobs import HOST_ALLOWS, REPOSITORY, World


@pytest.fixture(autouse=True, scope="module")
def namespaces(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where the host allows namespaces at all, a sandbox that cannot be built is a failure."""
    place = tmp_path_factory.mktemp("probe")
    tried = subprocess.run(
        [sys.executable, "-c", HOST_ALLOWS, REPOSITORY, str(place)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if tried.returncode:
        needs.missing("namespaces", tried.stderr.strip().splitlines()[-1])
    probe(place)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A directory with a model, a table with its pin, a home with secrets; unchanged at the end."""
    for name in ("work/.lineage", "work/table/_delta_log", "pins/table/_delta_log", "home/.aws"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "work/model.bin").write_bytes(b"the real model")
    (tmp_path / "work/.lineage/store.key").write_text("key of the store")
    (tmp_path / "work/link").symlink_to(tmp_path / "outside")
    (tmp_path / "outside").write_text("outside")
    (tmp_path / "home/.aws/credentials").write_text("secret")
    (tmp_path / "home/.netrc").write_text("secret")
    (tmp_path / "home/.profile").write_text("profile")
    for name in ("part-0.parquet", "_delta_log/0.json"):
        (tmp_path / "work/table" / name).write_bytes(b"rows of version 0")
        os.link(tmp_path / "work/table" / name, tmp_path / "pins/table" / name)
    (tmp_path / "work/table/part-1.parquet").write_bytes(b"rows of version 1")
    world = World(tmp_path)
    world.scratch.mkdir()
    before = world.facts()
    yield world
    assert world.facts() == before
