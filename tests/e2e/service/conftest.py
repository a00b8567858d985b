"""A running service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serving import Serving


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, store_kind: str) -> Iterator[Serving]:
    """One service for tests that leave no trace but entries."""
    with Serving(tmp_path_factory.mktemp("service") / ".lineage") as started:
        yield started
