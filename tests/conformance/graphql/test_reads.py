"""GraphQL answers alike over every store: reads of the store."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lineage.model.canonical import iso
from lineage.model.envelope import Actor
from lineage.model.ids import run_id
from lineage.query.graphql.context import Context
from lineage.query.graphql.fast import FastExecutor
from lineage.query.graphql.schema import execute
from lineage.store.contract import Store
from tests.conformance.graphql.asking import asked, consumer
from tests.conformance.worlds import ACTOR, CHURN, HOUR, PERSON, RAW, RISK, T0, TRAIN, TX, World


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


HOWTO = (Path(__file__).parents[3] / "docs" / "howto" / "ask.md").read_text(encoding="utf-8")


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
