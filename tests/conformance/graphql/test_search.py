"""GraphQL answers alike over every store: search, artifacts, runs."""

from __future__ import annotations

import pytest

from lineage.model.canonical import iso
from lineage.model.changes import RunFinished, RunRef
from lineage.query.graphql import runs
from tests.conformance.graphql.asking import ask, fault, ids_of, pages
from tests.conformance.worlds import (
    HOUR,
    MODEL,
    NAMESPACE,
    REPORT_RUN,
    T0,
    TRAIN,
    TX,
    World,
    load,
    tx,
)


def test_search_orders_by_rank_and_pages(shared: World) -> None:
    query = """query($after: String, $first: Int!) {
      search(text: "tr", first: $first, after: $after) {
      edges { node { id displayName } } pageInfo { hasNextPage endCursor }
      completeness { truncated position } } }"""
    whole = ids_of(ask(shared, query, first=50)["search"])
    assert whole
    paged = [node for page in pages(shared, query, "search", first=1) for node in ids_of(page)]
    assert paged == whole
    runs = ask(shared, '{ search(text: "load", classes: ["run"]) { edges { node { id } } } }')
    assert ids_of(runs["search"]) == [load(n) for n in range(5)]


def test_artifacts_by_kind(shared: World) -> None:
    shown = ask(
        shared,
        """{ artifacts(kinds: ["table", "model"]) { totalCount edges { node {
      id namespace name exists owners { status team { name } } versions { totalCount
        edges { node { id } } } } } } }""",
    )["artifacts"]
    assert [(edge["node"]["id"], edge["node"]["owners"]["status"]) for edge in shown["edges"]] == [
        (TX, "OWNED"), (MODEL, "CLAIMED")
    ]  # fmt: skip
    assert ids_of(shown["edges"][0]["node"]["versions"]) == [tx(n) for n in range(5)]
    assert shown["totalCount"] is None


def test_versions_page_in_the_order_they_were_made(shared: World) -> None:
    query = """query($after: String) { node(id: "table:tx") { ... on Artifact {
      versions(first: 2, after: $after) { edges { node { id } }
        pageInfo { hasNextPage endCursor } completeness { truncated } } } } }"""
    seen: list[str] = []
    after = None
    for truncated in (True, True, False):
        page = ask(shared, query, after=after)["node"]["versions"]
        assert page["completeness"]["truncated"] is truncated
        seen += ids_of(page)
        after = page["pageInfo"]["endCursor"]
    assert seen == [tx(n) for n in range(5)]


def test_runs_of_a_job_and_of_all(shared: World) -> None:
    of_job = ask(shared, '{ runs(job: "load.py") { edges { node { id state } } } }')["runs"]
    assert ids_of(of_job) == [load(n) for n in range(5)]
    everything = ask(shared, "{ runs { edges { node { id } } } }")["runs"]
    assert ids_of(everything) == [*ids_of(of_job), REPORT_RUN, TRAIN]
    nested = ask(
        shared,
        """{ node(id: "load.py") { ... on Job { runs(first: 3) {
      edges { node { id } } pageInfo { hasNextPage } } } } }""",
    )
    assert ids_of(nested["node"]["runs"]) == [load(0), load(1), load(2)]
    assert nested["node"]["runs"]["pageInfo"]["hasNextPage"]


def test_runs_by_when_they_started_and_how_they_ended(world: World) -> None:
    failed = RunRef(namespace=NAMESPACE, job="load.py", run_id="load-9")
    world.add([RunFinished(event_at=T0 + 9 * HOUR, run=failed, state="FAIL")])
    query = """query($after: String, $s: Time, $u: Time, $state: String, $n: Int! = 50) {
      runs(since: $s, until: $u, state: $state, first: $n, after: $after) {
        edges { node { id } } pageInfo { hasNextPage endCursor } } }"""
    # load-n started a minute before its hour.
    second = {"s": iso(T0 + HOUR), "u": iso(T0 + 3 * HOUR)}
    assert ids_of(ask(world, query, **second)["runs"]) == [load(2), load(3)]
    assert ids_of(ask(world, query, state="FAIL")["runs"]) == [load(9)]
    # Nobody said when it started: the first that was heard of it is its end.
    late = ask(world, query, s=iso(T0 + 9 * HOUR), u=iso(T0 + 10 * HOUR))["runs"]
    assert ids_of(late) == [load(9)]
    found = [ids_of(page) for page in pages(world, query, "runs", s=iso(T0), state="COMPLETE", n=2)]
    everything = ids_of(ask(world, query, s=iso(T0), state="COMPLETE")["runs"])
    assert [node for page in found for node in page] == everything
    assert everything == [*map(load, range(1, 5)), REPORT_RUN, TRAIN]
    assert fault(world, query, s="soon")["code"] == "bad-time"


def test_a_filtered_page_looks_at_so_many_runs_and_says_that_more_follow(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_SCANNED", 2)
    monkeypatch.setattr(runs, "_CHUNK", 2)
    query = """query($after: String) {
      runs(state: "COMPLETE", until: "2026-09-21T14:30:00Z", after: $after) {
        edges { node { id } } pageInfo { hasNextPage endCursor } } }"""
    found = [ids_of(page) for page in pages(world, query, "runs")]
    assert len(found) > 2
    assert [node for page in found for node in page] == [load(0)]
