"""A site with a gate."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.gate.site import Site
from tests.serving import play_in


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    play_in(monkeypatch, tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    site = Site(tmp_path)
    site.train()
    return site
