"""GraphQL answers alike over every store: lineage."""

from __future__ import annotations

from lineage.model.canonical import iso
from lineage.model.changes import GapRecorded
from lineage.model.ids import artifact_id
from lineage.store.contract import Direction, View
from tests.conformance.graphql.asking import LINEAGE, ask, fault, node_ids, untold
from tests.conformance.worlds import (
    CHURN,
    HOUR,
    MODEL,
    PEOPLE,
    REPORT,
    REPORT_RUN,
    T0,
    TRAIN,
    TX,
    World,
    load,
    tx,
)


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
