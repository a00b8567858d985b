"""GraphQL answers the same questions alike over every store, at every time, a page at a time."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lineage.model.canonical import iso
from lineage.model.changes import (
    Change,
    EntryRedacted,
    GapRecorded,
    Output,
    RunFinished,
    RunRef,
    TagAdded,
    Use,
)
from lineage.model.checkpoint import Checkpoint
from lineage.model.claims import EdgeType
from lineage.model.envelope import Actor, commitment_of
from lineage.model.ids import artifact_id, file_token, run_id
from lineage.model.merkle import verify_consistency
from lineage.model.notes import generate_key, sign_note, text_of
from lineage.model.proofs import Consistency
from lineage.ownership.kinds import scan_owned
from lineage.query.graphql import limits, runs
from lineage.query.graphql.context import Context
from lineage.query.graphql.fast import FastExecutor
from lineage.query.graphql.links import Relation
from lineage.query.graphql.schema import execute, printed
from lineage.record.interpret import interpret
from lineage.store.contract import Direction, Head, Store, View
from lineage.store.memory import MemoryStore
from lineage.store.sqlite import SqliteStore
from tests.conformance.worlds import (
    ACTOR,
    CHURN,
    DATA,
    HOUR,
    LAKE,
    MODEL,
    NAMESPACE,
    PEOPLE,
    PERSON,
    RAW,
    REPORT,
    REPORT_RUN,
    RISK,
    T0,
    TRAIN,
    TRAIN_JOB,
    TX,
    World,
    load,
    small_world,
    tx,
)
from tests.stores import Homes, new_neo4j

SCHEMA = Path(__file__).parents[2] / "schema" / "graphql" / "schema.graphql"
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


def ask(world: World, query: str, **variables: Any) -> dict[str, Any]:
    """The data of an answer without errors."""
    body = asked(world, query, **variables)
    assert "errors" not in body, body["errors"]
    data: dict[str, Any] = body["data"]
    return data


def asked(world: World, query: str, **variables: Any) -> dict[str, Any]:
    """A whole answer."""
    context = Context(world.store, ACTOR, world.recorder.record, clock=world.tick)
    return execute(context, query, variables).body


def fault(world: World, query: str, **variables: Any) -> dict[str, Any]:
    """The extensions of the only error of an answer."""
    (error,) = asked(world, query, **variables)["errors"]
    facts: dict[str, Any] = error["extensions"]
    return facts


# --- the schema ----------------------------------------------------------------------------------


def test_the_published_schema_is_what_the_code_says() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == printed(), (
        "run `python -m lineage.query.graphql > schema/graphql/schema.graphql`"
    )


def test_every_edge_type_has_a_relation() -> None:
    assert {kind.name for kind in EdgeType} - {"CARRIES"} == {kind.name for kind in Relation}


# --- node, nodes ---------------------------------------------------------------------------------

NODE = """query($id: ID!, $asOf: Time, $knownAt: KnownAt) {
  node(id: $id, asOf: $asOf, knownAt: $knownAt) {
    __typename id displayName kind firstSeq attributes { name value method source since }
    states { type object value } completeness { complete position }
  }
}"""


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (TX, ("Artifact", "features/tx", "table")),
        (tx(2), ("ArtifactVersion", "features/tx@2", "table")),
        (CHURN, ("ArtifactVersion", "churn@sha256.ab12cd34ab12", "model")),
        (TRAIN, ("Run", "train.py 01936893-9751", "run")),
        (TRAIN_JOB, ("Job", "train.py", "job")),
        (RISK, ("Team", "risk", "team")),
        (PERSON, ("Person", "Ada", "person")),
        (LAKE, ("Scope", "file /lake/**", "scope")),
        (PEOPLE, ("Artifact", "public.people", "file")),
    ],
)
def test_a_node_of_every_class(shared: World, node: str, expected: tuple[str, str, str]) -> None:
    shown = ask(shared, NODE, id=node)["node"]
    assert (shown["__typename"], shown["displayName"], shown["kind"]) == expected
    assert shown["id"] == node


def test_a_version_tells_its_run_and_the_run_its_inputs(shared: World) -> None:
    version = ask(
        shared,
        """{ node(id: "model:churn@ab12cd34") { ... on ArtifactVersion {
      version number madeAt artifact { id latestVersion { id } }
      generatedBy { id state command parameters startedAt endedAt exitCode runId
        job { id displayName } user { id displayName teams { role team { name } } }
        inputs { totalCount edges { type carries at method node { id } evidence { seq source } } }
        outputs { edges { node { id } } } } } } }""",
    )["node"]
    (run,) = version.pop("generatedBy")
    assert version["number"] is None
    assert version["artifact"] == {"id": MODEL, "latestVersion": {"id": CHURN}}
    assert version["madeAt"] == iso(T0 + 11 * HOUR - 1)
    inputs = run.pop("inputs")
    assert [edge["node"]["id"] for edge in inputs["edges"]] == [
        tx(2), artifact_id("file", "/src/train", file_token("c0" * 32))
    ]  # fmt: skip
    assert inputs["totalCount"] == 2
    assert inputs["edges"][0]["evidence"] == [{"seq": 12, "source": "test"}]
    assert run == {
        "id": TRAIN, "state": "COMPLETE", "command": ["python", "train.py", "--depth", "3"],
        "parameters": {"depth": "3"}, "startedAt": iso(T0 + 10 * HOUR),
        "endedAt": iso(T0 + 11 * HOUR), "exitCode": 0, "runId": TRAIN.rpartition(",")[2],
        "job": {"id": TRAIN_JOB, "displayName": "train.py"},
        "user": {"id": PERSON, "displayName": "Ada",
                 "teams": [{"role": "member", "team": {"name": "risk"}}]},
        "outputs": {"edges": [{"node": {"id": CHURN}}]},
    }  # fmt: skip


def test_a_table_version_shows_the_schema_it_was_made_with(shared: World) -> None:
    shown = ask(
        shared,
        """query($id: ID!) { node(id: $id) { ... on ArtifactVersion {
      schema number operation carries { edges { carries type node { id } } }
      revisionOf { edges { node { id } } } usedBy { edges { node { id } } } } } }""",
        id=tx(2),
    )
    assert shown["node"]["schema"]["fields"] == [{"name": "amount", "type": "double"}]
    assert shown["node"]["number"] == "2"
    assert shown["node"]["carries"]["edges"] == [
        {"carries": True, "type": "REVISION_OF", "node": {"id": tx(1)}}
    ]
    assert shown["node"]["usedBy"]["edges"] == [{"node": {"id": TRAIN}}]
    overwritten = ask(
        shared,
        """query($id: ID!) { node(id: $id) { ... on ArtifactVersion {
      carries { totalCount } revisionOf { edges { carries node { id } } } } } }""",
        id=tx(3),
    )
    assert overwritten["node"] == {
        "carries": {"totalCount": 0},
        "revisionOf": {"edges": [{"carries": False, "node": {"id": tx(2)}}]},
    }


def test_unknown_is_an_error_and_not_empty(shared: World) -> None:
    assert fault(shared, '{ node(id: "nothing") { id } }')["code"] == "not-found"
    assert fault(shared, '{ lineage(id: "nothing") { start } }')["code"] == "not-found"
    assert fault(shared, '{ owners(id: "nothing") { id } }')["code"] == "not-found"
    assert fault(shared, "{ ledger { entry(seq: 4711) { seq } } }")["code"] == "not-found"
    assert fault(shared, '{ node(id: "model:churn", knownAt: 2) { id } }')["code"] == "not-found"


def test_of_several_nodes_the_unknown_ones_are_errors_in_their_places(shared: World) -> None:
    body = asked(shared, '{ nodes(ids: ["model:churn", "nothing", "team:risk"]) { id } }')
    assert body["data"]["nodes"] == [{"id": MODEL}, None, {"id": RISK}]
    (error,) = body["errors"]
    assert error["path"] == ["nodes", 1]
    assert error["extensions"]["code"] == "not-found"


def test_an_ambiguous_name_lists_what_it_may_mean(world: World) -> None:
    run = RunRef(namespace="n", job="churn", run_id="r")
    world.add([RunFinished(event_at=T0, run=run, state="COMPLETE")])
    facts = fault(world, '{ node(id: "churn") { id } }')
    assert facts["code"] == "ambiguous-name"
    assert MODEL in facts["where"]["candidates"]


# --- search, artifacts, runs ---------------------------------------------------------------------


def ids_of(connection: dict[str, Any]) -> list[str]:
    return [edge["node"]["id"] for edge in connection["edges"]]


def pages(world: World, query: str, name: str, **variables: Any) -> Iterator[dict[str, Any]]:
    """Every page of a connection, by its cursors."""
    after = None
    while True:
        page = ask(world, query, after=after, **variables)[name]
        yield page
        if not page["pageInfo"]["hasNextPage"]:
            return
        assert page["pageInfo"]["endCursor"] != after
        after = page["pageInfo"]["endCursor"]


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


# --- lineage -------------------------------------------------------------------------------------

LINEAGE = """query($id: ID!, $direction: Direction! = UPSTREAM, $depth: Int, $history: History! =
  CONTRIBUTING, $first: Int! = 200, $after: String, $asOf: Time, $knownAt: KnownAt) {
  lineage(id: $id, direction: $direction, depth: $depth, history: $history, first: $first,
          after: $after, asOf: $asOf, knownAt: $knownAt) {
    start totalCount pageInfo { hasNextPage endCursor }
    nodes { depth node { id } } edges { up down type carries at method }
    completeness { complete truncated truncatedBy hidden position asOf knownAt
      unresolved { run artifact } gaps { node reason facts } }
  }
}"""


def node_ids(answer: dict[str, Any]) -> list[str]:
    return [item["node"]["id"] for item in answer["nodes"]]


def test_the_whole_upstream_of_a_model(shared: World) -> None:
    answer = ask(shared, LINEAGE, id="model:churn")["lineage"]
    assert answer["start"] == MODEL
    depths = {item["node"]["id"]: item["depth"] for item in answer["nodes"]}
    assert depths[CHURN] == 0
    assert depths[TRAIN] == 1
    assert depths[tx(2)] == 2
    # A version contains what was appended before it, and so the runs that appended it.
    assert {tx(0), tx(1), load(0), load(1), load(2)} <= depths.keys()
    assert tx(3) not in depths
    kinds = {(edge["type"], edge["carries"]) for edge in answer["edges"]}
    assert kinds == {("USED", False), ("GENERATED", False), ("REVISION_OF", True)}
    assert answer["completeness"] == {
        "complete": True, "truncated": False, "truncatedBy": [], "hidden": 0, "unresolved": [],
        "gaps": [], "position": 18, "asOf": None, "knownAt": iso(shared_time(shared)),
    }  # fmt: skip


def shared_time(world: World) -> int:
    return world.store.head().recorded_at


def test_history_none_reads_a_version_as_it_was_made(shared: World) -> None:
    answer = ask(shared, LINEAGE, id=tx(2), history="NONE")["lineage"]
    assert not {tx(0), tx(1)} & set(node_ids(answer))
    everything = ask(shared, LINEAGE, id=tx(4), history="ALL")["lineage"]
    contributing = ask(shared, LINEAGE, id=tx(4))["lineage"]
    # Version 3 overwrote what was there: 4 holds nothing of 0 to 2 either way.
    assert tx(3) in node_ids(contributing)
    assert tx(2) not in node_ids(contributing)
    assert set(node_ids(contributing)) <= set(node_ids(everything))


def test_downstream_is_the_inverse_of_upstream(shared: World) -> None:
    answer = ask(shared, LINEAGE, id=tx(0), direction="DOWNSTREAM")["lineage"]
    assert {CHURN, TRAIN, tx(1), tx(2)} <= set(node_ids(answer))
    assert tx(4) not in node_ids(answer)


def test_the_edges_are_those_of_the_store(shared: World) -> None:
    """Flat nodes and edges are the walk, and nothing else."""
    answer = ask(shared, LINEAGE, id=MODEL)["lineage"]
    walk = shared.store.walk([MODEL], Direction.UPSTREAM, View(shared.store.head().seq))
    assert [(i["node"]["id"], i["depth"]) for i in answer["nodes"]] == walk.nodes
    assert [(e["up"], e["down"]) for e in answer["edges"]] == [(e.up, e.down) for e in walk.edges]


def test_only_some_kinds_are_shown_and_all_are_walked(shared: World) -> None:
    query = """query($id: ID!, $k: [String!], $n: Int! = 200, $c: String) {
      lineage(id: $id, direction: DOWNSTREAM, kinds: $k, first: $n, after: $c) {
        totalCount nodes { node { id } } edges { up } pageInfo { hasNextPage endCursor }
        completeness { complete } } }"""
    models = ask(shared, query, id=tx(0), k=["model"])["lineage"]
    assert (node_ids(models), models["totalCount"], models["edges"]) == ([CHURN], 1, [])
    both = ask(shared, query, id=tx(0), k=["model", "run"])["lineage"]
    assert {CHURN, TRAIN} <= set(node_ids(both))
    assert both["edges"]
    assert node_ids(ask(shared, query, id=tx(0), k=[])["lineage"]) == []
    first = ask(shared, query, id=tx(0), k=["model", "run"], n=1)["lineage"]
    assert fault(shared, query, id=tx(0), k=["run"], c=first["pageInfo"]["endCursor"])["code"] == (
        "bad-cursor"
    )


def test_downstream_of_the_versions_made_within_a_time(shared: World) -> None:
    query = """query($id: ID!, $s: Time, $u: Time) { lineage(id: $id, direction: DOWNSTREAM,
      madeSince: $s, madeUntil: $u, kinds: ["model", "table"]) { nodes { depth node { id } } } }"""
    early = ask(shared, query, id="table:tx", s=iso(T0 + HOUR), u=iso(T0 + 2 * HOUR))["lineage"]
    assert node_ids(early)[0] == tx(1)
    assert CHURN in node_ids(early)
    late = ask(shared, query, id="table:tx", s=iso(T0 + 3 * HOUR))["lineage"]
    assert [i["node"]["id"] for i in late["nodes"] if i["depth"] == 0] == [tx(3), tx(4)]
    assert CHURN not in node_ids(late)
    never = ask(shared, query, id="table:tx", u="2020-01-01T00:00:00Z")["lineage"]
    assert never["nodes"] == []
    assert fault(shared, query, id=CHURN, s=iso(T0))["code"] == "bad-argument"


def test_depth_truncates_and_says_so(shared: World) -> None:
    answer = ask(shared, LINEAGE, id=CHURN, depth=1)["lineage"]
    assert node_ids(answer) == [CHURN, TRAIN]
    assert answer["completeness"]["truncatedBy"] == ["DEPTH"]
    assert not answer["completeness"]["complete"]
    enough = ask(shared, LINEAGE, id=CHURN, depth=99)["lineage"]
    assert enough["completeness"]["complete"]
    assert fault(shared, LINEAGE, id=CHURN, depth=-1)["code"] == "bad-argument"


def test_what_is_missing_is_said(shared: World) -> None:
    found = ask(shared, LINEAGE, id=REPORT)["lineage"]["completeness"]
    assert found["unresolved"] == [{"run": REPORT_RUN, "artifact": PEOPLE}]
    (gap,) = found["gaps"]
    assert (gap["node"], gap["reason"]) == (REPORT_RUN, "static-child")
    assert gap["facts"]["detail"] == "a child could not be watched"
    assert not found["complete"]
    # So it is on the node itself.
    shown = ask(
        shared,
        """query($id: ID!) { node(id: $id) { completeness {
      complete gaps { reason } unresolved { artifact } } } }""",
        id=REPORT_RUN,
    )["node"]
    assert shown["completeness"] == {
        "complete": False, "gaps": [{"reason": "static-child"}],
        "unresolved": [{"artifact": PEOPLE}],
    }  # fmt: skip


def test_a_gap_of_a_table_or_of_a_source_touches_what_it_may_have_missed(
    world: World,
) -> None:
    world.add(
        [GapRecorded(event_at=T0, gap_source="delta:/lake", reason="log-cleaned", touches=[TX])]
    )
    found = ask(world, LINEAGE, id=tx(2))["lineage"]["completeness"]
    assert [gap["node"] for gap in found["gaps"]] == [TX]
    # The claims of this world come from the source `test`; nothing here comes from `other`.
    world.add([GapRecorded(event_at=T0, gap_source="other", reason="away")])
    assert len(ask(world, LINEAGE, id=tx(2))["lineage"]["completeness"]["gaps"]) == 1
    world.add([GapRecorded(event_at=T0, gap_source="test", reason="away")])
    reasons = ask(world, LINEAGE, id=tx(2))["lineage"]["completeness"]["gaps"]
    assert sorted(gap["reason"] for gap in reasons) == ["away", "log-cleaned"]


def test_every_edge_has_evidence_with_its_entry(shared: World) -> None:
    answer = ask(
        shared,
        """{ lineage(id: "model:churn", first: 50) { edges { up down type
      evidence { seq source method at entry { seq kind } } } } }""",
    )["lineage"]
    for edge in answer["edges"]:
        assert edge["evidence"], edge
        for claim in edge["evidence"]:
            assert claim["entry"]["seq"] == claim["seq"]
            assert claim["source"] == "test"


CUSTOMERS = artifact_id("file", "/lake/customers", "3.00000000")


def untold(world: World) -> str:
    """A report on a table whose log nobody read: the report's id."""
    run = RunRef(namespace=NAMESPACE, job="count.py", run_id="c1")
    at = T0 + 40 * HOUR
    world.add([
        RunFinished(
            event_at=at, run=run, state="COMPLETE", started_at=at - HOUR,
            uses=[Use(namespace="file", name="/lake/customers", artifact_kind="table",
                      version="3.00000000", at=at)],
            outputs=[Output(namespace="file", name="/out/n.txt", version=file_token("9" * 64),
                            at=at)],
        )
    ])  # fmt: skip
    return artifact_id("file", "/out/n.txt", file_token("9" * 64))


def test_a_table_version_that_nothing_recorded_made_is_said_to_be_so(world: World) -> None:
    report = untold(world)
    query = """query($id: ID!, $d: Direction!, $n: Int) { lineage(id: $id, direction: $d, depth: $n)
      { completeness { complete unknownOrigins } } }"""
    up = ask(world, query, id=report, d="UPSTREAM")["lineage"]["completeness"]
    assert up == {"complete": False, "unknownOrigins": [CUSTOMERS]}
    down = ask(world, query, id=CUSTOMERS, d="DOWNSTREAM")["lineage"]["completeness"]
    assert down == {"complete": True, "unknownOrigins": []}
    node = "query($id: ID!) { node(id: $id) { completeness { complete unknownOrigins } } }"
    assert ask(world, node, id=CUSTOMERS)["node"]["completeness"] == up
    # Of what was only not asked for, nothing is missing: it was cut.
    cut = ask(world, query, id=CHURN, d="UPSTREAM", n=2)["lineage"]["completeness"]
    assert cut["unknownOrigins"] == []
    assert not ask(world, LINEAGE, id=tx(2), history="NONE")["lineage"]["completeness"]["gaps"]


# --- both times ----------------------------------------------------------------------------------


@pytest.mark.parametrize("id_", [tx(3), CHURN, MODEL, TRAIN])
def test_what_was_not_there_yet_is_an_error(shared: World, id_: str) -> None:
    facts = fault(shared, LINEAGE, id=id_, asOf=iso(T0 + 2 * HOUR))
    assert (facts["code"], facts["pointer"]) == ("not-found", "/asOf")
    assert "the first that is known of it is of 2026-09-2" in facts["hint"]
    assert ask(shared, LINEAGE, id=id_, asOf=iso(T0 + 30 * HOUR))["lineage"]["nodes"]


def test_as_of_shows_how_it_was(shared: World) -> None:
    before = iso(T0 + 2 * HOUR + 1)
    answer = ask(shared, LINEAGE, id="table:tx", asOf=before)["lineage"]
    assert {tx(0), tx(1), tx(2)} <= set(node_ids(answer))
    assert not {tx(3), tx(4)} & set(node_ids(answer))
    assert answer["completeness"]["asOf"] == before
    owners = 'query($t: Time) { owners(id: "table:tx", asOf: $t) { status } }'
    assert ask(shared, owners, t=iso(T0 + 19 * HOUR))["owners"]["status"] == "ORPHANED"
    assert ask(shared, owners, t=iso(T0 + 101 * HOUR))["owners"]["status"] == "OWNED"


def test_known_at_shows_what_was_known(shared: World) -> None:
    by_seq = ask(shared, LINEAGE, id="table:tx", knownAt=6)["lineage"]
    assert {tx(0), tx(1), tx(2)} <= set(node_ids(by_seq))
    assert tx(3) not in node_ids(by_seq)
    assert by_seq["completeness"]["position"] == 6
    recorded = next(shared.store.entries(5, 1)).recorded_at
    by_time = ask(shared, LINEAGE, id="table:tx", knownAt=iso(recorded))["lineage"]
    del by_time["pageInfo"], by_seq["pageInfo"]  # a cursor is of the question as it was said
    assert by_time == by_seq
    as_text = ask(shared, LINEAGE, id="table:tx", knownAt="6")["lineage"]
    assert as_text["nodes"] == by_seq["nodes"]


TIMED = [
    '{ node(id: "table:tx", asOf: $asOf, knownAt: $knownAt) { id } }',
    '{ nodes(ids: ["table:tx"], asOf: $asOf, knownAt: $knownAt) { id } }',
    '{ search(text: "tx", asOf: $asOf, knownAt: $knownAt) { completeness { position asOf } } }',
    "{ artifacts(asOf: $asOf, knownAt: $knownAt) { completeness { position asOf } } }",
    "{ runs(asOf: $asOf, knownAt: $knownAt) { completeness { position asOf } } }",
    '{ lineage(id: "tx", asOf: $asOf, knownAt: $knownAt) { completeness { position asOf } } }',
    '{ owners(id: "table:tx", asOf: $asOf, knownAt: $knownAt) { status } }',
    "{ ownership(asOf: $asOf, knownAt: $knownAt) { completeness { position asOf } } }",
]


@pytest.mark.parametrize("query", TIMED)
def test_every_root_takes_both_times(shared: World, query: str) -> None:
    full = f"query($asOf: Time, $knownAt: KnownAt) {query}"
    data = ask(shared, full, asOf=iso(T0 + 5 * HOUR), knownAt=10)
    (answer,) = data.values()
    if isinstance(answer, dict) and "completeness" in answer:
        assert answer["completeness"] == {"position": 10, "asOf": iso(T0 + 5 * HOUR)}
    assert fault(shared, full, asOf="2026-11-21")["code"] == "time-without-zone"
    assert fault(shared, full, asOf="soon")["code"] == "bad-time"
    assert fault(shared, full, knownAt="yesterday")["code"] == "bad-time"
    assert fault(shared, full, knownAt=999)["code"] == "not-found"
    assert fault(shared, full, knownAt=True)["code"] == "bad-query"


def test_all_questions_of_a_request_are_answered_at_one_position(world: World) -> None:
    """What is recorded while a request is answered is in none of its answers."""
    context = Context(world.store, ACTOR, world.recorder.record)
    assert context.head == 18
    world.add([TagAdded(event_at=T0, target=TX, tag="pii")])
    body = execute(
        context,
        "{ a: artifacts { completeness { position } } "
        'node(id: "table:tx") { states(types: [TAGGED]) { object } } }',
    ).body
    assert body["data"] == {"a": {"completeness": {"position": 18}}, "node": {"states": []}}


def test_states_and_their_history(world: World) -> None:
    world.add([TagAdded(event_at=T0, target=TX, tag="pii", until=T0 + HOUR)])
    query = """query($t: Time) { node(id: "table:tx", asOf: $t) {
      states(types: [TAGGED]) { object value since until }
      history(type: TAGGED) { object since until } } }"""
    then = ask(world, query, t=iso(T0 + 1))["node"]
    span = {"since": iso(T0), "until": iso(T0 + HOUR)}
    assert then["states"] == [{"object": "pii", "value": "on", **span}]
    now = ask(world, query, t=None)["node"]
    assert now["states"] == []
    assert now["history"] == [{"object": "pii", **span}]


# --- paging --------------------------------------------------------------------------------------


def consumer(n: int) -> Change:
    """A run that uses version 2 of the table and makes a file of its own."""
    run = RunRef(namespace=NAMESPACE, job="consumer", run_id=f"c{n:05}")
    at = T0 + 40 * HOUR + n
    return RunFinished(
        event_at=at, run=run, state="COMPLETE",
        uses=[Use(namespace="file", name="/lake/features/tx", version=tx(2).rpartition("@")[2],
                  artifact_kind="", at=at)],
        outputs=[Output(namespace="file", name=f"/out/{n:05}.csv", at=at,
                        version=file_token(f"{n:064x}"))],
    )  # fmt: skip


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
    world = small_world(make=partial(STORES["sqlite"], tmp_path))
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


# --- ownership and gates -------------------------------------------------------------------------


def test_owners_with_every_claim(shared: World) -> None:
    shown = ask(
        shared,
        """{ owners(id: "table:features/tx@2") { id status accepted source through
      team { name } claims { subject teamId accepted proposed rank since until claimedBy } } }""",
    )
    assert shown["owners"]["status"] == "OWNED"
    assert shown["owners"]["through"] == LAKE
    (claim,) = shown["owners"]["claims"]
    assert (claim["subject"], claim["teamId"], claim["until"]) == (LAKE, DATA, None)
    assert claim["claimedBy"] == [ACTOR.id]


def test_ownership_lists_who_must_act(shared: World) -> None:
    query = (
        "query($s: [OwnershipStatus!]) { ownership(statuses: $s) { edges { node { id status } } } }"
    )
    everything = ask(shared, query, s=None)["ownership"]
    assert ids_of(everything) == [TX, MODEL]
    claimed = ask(shared, query, s=["CLAIMED", "ORPHANED"])["ownership"]
    assert ids_of(claimed) == [MODEL]
    one = """query($c: String) { ownership(first: 1, after: $c) {
      edges { node { id } } pageInfo { hasNextPage endCursor } } }"""
    first = ask(shared, one, c=None)["ownership"]
    second = ask(shared, one, c=first["pageInfo"]["endCursor"])["ownership"]
    assert ids_of(first) + ids_of(second) == [TX, MODEL]


def test_ownership_and_the_list_of_the_command_are_one(world: World) -> None:
    untold(world)
    datasets = [
        Use(namespace="pg://db", name=f"t{n}", artifact_kind="", version="v1", at=T0)
        for n in range(3)
    ]
    run = RunRef(namespace="etl", job="j", run_id="1")
    world.add([RunFinished(event_at=T0, run=run, state="COMPLETE", uses=datasets)])
    view = View(world.store.head().seq, world.tick())
    listed = [each.node for _, some in scan_owned(world.store, view) for each in some]
    assert {artifact_id("pg://db", "t0"), TX, MODEL} <= set(listed)
    assert RAW not in listed
    query = """query($after: String, $s: [OwnershipStatus!]) {
      ownership(first: 2, after: $after, statuses: $s) {
        edges { node { id } } pageInfo { hasNextPage endCursor } } }"""
    found = [ids_of(page) for page in pages(world, query, "ownership")]
    assert [node for page in found for node in page] == listed
    claim = 'mutation($t: String!) { claimOwner(team: $t, target: "pg://db/t1") { seq notes } }'
    for team in ("a", "b"):
        ask(world, claim, t=team)
    contested = ask(world, query, s=["CONTESTED"])["ownership"]
    assert ids_of(contested) == [artifact_id("pg://db", "t1")]
    before = '{ ownership(asOf: "2020-01-01T00:00:00Z") { edges { node { id } } } }'
    assert ask(world, before)["ownership"]["edges"] == []


def test_a_change_tells_what_it_leads_to(world: World) -> None:
    claim = """mutation($s: Time) { claimOwner(team: "other", target: "table:tx", since: $s,
      reason: "r") { notes ownership { status } } }"""
    displaced = ask(world, claim)["claimOwner"]
    assert displaced["ownership"]["status"] == "CLAIMED"
    assert displaced["notes"][0] == "note: team:other was not heard of before"
    assert displaced["notes"][1].startswith("warning: team:data answered for it and had accepted.")
    (proposal,) = ask(world, claim, s="2020-01-01T00:00:00Z")["claimOwner"]["notes"]
    assert "proposal" in proposal


def test_owners_change_with_their_actor_in_the_ledger(world: World) -> None:
    accepted = ask(
        world,
        """mutation { acceptOwner(target: "model:churn", team: "risk", reason: "on call") {
      seq target ownership { status team { name } } } }""",
    )["acceptOwner"]
    assert accepted["ownership"] == {"status": "OWNED", "team": {"name": "risk"}}
    entry = ask(
        world,
        """query($s: Seq!) { ledger { entry(seq: $s) {
      kind actor { id verified } } } }""",
        s=accepted["seq"],
    )["ledger"]["entry"]
    assert entry == {"kind": "owner.accepted", "actor": {"id": ACTOR.id, "verified": "test"}}
    again = fault(world, 'mutation { acceptOwner(target: "model:churn", team: "risk") { seq } }')
    assert again["code"] == "already-accepted"
    retracted = ask(
        world,
        """mutation { retractOwner(target: "model:churn", team: "risk") {
      ownership { status } } }""",
    )["retractOwner"]
    assert retracted["ownership"] == {"status": "ORPHANED"}
    # What was accepted stays true of the time before.
    owners = 'query($n: KnownAt) { owners(id: "model:churn", knownAt: $n) { status } }'
    assert ask(world, owners, n=accepted["seq"])["owners"]["status"] == "OWNED"


def test_a_scope_is_claimed_for_all_it_matches(world: World) -> None:
    claimed = ask(
        world,
        """mutation { claimOwner(team: "ml",
      scope: {namespace: "file", name: "/out/**"}) { target ownership { status } } }""",
    )
    assert claimed["claimOwner"] == {"target": "scope:file,/out/**", "ownership": None}
    shown = ask(world, '{ owners(id: "/out/report.csv") { status team { name } } }')
    assert shown["owners"] == {"status": "CLAIMED", "team": {"name": "ml"}}


@pytest.mark.parametrize(
    ("mutation", "code"),
    [
        ('claimOwner(team: "risk") { seq }', "bad-argument"),
        ('claimOwner(team: "risk", target: "nothing") { seq }', "not-found"),
        ('claimOwner(team: "person:p", target: "model:churn") { seq }', "bad-team"),
        ('claimOwner(team: "risk", target: "team:risk") { seq }', "not-ownable"),
        ('claimOwner(team: "risk", target: "model:churn", since: "2020-01-01") { seq }',
         "time-without-zone"),
        ('claimOwner(team: "risk", target: "model:churn", since: "2020-01-01T00:00:00Z") { seq }',
         "backdated-needs-reason"),
        ('acceptOwner(team: "nobody", target: "model:churn") { seq }', "nothing-to-accept"),
        ('retractOwner(team: "nobody", target: "model:churn") { seq }', "nothing-to-retract"),
        ('decideGate(action: "deploy", id: "nothing") { seq }', "not-found"),
        ('decideGate(action: "deploy", id: "train.py") { seq }', "not-an-artifact"),
    ],
)  # fmt: skip
def test_refused_changes_leave_nothing(shared: World, mutation: str, code: str) -> None:
    before = shared.store.head().seq
    assert fault(shared, f"mutation {{ {mutation} }}")["code"] == code
    assert shared.store.head().seq == before


def test_a_gate_decides_and_is_recorded(world: World) -> None:
    gate = """mutation { decideGate(action: "deploy", id: "model:churn") {
      seq subject verdict decision } }"""
    denied = ask(world, gate)["decideGate"]
    assert (denied["verdict"], denied["subject"]) == ("deny", CHURN)
    blocking = json.dumps(denied["decision"]["reasons"])
    assert MODEL in blocking
    ask(
        world,
        'mutation { acceptOwner(target: "model:churn", team: "risk", reason: "x") { seq } }',
    )
    allowed = ask(world, gate)["decideGate"]
    assert allowed["verdict"] == "allow"
    entry = ask(world, "query($s: Seq!) { ledger { entry(seq: $s) { kind body } } }",
                s=allowed["seq"])["ledger"]["entry"]  # fmt: skip
    assert entry["kind"] == "gate.decided"
    assert entry["body"]["decision"] == "allow"


# --- the ledger ----------------------------------------------------------------------------------


def test_the_ledger_can_be_read_and_checked(shared: World) -> None:
    query = """query($after: String) { ledger { head { seq rootHash recordedAt }
      entries(first: 7, after: $after) { totalCount pageInfo { hasNextPage endCursor }
      edges { node {
        seq kind v source eventId recordedAt redacted commitment leaf salt body bodyBase64 verify
        actor { id verified } } } } } }"""
    seen: list[dict[str, Any]] = []
    after = None
    while True:
        shown = ask(shared, query, after=after)["ledger"]
        seen += [edge["node"] for edge in shown["entries"]["edges"]]
        after = shown["entries"]["pageInfo"]["endCursor"]
        if not shown["entries"]["pageInfo"]["hasNextPage"]:
            break
    head = shared.store.head()
    assert shown["head"]["rootHash"] == head.frontier.root().hex()
    assert [entry["seq"] for entry in seen] == list(range(1, head.seq + 1))
    for entry, stored in zip(seen, shared.store.entries(), strict=True):
        body = base64.b64decode(entry["bodyBase64"])
        assert body == stored.body
        assert entry["body"] == json.loads(stored.body)
        assert commitment_of(bytes.fromhex(entry["salt"]), body).hex() == entry["commitment"]
        assert not entry["redacted"]


def test_a_sealed_ledger_gives_checkpoints_and_proofs(world: World) -> None:
    """What was not sealed is not proved; a redacted entry comes with what redacted it."""
    nothing = ask(world, "{ ledger { checkpoint { note } } }")
    assert nothing == {"ledger": {"checkpoint": None}}
    assert fault(world, '{ ledger { proof(id: "2") } }')["code"] == "not-found"
    key = generate_key("example.com/log")

    def sign(head: Head) -> bytes:
        text = Checkpoint(key.name, head.seq, head.frontier.root()).text()
        return sign_note(text, [key])

    old = world.store.seal(sign)
    target = next(world.store.entries(10, 1))
    said = json.loads(target.body)
    stub = {name: said[name] for name in ("event_at", "kind", "v", "run")}
    stub |= {"command": [], "user": {"person": PERSON}}
    world.add([EntryRedacted(
        event_at=T0, source=target.source, event_id=target.event_id, stub=json.dumps(stub),
        reason="x", by="y",
    )])  # fmt: skip
    new = world.store.seal(sign)
    shown = ask(world, """query($old: Seq!) { ledger {
      checkpoint { note origin size rootHash signedBy }
      was: checkpoint(size: $old) { size }
      proof(id: "11") before: proof(id: "2", size: $old) consistency(old: $old) } }""",
      old=old.size)["ledger"]  # fmt: skip
    head = world.store.head()
    assert shown["checkpoint"] == {
        "note": new.note.decode(), "origin": key.name, "size": head.seq,
        "rootHash": head.frontier.root().hex(), "signedBy": [f"{key.name}+{key.public.id.hex()}"],
    }  # fmt: skip
    assert shown["was"]["size"] == old.size
    proof = shown["proof"]
    assert (proof["format"], proof["index"], proof["entry"]["salt"]) == (
        "lineage-proof/1",
        10,
        None,
    )
    assert [r["index"] for r in proof["redactions"]] == [new.size - 1]
    assert shown["before"]["checkpoint"] == old.note.decode()
    found = Consistency.of_value(shown["consistency"])
    assert (found.old, found.new) == (old.note, new.note)
    roots = Checkpoint.of_text(text_of(found.old)).root, head.frontier.root()
    assert verify_consistency(old.size, new.size, *roots, proof=found.path)


def test_a_redacted_entry_shows_its_stub_and_keeps_its_leaf(world: World) -> None:
    query = """{ ledger { entry(seq: 11) { kind redacted salt body leaf eventId source } } }"""
    before = ask(world, query)["ledger"]["entry"]
    stub = {key: before["body"][key] for key in ("event_at", "kind", "v", "run")}
    stub["user"] = {"person": PERSON}
    stub["command"] = []
    world.add([EntryRedacted(
        event_at=T0, source=before["source"], event_id=before["eventId"],
        stub=json.dumps(stub, sort_keys=True, separators=(",", ":")), reason="erasure", by="dpo",
    )])  # fmt: skip
    after = ask(world, query)["ledger"]["entry"]
    assert (after["redacted"], after["salt"], after["leaf"]) == (True, None, before["leaf"])
    assert after["body"] == stub
    run = ask(
        world, 'query { node(id: "run:01936893") { ... on Run { command user { displayName } } } }'
    )
    assert run["node"] == {"command": None, "user": {"displayName": "p1"}}


def test_bodies_of_an_answer_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lineage.query.graphql.context.MOST_BYTES", 1_000)
    assert ask(world, "{ ledger { entries(first: 50) { edges { node { seq } } } } }")
    body = asked(world, "{ ledger { entries(first: 50) { edges { node { body } } } } }")
    assert {error["extensions"]["code"] for error in body["errors"]} == {"answer-too-large"}


# --- limits and errors ---------------------------------------------------------------------------


def nested(depth: int) -> str:
    outputs = "... on ArtifactVersion { generatedBy { outputs(first: 1) { edges { node { "
    return f'{{ node(id: "model:churn@ab12") {{ {outputs * depth} id {"} } } } } " * depth} }} }}'


def bomb(levels: int, end: str) -> str:
    """Fragments that each spread the next one twice."""
    spread = (
        f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }}" for n in range(levels)
    )  # fmt: skip
    return f"{{ ...f0 }} {' '.join(spread)} fragment f{levels} on Query {{ {end} }}"


VERSIONS = "versions(first: 1000) { edges { node { id } } }"
TWENTY = json.dumps(["x"] * 20)
HEAD = "ledger { head { seq } }"


@pytest.mark.parametrize(
    ("query", "limit"),
    [
        (nested(4), "depth"),
        (f"{{ {' '.join(f'a{n}: {HEAD}' for n in range(31))} }}", "aliases"),
        (f"{{ artifacts(first: 1000) {{ edges {{ node {{ {VERSIONS} }} }} }} }}", "cost"),
        (f"{{ nodes(ids: {TWENTY}) {{ ... on Artifact {{ {VERSIONS} }} }} }}", "cost"),
        (bomb(100, HEAD), "cost"),
        (bomb(60, "a: __typename"), "aliases"),
    ],
)  # fmt: skip
def test_queries_over_a_limit_are_refused_before_anything_is_read(query: str, limit: str) -> None:
    facts = fault(NoWorld(), query)
    assert facts["code"] == "query-too-large"
    assert facts["where"]["limit"] == limit


class NoWorld(World):
    """A world that cannot be read."""

    def __init__(self) -> None:
        self.store: Any = None
        self.recorder: Any = type("Recorder", (), {"record": None})()
        self.now = 0


def test_cost_counts_variables_although_queries_are_cached(shared: World) -> None:
    query = """query($n: Int!) { artifacts(first: $n) { edges { node {
      versions(first: 100) { edges { node { id } } } } } } }"""
    assert ask(shared, query, n=10)
    assert fault(shared, query, n=100)["code"] == "query-too-large"
    assert ask(shared, query, n=20)


@pytest.mark.parametrize(
    "query",
    [
        "", " ", "{", "}", "{ nope }", "{ node { id } }", "{ node(id: 3.5) { id } }", "\x00",
        "query($x: Nope) { a }", "subscription { a }", "{ ...f } fragment f on Query { ...f }",
        f"{{ {HEAD} }} {{ {HEAD} }}", f"query A {{ {HEAD} }} query B {{ {HEAD} }}", "{" * 3_000,
        "fragment f on Query { a }", '{ node(id: "' + "[" * 10_000 + '" }', "{ a # }",
        "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }",
        "{ node(id: " + "[" * 900 + "]" * 900 + ") { id } }", "{ artifacts(first: 1e9) { edges } }",
    ],
)  # fmt: skip
def test_what_is_no_query_of_this_schema_is_told_so(query: str) -> None:
    answered = execute(Context(None, ACTOR, None), query)  # type: ignore[arg-type]
    assert answered.status == 400
    assert answered.body["data"] is None
    for error in answered.body["errors"]:
        assert error["extensions"]["code"] == "bad-query"
        assert "internal" not in error["message"]


def test_too_many_tokens_are_not_parsed() -> None:
    query = "{ ledger { head { " + "seq " * limits.MOST_TOKENS + "} } }"
    answered = execute(Context(None, ACTOR, None), query)  # type: ignore[arg-type]
    assert answered.status == 400
    assert "token" in answered.body["errors"][0]["message"]


def test_introspection_is_answered(shared: World) -> None:
    shown = ask(
        shared, "{ __schema { queryType { name } types { name fields { name type { name } } } } }"
    )
    assert shown["__schema"]["queryType"] == {"name": "Query"}


def test_errors_of_ours_are_told_and_others_are_masked(
    shared: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(type(shared.store), "page", broken)
    (error,) = asked(shared, "{ artifacts { edges { cursor } } }")["errors"]
    assert "hunter2" not in json.dumps(error)
    assert error["extensions"]["code"] == "internal"
    assert error["path"] == ["artifacts"]
    # Whoever runs the service finds it by the incident.
    assert error["extensions"]["incident"] in caplog.text
    assert "hunter2" in caplog.text
    # What the asker can mend is told as it is.
    (mistake,) = asked(shared, "{ nope }")["errors"]
    assert "nope" in mistake["message"]
    assert mistake["extensions"]["code"] == "bad-query"
    (ours,) = asked(shared, '{ node(id: "nothing") { id } }')["errors"]
    assert ours["extensions"]["code"] == "not-found"
    assert ours["extensions"]["hint"]


def test_one_field_in_trouble_leaves_the_others_answered(shared: World) -> None:
    body = asked(shared, '{ nodes(ids: ["nothing"]) { id } ledger { head { seq } } }')
    assert body["data"]["ledger"]["head"]["seq"] == 18
    assert body["data"]["nodes"] == [None]


# --- reads of the store --------------------------------------------------------------------------


class Counting:
    """Counts the reads of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.reads: list[str] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)

        def counted(*arguments: Any, **named: Any) -> Any:
            self.reads.append(name)
            return found(*arguments, **named)

        return counted if callable(found) else found


def reads_of(world: World, query: str) -> list[str]:
    counting: Any = Counting(world.store)
    context = Context(counting, ACTOR, world.recorder.record)
    assert "errors" not in execute(context, query).body
    reads: list[str] = counting.reads
    return reads


def test_siblings_are_read_together(world: World) -> None:
    """The number of reads depends on the query, not on how much it answers."""
    query = """{ runs(job: "consumer", first: 100) { edges { node { displayName state user { id }
      inputs(first: 3) { edges { at node { displayName kind ... on ArtifactVersion { madeAt
        generatedBy { displayName state } artifact { kind exists } } } } } } } } }"""
    world.add([consumer(n) for n in range(3)])
    few = reads_of(world, query)
    world.add([consumer(n) for n in range(3, 40)])
    many = reads_of(world, query)
    assert sorted(many) == sorted(few)
    assert len(many) < 25


def test_who_owns_a_page_of_artifacts_is_read_at_once(world: World) -> None:
    query = "{ artifacts(first: 100) { edges { node { owners { status } } } } }"
    few = len(reads_of(world, query))
    world.add([consumer(n) for n in range(40)])
    # Claims are read by what they are about; there are no more of them now.
    assert len(reads_of(world, query)) <= few + 2


def test_versions_of_a_page_of_artifacts_are_read_at_once(world: World) -> None:
    query = """{ artifacts(first: 100) { edges { node { latestVersion { id madeAt }
      versions(first: 3) { totalCount edges { node { id number madeAt generatedBy { id } } } }
    } } } }"""
    few = reads_of(world, query)
    world.add([consumer(n) for n in range(40)])
    assert sorted(reads_of(world, query)) == sorted(few)
    assert len(few) < 20


FRAGMENTS = "fragment a on Node { id } fragment b on Artifact { id displayName }"
PLAIN = [
    ("{ nodes(ids: $ids) { __typename id again: displayName kind } }", 2),
    ("{ artifacts { edges { cursor node { __typename id kind } } totalCount } }", 0),
    ("{ artifacts { edges { node { ...a ...b } } } } " + FRAGMENTS, 0),
    ("{ runs { edges { node { id displayName @include(if: $yes) kind @skip(if: $yes) } } } }", 0),
    ('{ lineage(id: "model:churn") { nodes { depth node { id ... on Run { kind } } } } }', 0),
    ('{ lineage(id: "model:churn") { edges { up down type carries at method } } }', 0),
    ("{ ownership { edges { node { id status claims { source since until claimedBy } } } } }", 0),
    ("{ artifacts { edges { node { id namespace versions(first: 2) { totalCount } } } } }", 0),
    ("{ nodes(ids: $ids) { id attributes { name value method since } } }", 2),
    ("{ runs { edges { node { id code parameters environment } } } }", 0),
    ('{ nodes(ids: $ids) { id attribute(name: "kind") { value } } }', 2),
]


@pytest.mark.parametrize(("query", "errors"), PLAIN)
def test_the_short_way_and_the_normal_way_give_the_same(
    shared: World, query: str, errors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bool] = []
    compiled = FastExecutor._compiled

    def counted(self: FastExecutor, kind: Any, details: Any) -> Any:
        taken.append(True)
        return compiled(self, kind, details)

    def unusual(*_: Any) -> Any:
        raise NotImplementedError

    declared = [text for text in ("$ids: [ID!]!", "$yes: Boolean!") if text[:4] in query]
    full = f"query({', '.join(declared)}) {query}" if declared else query
    variables = {"ids": [TX, "nothing", TRAIN, "model:nothing"], "yes": True}
    monkeypatch.setattr(FastExecutor, "_compiled", counted)
    short = asked(shared, full, **variables)
    assert taken
    monkeypatch.setattr(FastExecutor, "_compiled", unusual)
    normal = asked(shared, full, **variables)
    assert short == normal
    assert len(short.get("errors", ())) == errors
    assert short["data"] is not None


def test_a_null_where_none_may_be_is_told_as_the_normal_way_does(
    shared: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless(*_: Any) -> None:
        return None

    monkeypatch.setattr("lineage.query.batch.Batch.name", nameless)
    body = asked(shared, "{ artifacts { edges { node { id displayName } } } }")
    assert body["data"] is None
    (error,) = body["errors"]
    assert error["path"] == ["artifacts", "edges", 0, "node", "displayName"]


HOWTO = (Path(__file__).parents[2] / "docs" / "howto" / "ask.md").read_text(encoding="utf-8")


def test_the_queries_in_the_guide_are_answered(world: World) -> None:
    documents = [part.partition("```")[0] for part in HOWTO.split("```graphql")[1:]]
    assert len(documents) >= 3
    asked_for = {
        "model": "model:churn", "table": "table:features/tx", "since": iso(T0 + HOUR),
        "until": iso(T0 + 20 * HOUR),
    }  # fmt: skip
    answers: dict[str, Any] = {}
    for document in documents:
        names = re.findall(r"^(?:query|mutation) (\w+)", document, re.MULTILINE)
        for name in names or [None]:
            member = Actor(PERSON, "test")
            context = Context(world.store, member, world.recorder.record, clock=world.tick)
            body = execute(context, document, asked_for, name).body
            assert "errors" not in body, body
            answers[name or ""] = body["data"]
    (trained,) = answers["TrainedOn"]["lineage"]["nodes"]
    assert trained["node"]["id"] == CHURN
    assert trained["node"]["generatedBy"][0]["user"] == {"displayName": "Ada"}
    assert [c["teamId"] for c in answers["OwnerThen"]["owners"]["claims"]] == [RISK]
    assert len(answers["RunsThen"]["runs"]["edges"]) == 4
    assert world.store.head().seq == 21


def test_a_mutation_is_by_whoever_asks(world: World) -> None:
    who = Actor("service:lineage,bearer-token", "token")
    context = Context(world.store, who, world.recorder.record)
    execute(context, 'mutation { claimOwner(team: "ml", target: "/lake/raw.csv") { seq } }')
    last = next(world.store.entries(world.store.head().seq - 1, 1))
    assert (last.kind, last.actor) == ("owner.claimed", who)
    assert RAW.encode() in last.body
    assert run_id("n", "j", "r")
