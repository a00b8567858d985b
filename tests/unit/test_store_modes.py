"""What is recorded is its owner's alone to read."""

from __future__ import annotations

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
