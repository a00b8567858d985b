"""GraphQL answers alike over every store: ownership and gates."""

from __future__ import annotations

import json

import pytest

from lineage.model.changes import RunFinished, RunRef, Use
from lineage.model.ids import artifact_id
from lineage.ownership.kinds import scan_owned
from lineage.store.contract import View
from tests.conformance.graphql.asking import ask, fault, ids_of, pages, untold
from tests.conformance.worlds import ACTOR, CHURN, DATA, LAKE, MODEL, RAW, T0, TX, World


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
