"""What holds for every history: the laws of a store, to be run with random ones.

Each law takes a factory of empty stores, and closes one before it asks for the next. Used with
hypothesis::

    @given(data=st.data(), history=histories())
    def test_equal_answers(data, history):
        answers_are_those_of_the_definition(make_store, history, data)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import chain
from typing import Any

from hypothesis import note
from hypothesis import strategies as st

from lineage.model.claims import StateType
from lineage.store.contract import Direction, History, NewEntry, Store, View
from lineage.store.memory import MemoryStore
from lineage.testing.histories import views
from lineage.testing.plain import again, interpret

__all__ = [
    "answers_are_those_of_the_definition",
    "delivery_order_does_not_matter",
    "downstream_is_the_inverse",
    "rebuilt_equals_live",
    "resending_changes_nothing",
]

Batches = Sequence[Sequence[NewEntry]]
Factory = Callable[[], Store]


def _filled(make_store: Factory, history: Batches) -> Store:
    store = make_store()
    for batch in history:
        store.append(batch)
    return store


def answers_are_those_of_the_definition(
    make_store: Factory, history: Batches, data: st.DataObject
) -> None:
    """Every read at every view gives what the memory store gives."""
    store, definition = make_store(), MemoryStore(interpret)
    try:
        for batch in history:
            assert store.append(batch) == definition.append(batch)
        assert store.digest(recorded=False) == definition.digest(recorded=False)
        assert store.counts() == definition.counts()
        ids = definition.page(View(1 << 60), versions=True, limit=10_000)
        for _ in range(4):
            view = data.draw(views(definition.head().seq))
            note(f"{view}")
            _same_graph(store, definition, view, ids)
            _same_states(store, definition, view, ids)
            for _ in range(4):
                _same_walk(store, definition, view, ids, data)
    finally:
        store.close()


def _same_graph(store: Store, definition: Store, view: View, ids: Sequence[str]) -> None:
    assert store.known(ids, view) == definition.known(ids, view)
    assert store.nodes(ids, view) == definition.nodes(ids, view)
    for versions in (False, True):
        for kinds in ((), ("file",), ("model", "x")):
            asked: dict[str, Any] = {"versions": versions, "kinds": kinds}
            assert store.page(view, **asked) == definition.page(view, **asked)
    for artifact in ids:
        if "@" not in artifact:
            assert store.versions(artifact, view) == definition.versions(artifact, view)
    assert store.versions_of(ids, view) == definition.versions_of(ids, view)
    for direction in Direction:
        found = store.edges(ids, direction, view)
        assert found == definition.edges(ids, direction, view)
        for edge in found:
            ends = (edge.type, edge.up, edge.down, view)
            assert store.evidence(*ends) == definition.evidence(*ends)
    for text in ("a", "1", "features", "u", "p"):
        assert store.search(text, view) == definition.search(text, view)


def _same_states(store: Store, definition: Store, view: View, ids: Sequence[str]) -> None:
    shown = store.states(view)
    assert shown == definition.states(view)
    for kind in StateType:
        assert store.states(view, types=[kind]) == definition.states(view, types=[kind])
        for subject in ids:
            position = view.position
            found = store.history(subject, kind, position)
            assert found == definition.history(subject, kind, position)
            for obj in {state.object for state in found}:
                key = (subject, kind, obj, position)
                assert store.state_evidence(*key) == definition.state_evidence(*key)
    for obj in {state.object for state in shown}:
        assert store.states(view, objects=[obj]) == definition.states(view, objects=[obj])
    subjects = ids[::2]
    assert store.states(view, subjects=subjects) == definition.states(view, subjects=subjects)


def _same_walk(
    store: Store, definition: Store, view: View, ids: Sequence[str], data: st.DataObject
) -> None:
    starts = data.draw(st.lists(st.sampled_from(ids), min_size=1, max_size=2))
    direction = data.draw(st.sampled_from(Direction))
    asked: dict[str, Any] = {
        "history": data.draw(st.sampled_from(History)),
        "depth": data.draw(st.sampled_from([None, None, 0, 1, 2, 3])),
        "limit": data.draw(st.sampled_from([None, None, 1, 3, 7])),
    }
    note(f"walk {starts} {direction} {asked}")
    wanted = definition.walk(starts, direction, view, **asked)
    assert store.walk(starts, direction, view, **asked) == wanted


def rebuilt_equals_live(make_store: Factory, history: Batches) -> None:
    """Appending a store's own entries to an empty one gives the same store, recorded times too."""
    live = _filled(make_store, history)
    with closing(live):
        entries = [again(entry) for entry in live.entries()]
        digest, head = live.digest(), live.head()
    rebuilt = make_store()
    with closing(rebuilt):
        rebuilt.append(entries)
        assert rebuilt.digest() == digest
        assert rebuilt.head() == head


def delivery_order_does_not_matter(
    make_store: Factory, history: Batches, data: st.DataObject
) -> None:
    """Shuffled and repeated delivery converges."""
    entries = list(chain.from_iterable(history))
    with closing(_filled(make_store, history)) as one:
        digest = one.digest(recorded=False)
    repeated = data.draw(st.lists(st.sampled_from(entries), max_size=3))
    shuffled = data.draw(st.permutations(entries + repeated))
    with closing(_filled(make_store, [shuffled])) as other:
        assert other.digest(recorded=False) == digest


def resending_changes_nothing(make_store: Factory, history: Batches) -> None:
    """The same source and event id again: nothing changes, the first seq is returned."""
    store = _filled(make_store, history)
    try:
        digest, head = store.digest(), store.head()
        for batch in history:
            receipts = store.append(batch)
            assert not any(receipt.new for receipt in receipts)
            found = [store.find(entry.source, entry.event_id) for entry in batch]
            assert [receipt.seq for receipt in receipts] == found
        assert (store.digest(), store.head()) == (digest, head)
    finally:
        store.close()


def downstream_is_the_inverse(make_store: Factory, history: Batches, data: st.DataObject) -> None:
    """X is up of y exactly if y is down of x. A bare artifact stands for its versions as well."""
    store = _filled(make_store, history)
    try:
        view = data.draw(views(store.head().seq))
        contents = data.draw(st.sampled_from(History))
        ids = [node for node in store.page(view, versions=True, limit=10_000) if _single(node)]
        up = _reached(store, ids, Direction.UPSTREAM, view, contents)
        down = _reached(store, ids, Direction.DOWNSTREAM, view, contents)
        for one in ids:
            for other in ids:
                assert (other in up[one]) == (one in down[other]), (one, other)
    finally:
        store.close()


def _single(node: str) -> bool:
    return "@" in node or not node.startswith("artifact:")


def _reached(
    store: Store, ids: Sequence[str], direction: Direction, view: View, history: History
) -> dict[str, set[str]]:
    return {
        node: {found for found, _ in store.walk([node], direction, view, history=history).nodes}
        for node in ids
    }
