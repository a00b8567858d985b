"""What a store must do, by example.

Subclass it and say how an empty store is made::

    class TestMyStore(StoreSuite):
        @pytest.fixture
        def make_store(self, tmp_path):
            return lambda: MyStore(tmp_path, interpret)

Every test is named for the rule it checks. The laws that hold for any history are in
:mod:`lineage.testing.store_laws`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lineage.store.contract import Store
from lineage.testing.suite_ledger import LedgerRules
from lineage.testing.suite_lineage import LineageRules
from lineage.testing.suite_nodes import NodeRules
from lineage.testing.suite_reaching_back import ReachingBackRules
from lineage.testing.suite_seals import SealRules
from lineage.testing.suite_states import StateRules
from lineage.testing.suite_tables import TableRules

__all__ = ["StoreSuite"]


class StoreSuite(
    LedgerRules, SealRules, NodeRules, LineageRules, TableRules, StateRules, ReachingBackRules
):
    """Every rule. A subclass gives ``make_store``: a function that makes an empty store."""

    @pytest.fixture
    def make_store(self) -> Callable[[], Store]:
        """Makes an empty store, with the interpreter of :mod:`lineage.testing.plain`."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, make_store: Callable[[], Store]) -> Iterator[Store]:
        """An empty store."""
        made = make_store()
        yield made
        made.close()
