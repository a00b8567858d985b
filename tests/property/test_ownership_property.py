"""Ownership for any claims in any order, patterns against an oracle, gates over random graphs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.model.changes import (
    AliasDeclared,
    AliasWithdrawn,
    ArtifactDescribed,
    Change,
    Output,
    OwnerAccepted,
    OwnerClaimed,
    OwnerRetracted,
    RunFinished,
    RunRef,
    Use,
)
from lineage.model.envelope import Actor
from lineage.model.ids import artifact_id, file_token, scope_id
from lineage.ownership.claims import ownership_of
from lineage.ownership.gate import Verdict, decide
from lineage.ownership.patterns import Pattern, scope_of
from lineage.ownership.policy import default_policy
from lineage.ownership.precedence import Claim, Ownership, Status, accountable
from lineage.record.interpret import interpret
from lineage.record.recorder import Recorder
from lineage.store.contract import Store, View
from lineage.store.memory.store import MemoryStore
from lineage.store.sqlite import SqliteStore

T0 = 1_795_000_000_000_000
ACTORS = [Actor("person:ann"), Actor("person:bob")]
TEAMS = ["team:a", "team:b", "team:c"]
SOURCES = ["explicit", "contract:x", "codeowners:x", "catalog:x", "inherited", "inferred:x", "odd"]
NODES = [artifact_id("s3://lake", name) for name in ("f/a", "f/b", "g/a")]
SCOPES = [
    scope_id(*pair)
    for pair in [("s3://lake", "f/*"), ("s3://lake", "?/a"), ("**", "**"), ("s3://*", "f/a")]
]

# --- patterns -------------------------------------------------------------------------------------

pattern_text = st.text("ab/*?é", max_size=12)


def oracle(pattern: str) -> re.Pattern[str]:
    """The definition, by the standard library (which may take exponential time)."""
    parts = [
        ".*" if token.startswith("**") else {"*": "[^/]*", "?": "[^/]"}.get(token, re.escape(token))
        for token in re.findall(r"\*+|.", pattern, re.DOTALL)
    ]
    return re.compile("".join(parts) + r"\Z", re.DOTALL)


@given(pattern_text, st.text("ab/é", max_size=12))
def test_patterns_match_as_their_regular_expression_does(pattern: str, text: str) -> None:
    assert Pattern(pattern).matches(text) == bool(oracle(pattern).match(text))


@given(pattern_text, st.text("ab/", max_size=8), st.text("ab/", max_size=8))
def test_a_pattern_that_takes_a_cut_name_takes_every_whole_one(
    pattern: str, head: str, tail: str
) -> None:
    if Pattern(pattern).matches_cut(head):
        assert Pattern(pattern).matches(head + tail)


@given(st.text("ab/é*?", min_size=1, max_size=12))
def test_a_name_matches_itself_as_a_pattern_unless_a_wildcard_bars_it(text: str) -> None:
    plain = text.replace("*", "").replace("?", "")
    assert Pattern(plain).matches(plain)
    assert Pattern("**").matches(text)


@given(pattern_text, pattern_text, pattern_text, pattern_text)
def test_specificity_orders_any_two_scopes(a: str, b: str, c: str, d: str) -> None:
    one, other = scope_of(scope_id(a, b)), scope_of(scope_id(c, d))
    relations = [
        one.specificity < other.specificity,
        one.specificity == other.specificity,
        one.specificity > other.specificity,
    ]
    assert relations.count(True) == 1


# --- precedence -----------------------------------------------------------------------------------

claims = st.lists(
    st.builds(
        Claim,
        subject=st.sampled_from([NODES[0], *SCOPES]),
        team=st.sampled_from(TEAMS),
        source=st.sampled_from(SOURCES),
        accepted=st.booleans(),
        proposed=st.booleans(),
    ),
    max_size=8,
)


@given(claims, st.randoms(use_true_random=False))
def test_the_order_of_claims_does_not_matter(found: list[Claim], random: Any) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)
    assert accountable(NODES[0], shuffled) == accountable(NODES[0], found)


@given(claims)
def test_exactly_one_team_answers_or_nobody_does(found: list[Claim]) -> None:
    owner = accountable(NODES[0], found)
    counted = [claim for claim in found if not claim.proposed]
    best = min((claim.precedence() for claim in counted), default=None)
    teams = {claim.team for claim in counted if claim.precedence() == best}
    expected = {0: {Status.ORPHANED}, 1: {Status.OWNED, Status.CLAIMED}}
    assert owner.status in expected.get(len(teams), {Status.CONTESTED})
    assert owner.team == (next(iter(teams)) if len(teams) == 1 else "")
    assert {claim.team for claim in owner.deciding()} == teams
    if owner.accepted:
        assert any(c.accepted and c.team == owner.team and c.precedence() == best for c in counted)


@given(claims)
def test_a_weaker_claim_changes_nothing(found: list[Claim]) -> None:
    owner = accountable(NODES[0], found)
    for claim in found:
        if claim.proposed or claim not in owner.deciding():
            rest = [other for other in found if other != claim]
            without = accountable(NODES[0], rest)
            assert (without.status, without.team) == (owner.status, owner.team)


@given(claims)
def test_every_claim_is_shown(found: list[Claim]) -> None:
    assert sorted(map(repr, accountable(NODES[0], found).claims)) == sorted(map(repr, found))


# --- histories ------------------------------------------------------------------------------------

moments = st.integers(0, 20)


@st.composite
def acts(draw: st.DrawFn) -> tuple[Change, Actor]:
    actor = draw(st.sampled_from(ACTORS))
    at = T0 + draw(moments)
    since = draw(st.none() | moments.map(lambda n: T0 + n))
    kind = draw(st.sampled_from([OwnerClaimed, OwnerClaimed, OwnerAccepted, OwnerRetracted, None]))
    if kind is None:
        low, high = sorted(draw(st.sampled_from([(NODES[0], NODES[1]), (NODES[1], NODES[2])])))
        alias = draw(st.sampled_from([AliasDeclared, AliasWithdrawn]))
        return alias(event_at=at, a=low, b=high), actor
    target = draw(st.sampled_from([*NODES, *SCOPES]))
    team, source = draw(st.sampled_from(TEAMS[:2])), draw(st.sampled_from(SOURCES[:2]))
    return kind(event_at=at, target=target, team=team, claim_source=source, since=since), actor


histories = st.lists(acts(), max_size=12)


def recorded(history: Sequence[tuple[Change, Actor]]) -> MemoryStore:
    store = MemoryStore(interpret, clock=lambda: T0 + 30)
    deliver(history, store)
    return store


def deliver(history: Sequence[tuple[Change, Actor]], store: Store) -> None:
    recorder = Recorder(store, key=b"k" * 32)
    for change, actor in history:
        # Each person is a source of their own: who said it is not lost where both say the same.
        recorder.record_changes([change], source=actor.id, actor=actor)


def answers(store: Store, position: int, as_of: int) -> dict[str, tuple[Any, ...]]:
    owners = ownership_of(store, NODES, View(position, as_of))
    return {node: _answer(owner) for node, owner in owners.items()}


def _answer(owner: Ownership) -> tuple[Any, ...]:
    return (owner.status, owner.team, owner.through, len(owner.claims))


@settings(deadline=None)
@given(histories, st.randoms(use_true_random=False), moments)
def test_delivery_in_any_order_gives_the_same_owners(
    history: list[tuple[Change, Actor]], random: Any, when: int
) -> None:
    shuffled = [*history, *history[:3]]
    random.shuffle(shuffled)
    one, other = recorded(history), recorded(shuffled)
    as_of = T0 + when
    assert answers(one, one.head().seq, as_of) == answers(other, other.head().seq, as_of)


@settings(deadline=None, max_examples=40)
@given(histories, moments)
def test_the_embedded_store_gives_the_same_owners(
    history: list[tuple[Change, Actor]], when: int
) -> None:
    definition = recorded(history)
    with TemporaryDirectory() as place:
        store = SqliteStore(Path(place) / "s.db", interpret, clock=lambda: T0 + 30)
        try:
            deliver(history, store)
            for position in (len(history) // 2, store.head().seq):
                expected = answers(definition, position, T0 + when)
                assert answers(store, position, T0 + when) == expected
        finally:
            store.close()


@settings(deadline=None)
@given(histories, histories, moments)
def test_what_is_said_later_is_invisible_at_an_earlier_position(
    before: list[tuple[Change, Actor]], after: list[tuple[Change, Actor]], when: int
) -> None:
    then, now = recorded(before), recorded([*before, *after])
    position = then.head().seq
    assert answers(now, position, T0 + when) == answers(then, position, T0 + when)


@settings(deadline=None)
@given(st.lists(acts(), max_size=12), moments)
def test_one_person_alone_never_changes_the_past(
    history: list[tuple[Change, Actor]], when: int
) -> None:
    """Who owned it then, is what was claimed by then: unless two people say otherwise."""
    claimed = [change for change, _ in history if isinstance(change, OwnerClaimed)]
    accepted = [OwnerAccepted(**_fields(claim)) for claim in claimed]
    store = recorded([(change, ACTORS[0]) for change in (*claimed, *accepted)])
    for node, owner in ownership_of(store, NODES, View(store.head().seq, T0 + when)).items():
        for claim in owner.deciding():
            in_time = [
                change
                for change in claimed
                if (change.target, change.team) == (claim.subject, claim.team)
                and (change.since is None or change.since >= change.event_at)
                and (change.since or change.event_at) <= T0 + when
            ]
            assert in_time, (node, claim)


def _fields(claim: OwnerClaimed) -> dict[str, Any]:
    return {
        "event_at": claim.event_at + 1,
        "target": claim.target,
        "team": claim.team,
        "claim_source": claim.claim_source,
        "since": claim.since,
    }


# --- gates over random graphs ---------------------------------------------------------------------

KINDS = ["table", "model", "feature_view", "training_dataset", "deployment", "file", "code"]
REQUIRED = frozenset(KINDS[:5])


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], list[list[int]], list[str]]:
    """Kinds of artifacts, what each was made from (earlier ones), and how owned each is."""
    size = draw(st.integers(2, 9))
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=size, max_size=size))
    inputs = [
        draw(st.lists(st.integers(0, n - 1), max_size=3, unique=True)) if n else []
        for n in range(size)
    ]
    standing = st.sampled_from(["accepted"] * 6 + ["none", "claimed", "contested", "ended"])
    return kinds, inputs, draw(st.lists(standing, min_size=size, max_size=size))


def _ref(n: int) -> dict[str, Any]:
    return {"namespace": "file", "name": f"/a/{n}"}


def _token(n: int) -> str:
    return file_token(f"{n:064x}")


def _made(n: int, kinds: Sequence[str], inputs: Sequence[int]) -> list[Change]:
    described = ArtifactDescribed(event_at=T0, artifact_kind=kinds[n], **_ref(n))
    uses = [Use(**_ref(i), artifact_kind=kinds[i], version=_token(i), at=T0 + n) for i in inputs]
    made = Output(**_ref(n), artifact_kind=kinds[n], version=_token(n), at=T0 + n)
    run = RunRef(namespace="n", job="j", run_id=str(n))
    return [
        described,
        RunFinished(event_at=T0 + n, run=run, state="COMPLETE", uses=uses, outputs=[made]),
    ]


def _owned(n: int, how: str) -> list[Change]:
    if how == "none":
        return []
    target = artifact_id(**_ref(n))
    until = T0 + 50 if how == "ended" else None
    changes: list[Change] = [
        OwnerClaimed(event_at=T0, target=target, team="team:a", until=until),
    ]
    if how != "claimed":
        changes.append(OwnerAccepted(event_at=T0 + 1, target=target, team="team:a"))
    if how == "contested":
        changes.append(OwnerClaimed(event_at=T0 + 2, target=target, team="team:b"))
    return changes


@settings(deadline=None, max_examples=150)
@given(graphs())
def test_a_gate_allows_exactly_what_is_owned_all_the_way_up(
    graph: tuple[list[str], list[list[int]], list[str]],
) -> None:
    kinds, inputs, standing = graph
    subject = len(kinds) - 1
    store = MemoryStore(interpret, clock=lambda: T0 + 60)
    recorder = Recorder(store, key=b"k" * 32)
    changes = [c for n in range(len(kinds)) for c in _made(n, kinds, inputs[n])]
    changes += [c for n, how in enumerate(standing) for c in _owned(n, how)]
    recorder.record_changes(changes, source="test", actor=ACTORS[0])
    upstream, todo = set[int](), [subject]
    while todo:
        node = todo.pop()
        if node not in upstream:
            upstream.add(node)
            todo += inputs[node]
    lacking = {
        artifact_id(**_ref(n))
        for n in upstream
        if (kinds[n] in REQUIRED or n == subject) and standing[n] != "accepted"
    }
    version = artifact_id(**_ref(subject), version=_token(subject))
    decision = decide(store, version, default_policy("deploy"), now=T0 + 100)
    assert decision.verdict is (Verdict.DENY if lacking else Verdict.ALLOW)
    assert {one.node for one in decision.blocking} == lacking
