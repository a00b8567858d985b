"""GraphQL answers alike over every store: both times."""

from __future__ import annotations

import pytest

from lineage.model.canonical import iso
from lineage.model.changes import TagAdded
from lineage.query.graphql.context import Context
from lineage.query.graphql.schema import execute
from tests.conformance.graphql.asking import LINEAGE, ask, fault, node_ids
from tests.conformance.worlds import ACTOR, CHURN, HOUR, MODEL, T0, TRAIN, TX, World, tx


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
