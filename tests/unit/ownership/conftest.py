"""A world of owners."""

from __future__ import annotations

import pytest

from tests.unit.ownership.world import World


@pytest.fixture
def world() -> World:
    return World()
