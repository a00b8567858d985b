"""GraphQL answers alike over every store: limits and errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineage.query.graphql import limits
from lineage.query.graphql.context import Context
from lineage.query.graphql.schema import execute
from tests.conformance.graphql.asking import ask, asked, fault, nested
from tests.conformance.worlds import ACTOR, World


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
