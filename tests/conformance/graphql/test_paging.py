"""GraphQL answers alike over every store: paging."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineage.record.interpret import interpret
from lineage.store.sqlite import SqliteStore
from tests.conformance.graphql.asking import LINEAGE, ask, consumer, fault, ids_of, node_ids, pages
from tests.conformance.worlds import CHURN, MODEL, World, small_world, tx


def lineage_pages(
    world: World, first: int, between: Callable[[int], object]
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    query = LINEAGE
    for page in pages(world, query, "lineage", id=tx(2), direction="DOWNSTREAM", first=first):
        found.append(page)
        between(len(found))
    return found


def test_pages_stay_as_they_were_while_data_grows(world: World) -> None:
    world.add([consumer(n) for n in range(20)])
    whole = ask(world, LINEAGE, id=tx(2), direction="DOWNSTREAM")["lineage"]
    paged = lineage_pages(world, 7, lambda n: [*world.add([consumer(1000 + n)])])
    assert len(paged) > 3
    assert [i for page in paged for i in page["nodes"]] == whole["nodes"]
    edges = [json.dumps(edge) for page in paged for edge in page["edges"]]
    assert sorted(edges) == sorted(map(json.dumps, whole["edges"]))
    assert len(edges) == len(set(edges))
    seen: set[str] = set()
    for page in paged:
        seen |= set(node_ids(page))
        assert all({edge["up"], edge["down"]} <= seen for edge in page["edges"])
    positions = {page["completeness"]["position"] for page in paged}
    assert positions == {whole["completeness"]["position"]}
    assert [page["completeness"]["truncatedBy"] for page in paged] == [
        *([["PAGE"]] * (len(paged) - 1)), []
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("artifacts", "query($after: String) { artifacts(first: 2, after: $after)"),
        ("runs", "query($after: String) { runs(first: 2, after: $after)"),
        ("search", 'query($after: String) { search(text: "c", first: 2, after: $after)'),
    ],
)
def test_lists_stay_as_they_were_while_data_grows(world: World, name: str, query: str) -> None:
    full = f"{query} {{ edges {{ node {{ id }} }} pageInfo {{ hasNextPage endCursor }} }} }}"
    seen: list[str] = []
    for n, page in enumerate(pages(world, full, name)):
        seen += ids_of(page)
        world.add([consumer(n)])
    fresh = [node for page in pages(world, full, name) for node in ids_of(page)]
    assert len(seen) == len(set(seen))
    assert len(fresh) > len(seen)
    assert set(seen) < set(fresh)


def test_a_hub_of_five_thousand(tmp_path: Path) -> None:
    """A table version that thousands used is answered page by page, each node and edge once."""
    world = small_world(make=lambda clock: SqliteStore(tmp_path / "s.db", interpret, clock=clock))
    world.add([consumer(n) for n in range(2_500)])
    paged = lineage_pages(world, 1_000, lambda _: None)
    nodes = [item["node"]["id"] for page in paged for item in page["nodes"]]
    assert all(len(page["nodes"]) <= 1_000 for page in paged)
    assert {page["totalCount"] for page in paged} == {len(nodes)}
    assert len(nodes) == len(set(nodes)) > 5_000
    assert sum(len(page["edges"]) for page in paged) >= 5_000
    # The edges of one node are pages as well.
    query = """query($after: String) { node(id: "table:tx@2") { ... on ArtifactVersion {
      usedBy(first: 1000, after: $after) { totalCount edges { node { id } }
        pageInfo { hasNextPage endCursor } } } } }"""
    users: list[str] = []
    after = None
    while True:
        page = ask(world, query, after=after)["node"]["usedBy"]
        users += ids_of(page)
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert len(users) == len(set(users)) == page["totalCount"] == 2_501


def encoded(*plain: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def test_cursors_of_other_questions_are_refused(shared: World) -> None:
    page = ask(shared, LINEAGE, id=MODEL, first=2)["lineage"]
    cursor = page["pageInfo"]["endCursor"]
    good = ask(shared, LINEAGE, id=MODEL, first=3, after=cursor)["lineage"]
    assert node_ids(good)[0] not in node_ids(page)
    for other in (
        {"id": CHURN}, {"id": MODEL, "depth": 3}, {"id": MODEL, "direction": "DOWNSTREAM"},
        {"id": MODEL, "history": "ALL"}, {"id": MODEL, "asOf": "2026-10-01T00:00:00Z"},
        {"id": MODEL, "knownAt": 5},
    ):  # fmt: skip
        assert fault(shared, LINEAGE, after=cursor, **other)["code"] == "bad-cursor"
    assert (
        fault(shared, "query($c: String) { artifacts(after: $c) { edges { cursor } } }", c=cursor)[
            "code"
        ]
        == "bad-cursor"
    )


@pytest.mark.parametrize(
    "cursor",
    [
        "x", "%%%", "é", "=", encoded(), encoded(1, 2), encoded("q", 1, 1, "a"), "A" * 100_000,
        base64.b64encode(b"[" * 5_000).decode(), base64.b64encode(b"\xff\xfe").decode(),
        base64.b64encode(b'{"a":1}').decode(),
    ],
)  # fmt: skip
def test_what_is_no_cursor_is_refused(shared: World, cursor: str) -> None:
    query = "query($c: String) { artifacts(after: $c) { edges { cursor } } }"
    assert fault(shared, query, c=cursor)["code"] == "bad-cursor"


def test_a_forged_cursor_reaches_nothing_that_is_not_there(shared: World) -> None:
    cursor = ask(shared, "{ artifacts(first: 1) { pageInfo { endCursor } } }")["artifacts"]
    said = cursor["pageInfo"]["endCursor"]
    question, position, as_of, key = json.loads(base64.urlsafe_b64decode(said + "=="))
    query = "query($c: String) { artifacts(first: 1, after: $c) { edges { cursor } } }"
    for forged in (
        (question, position + 1, as_of, key), (question, -1, as_of, key),
        (question, 10**30, as_of, key), (question, position, 10**30, key),
        (question, position, "x", key), (question, position, as_of, 3),
        (question, position, as_of), (question, True, as_of, key),
    ):  # fmt: skip
        assert fault(shared, query, c=encoded(*forged))["code"] == "bad-cursor", forged


@pytest.mark.parametrize("first", [0, -1, 1001])
def test_pages_of_no_or_too_many_items_are_refused(shared: World, first: int) -> None:
    query = "query($n: Int!) { artifacts(first: $n) { edges { cursor } } }"
    facts = fault(shared, query, n=first)
    assert (facts["code"], facts["pointer"]) == ("bad-page-size", "/first")
