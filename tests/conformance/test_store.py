from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from typing_extensions import override

from lineage.store.contract import Store
from lineage.store.memory import MemoryStore
from lineage.store.sqlite import SqliteStore
from lineage.testing.plain import interpret
from lineage.testing.store_suite import StoreSuite


class TestMemoryStore(StoreSuite):
    @pytest.fixture
    @override
    def make_store(self) -> Callable[[], Store]:
        return lambda: MemoryStore(interpret)


class TestSqliteStore(StoreSuite):
    @pytest.fixture
    @override
    def make_store(self, tmp_path: Path) -> Callable[[], Store]:
        numbers = count()
        return lambda: SqliteStore(tmp_path / f"{next(numbers)}.db", interpret)


class TestNeo4jStore(StoreSuite):
    @pytest.fixture
    @override
    def make_store(self, neo4j_stores: Callable[[], Store]) -> Callable[[], Store]:
        return neo4j_stores
