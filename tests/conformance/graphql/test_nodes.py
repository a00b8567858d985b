"""GraphQL answers alike over every store: node, nodes."""

from __future__ import annotations

import pytest

from lineage.model.canonical import iso
from lineage.model.changes import RunFinished, RunRef
from lineage.model.ids import artifact_id, file_token
from tests.conformance.graphql.asking import ask, asked, fault
from tests.conformance.worlds import (
    CHURN,
    HOUR,
    LAKE,
    MODEL,
    PEOPLE,
    PERSON,
    RISK,
    T0,
    TRAIN,
    TRAIN_JOB,
    TX,
    World,
    tx,
)

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
