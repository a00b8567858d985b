"""Tables that are watched under faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"LINEAGE_HOME": str(tmp_path / "home")})
