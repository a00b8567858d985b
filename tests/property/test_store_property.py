from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage.store.contract import NewEntry, Store
from lineage.store.memory import MemoryStore
from lineage.store.neo4j import writer
from lineage.store.neo4j.statements import Statements
from lineage.store.neo4j.working import WorkingSet
from lineage.store.sqlite import SqliteStore
from lineage.testing import store_laws
from lineage.testing.histories import histories
from lineage.testing.plain import interpret

_examples = settings(deadline=None, suppress_health_check=list(HealthCheck))
_fewer = settings(_examples, max_examples=25)
"""Every example empties a server's database."""
_numbers = count()


def _memory() -> Store:
    return MemoryStore(interpret)


@pytest.fixture(scope="module")
def sqlite() -> Iterator[Callable[[], Store]]:
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield lambda: SqliteStore(Path(folder, f"{next(_numbers)}.db"), interpret)


@_examples
@given(data=st.data(), history=histories())
def test_sqlite_answers_as_memory_does(
    sqlite: Callable[[], Store], data: st.DataObject, history: list[list[NewEntry]]
) -> None:
    store_laws.answers_are_those_of_the_definition(sqlite, history, data)


@_examples
@given(history=histories())
def test_sqlite_rebuilt_equals_live(
    sqlite: Callable[[], Store], history: list[list[NewEntry]]
) -> None:
    store_laws.rebuilt_equals_live(sqlite, history)


@_examples
@given(data=st.data(), history=histories())
def test_sqlite_converges(
    sqlite: Callable[[], Store], data: st.DataObject, history: list[list[NewEntry]]
) -> None:
    store_laws.delivery_order_does_not_matter(sqlite, history, data)


@_examples
@given(history=histories())
def test_sqlite_resending_changes_nothing(
    sqlite: Callable[[], Store], history: list[list[NewEntry]]
) -> None:
    store_laws.resending_changes_nothing(sqlite, history)


@_examples
@given(history=histories())
def test_memory_rebuilt_equals_live(history: list[list[NewEntry]]) -> None:
    store_laws.rebuilt_equals_live(_memory, history)


@_examples
@given(data=st.data(), history=histories())
def test_memory_converges(data: st.DataObject, history: list[list[NewEntry]]) -> None:
    store_laws.delivery_order_does_not_matter(_memory, history, data)


@_examples
@given(data=st.data(), history=histories())
def test_memory_downstream_is_the_inverse_of_upstream(
    data: st.DataObject, history: list[list[NewEntry]]
) -> None:
    store_laws.downstream_is_the_inverse(_memory, history, data)


# --- Neo4j


@pytest.fixture
def in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked up and written together is split, as large batches are."""
    monkeypatch.setattr(writer, "_TOGETHER", 5)
    monkeypatch.setattr(writer, "_AT_ONCE", 2)


@pytest.fixture
def forgetful(in_pieces: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered is loaded again for every few entries, as after a restart."""
    del in_pieces
    begin = WorkingSet.begin

    def forget(self: WorkingSet, statements: Statements) -> None:
        self.clear()
        begin(self, statements)

    monkeypatch.setattr(WorkingSet, "begin", forget)


@pytest.mark.usefixtures("forgetful")
@_fewer
@given(data=st.data(), history=histories())
def test_neo4j_answers_as_memory_does(
    neo4j_stores: Callable[[], Store], data: st.DataObject, history: list[list[NewEntry]]
) -> None:
    store_laws.answers_are_those_of_the_definition(neo4j_stores, history, data)


@_fewer
@given(history=histories())
def test_neo4j_rebuilt_equals_live(
    neo4j_stores: Callable[[], Store], history: list[list[NewEntry]]
) -> None:
    store_laws.rebuilt_equals_live(neo4j_stores, history)


@pytest.mark.usefixtures("in_pieces")
@_fewer
@given(data=st.data(), history=histories())
def test_neo4j_converges(
    neo4j_stores: Callable[[], Store], data: st.DataObject, history: list[list[NewEntry]]
) -> None:
    store_laws.delivery_order_does_not_matter(neo4j_stores, history, data)


@_fewer
@given(history=histories())
def test_neo4j_resending_changes_nothing(
    neo4j_stores: Callable[[], Store], history: list[list[NewEntry]]
) -> None:
    store_laws.resending_changes_nothing(neo4j_stores, history)


@pytest.mark.usefixtures("in_pieces")
@_fewer
@given(data=st.data(), history=histories())
def test_neo4j_downstream_is_the_inverse(
    neo4j_stores: Callable[[], Store], data: st.DataObject, history: list[list[NewEntry]]
) -> None:
    store_laws.downstream_is_the_inverse(neo4j_stores, history, data)
