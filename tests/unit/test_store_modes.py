"""What is recorded is its owner's alone to read."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lineage.settings import load_settings
from lineage.wiring import open_workspace


def test_a_new_store_is_its_owners_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with open_workspace(load_settings({"LINEAGE_HOME": str(home)})) as workspace:
        workspace.blobs.put(b"x")
        workspace.store.head()
        made = [home, *home.rglob("*")]
        assert {"store.db", "store.db-wal", "store.db-shm"} <= {path.name for path in made}
        for path in made:
            assert path.stat().st_mode & 0o077 == 0, path


def test_the_default_home_keeps_itself_out_of_the_projects_git(tmp_path: Path) -> None:
    """Its key and its record would be committed with the project's next `git add -A`."""
    project = tmp_path / "project"
    project.mkdir()
    subprocess.run(["git", "init", "-q", project], check=True)
    with open_workspace(load_settings({"LINEAGE_HOME": str(project / ".lineage")})) as workspace:
        workspace.blobs.put(b"x")
    status = ["git", "-C", str(project), "status", "--porcelain", "--untracked-files=all"]
    assert subprocess.run(status, check=True, capture_output=True).stdout == b""


def test_a_home_of_another_name_is_left_as_it_is(tmp_path: Path) -> None:
    with open_workspace(load_settings({"LINEAGE_HOME": str(tmp_path / "home")})):
        assert not (tmp_path / "home" / ".gitignore").exists()
