"""GraphQL answers alike over every store: the ledger."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from lineage.model.changes import EntryRedacted
from lineage.model.checkpoint import Checkpoint
from lineage.model.envelope import commitment_of
from lineage.model.merkle import verify_consistency
from lineage.model.notes import generate_key, sign_note, text_of
from lineage.model.proofs import Consistency
from lineage.store.contract import Head
from tests.conformance.graphql.asking import ask, asked, fault
from tests.conformance.worlds import PERSON, T0, World


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
