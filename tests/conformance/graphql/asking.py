"""Questions to a world, and what answers have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lineage.model.changes import Change, Output, RunFinished, RunRef, Use
from lineage.model.ids import artifact_id, file_token
from lineage.query.graphql.context import Context
from lineage.query.graphql.schema import execute
from tests.conformance.worlds import ACTOR, HOUR, NAMESPACE, T0, World, tx

__all__ = [
    "LINEAGE",
    "ask",
    "asked",
    "consumer",
    "fault",
    "ids_of",
    "nested",
    "node_ids",
    "pages",
    "untold",
]


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


def nested(depth: int) -> str:
    outputs = "... on ArtifactVersion { generatedBy { outputs(first: 1) { edges { node { "
    return f'{{ node(id: "model:churn@ab12") {{ {outputs * depth} id {"} } } } } " * depth} }} }}'
