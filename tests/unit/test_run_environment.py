"""The environment of a run, read from outside."""

from __future__ import annotations

import os
from pathlib import Path

from lineage.capture.run.environment import distributions

LONGEST_NAME = 200


def deep(folder: Path) -> Path:
    """A folder whose own path can still be opened, but the path of nothing in it."""
    longest = os.pathconf(folder, "PC_PATH_MAX") - 1
    while (left := longest - len(os.fsencode(folder)) - 1) > 0:
        folder /= "d" * (left if left <= LONGEST_NAME else min(LONGEST_NAME, left - 2))
    folder.mkdir(parents=True)
    return folder


def test_a_distribution_that_cannot_be_looked_at_hides_no_other(tmp_path: Path) -> None:
    unseen, seen = deep(tmp_path), tmp_path / "site"
    descriptor = os.open(unseen, os.O_RDONLY)
    os.mkdir("far-1.0.dist-info", dir_fd=descriptor)
    os.close(descriptor)
    (seen / "near-2.0.dist-info").mkdir(parents=True)
    (seen / "near-2.0.dist-info" / "METADATA").write_text("Name: near\nVersion: 2.0\n\n")
    found = distributions((str(unseen), str(seen)))
    assert [one["name"] for one in found] == ["near"]
