"""Worlds over every store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from lineage.record.interpret import interpret
from lineage.store.contract import Store
from lineage.store.memory import MemoryStore
from lineage.store.sqlite import SqliteStore
from tests.conformance.worlds import World, small_world
from tests.stores import Homes, new_neo4j

Make = Callable[[Path, Callable[[], int]], Store]


STORES: dict[str, Make] = {
    "memory": lambda _, clock: MemoryStore(interpret, clock=clock),
    "sqlite": lambda path, clock: SqliteStore(path / "s.db", interpret, clock=clock),
}


def made(request: pytest.FixtureRequest, path: Path) -> Iterator[World]:
    """A world on the store that the parameter of a fixture names."""
    if request.param != "neo4j":
        make = partial(STORES[request.param], path)
        yield small_world(make=make)
        return
    homes: Homes = request.getfixturevalue("neo4j_homes")
    world = small_world(make=lambda clock: new_neo4j(homes.lend(path), clock))
    yield world
    world.store.close()
    homes.release([path])


@pytest.fixture(scope="module", params=[*STORES, "neo4j"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A world that tests only read."""
    yield from made(request, tmp_path_factory.mktemp("store"))


@pytest.fixture(params=[*STORES, "neo4j"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A world that a test may add to."""
    yield from made(request, tmp_path)
