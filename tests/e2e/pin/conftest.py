"""Tables that are pinned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.pin.tables import Lineage
from tests.serving import play_in


@pytest.fixture
def lineage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lineage:
    play_in(monkeypatch, tmp_path / "home")
    return Lineage()
