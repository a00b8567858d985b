"""Rules and policies: how they are put together, and what is refused."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import pytest
from typing_extensions import override

from lineage.errors import PolicyError
from lineage.ownership.checks import (
    AllOf,
    AnyOf,
    Blocking,
    Check,
    Outcome,
    Rule,
    source_digest,
)
from lineage.ownership.evidence import Evidence
from lineage.ownership.gate import Verdict
from lineage.ownership.policy import parse_policy
from lineage.ownership.rules import RULES
from lineage.store.contract import View
from tests.gated import (
    FRAUD,
    MODEL,
    NOW,
    World,
    owned,
)

# --- rules and policies ---------------------------------------------------------------------------

EVIDENCE = Evidence("deploy", FRAUD, 1, NOW)


@dataclass(frozen=True)
class Says(Rule):
    id: ClassVar[str] = "says"
    version: ClassVar[int] = 1
    outcome: Outcome = Outcome.PASS

    @override
    def blocking(self, evidence: Evidence) -> Iterable[Blocking]:
        if self.outcome is not Outcome.PASS:
            yield Blocking(evidence.subject, "x", "said so", self.outcome)


@dataclass(frozen=True)
class Breaks(Rule):
    id: ClassVar[str] = "breaks"
    version: ClassVar[int] = 1

    @override
    def blocking(self, evidence: Evidence) -> Iterable[Blocking]:
        raise ZeroDivisionError


PASS, FAIL, UNSURE = Says(), Says(Outcome.FAIL), Says(Outcome.UNDECIDED)


@pytest.mark.parametrize(
    ("check", "outcome"),
    [
        (AllOf((PASS, PASS)), Outcome.PASS),
        (AllOf((PASS, UNSURE)), Outcome.UNDECIDED),
        (AllOf((UNSURE, FAIL)), Outcome.FAIL),
        (AnyOf((FAIL, PASS, UNSURE)), Outcome.PASS),
        (AnyOf((FAIL, UNSURE)), Outcome.UNDECIDED),
        (AnyOf((FAIL, FAIL)), Outcome.FAIL),
        (AllOf((PASS, AnyOf((PASS, FAIL)))), Outcome.PASS),
        (AllOf((PASS, AllOf(()))), Outcome.FAIL),
        (AllOf((PASS, Breaks())), Outcome.UNDECIDED),
        (AnyOf((FAIL, Breaks())), Outcome.UNDECIDED),
    ],
)
def test_rules_are_put_together_so_that_doubt_never_allows(check: Check, outcome: Outcome) -> None:
    assert check.check(EVIDENCE).outcome is outcome


@pytest.mark.parametrize("check", [AllOf(()), AnyOf(())])
def test_a_policy_of_nothing_denies(check: Check) -> None:
    """In logic "all of nothing" is true. Here it is a policy that lost its rules in an edit, and
    what was written to keep things out must not let everything in."""
    assert check.check(EVIDENCE).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version: 1\nactions:",
        "version: 1\nactions: {deploy: }",
        "version: 1\nactions: {deploy: {}}",
        "version: 1\nactions: {deploy: []}",
        "version: 1\nactions: {deploy: {all: []}}",
        "version: 1\nactions: {deploy: {any: }}",
        "version: 1\nactions: {deploy: {all: [{rule: run-complete}, {all: []}]}}",
    ],
)
def test_an_empty_policy_denies_what_the_default_allows(text: str) -> None:
    policy = parse_policy(text.encode(), "deploy")
    assert owned().gate(policy=policy).verdict is Verdict.DENY


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("version: 1\nactions: {deploy: [{rule: owner-acepted}]}", "owner-accepted"),
        ("version: 1\nactions: {deploy: [{rule: [run-complete]}]}", "no rule"),
        ("version: 1\nactions: {deploy: [{rule: run-complete, kinds: [model]}]}", "kinds"),
        ("version: 1\nactions: {deploy: [{rule: owner-accepted, kinds: model}]}", "list of texts"),
        ("version: 1\nactions: {deploy: [{rule: owner-accepted, kinds: [no]}]}", "list of texts"),
        ("version: 1\nactions: {deploy: {all: [], any: []}}", "neither"),
        ("version: 1\nactions: {deploy: {not: []}}", "neither"),
        ("version: 1\nactions: {deploy: {all: 1}}", "not a list"),
        ("version: 1\nactions: {deploy: deny}", "not a mapping"),
        ("version: 1\nactions: {publish: []}", "publish"),
        ("version: 2\nactions: {deploy: []}", "version"),
        ("actions: {deploy: []}", "version"),
        ("version: 1\nlimit: many\nactions: {deploy: []}", "limit"),
        ("version: 1\nlimit: 0\nactions: {deploy: []}", "limit"),
        ("version: 1\nlimit: yes\nactions: {deploy: []}", "limit"),
        ("version: 1\nrules: []\nactions: {deploy: []}", "rules"),
        ("version: 1\nactions: {deploy: []}\nactions: {deploy: []}", "twice"),
        ("version: 1\nactions: {deploy: [], 'deploy': []}", "twice"),
        ("version: 1\nactions: {deploy: [{rule: run-complete, rule: run-complete}]}", "twice"),
        ("version: 1\na: &a [1]\nb: *a", "anchor"),
        ("version: 1\nactions: *a", "alias"),
        ("version: 1\nactions: &a {deploy: []}", "anchor"),
        ("version: 1\nactions: {deploy: [{<<: {rule: run-complete}}]}", "merge key"),
        ("version: 1\nactions: {deploy: [{rule: run-complete, <<: {rule: x}}]}", "merge key"),
        ("<<: {version: 1}\nactions: {deploy: []}", "merge key"),
        ("version: 1\nactions: {<<: [{deploy: []}, {deploy: []}]}", "merge key"),
        ("version: 1\nactions: {deploy: !!map {all: []}}", "tag"),
        ("version: 1\nactions: {deploy: [{rule: ! run-complete}]}", "tag"),
        ("version: 1\nactions: {deploy: [], yes: []}", "no text"),
        ("version: 1\nactions: {deploy: [], 1: []}", "no text"),
        ("version: 1\nactions: {deploy: [], [a]: []}", "no text"),
        ("version: 1\nactions: {deploy: [], ~: []}", "no text"),
        ("version: 1\nactions: {deploy: [{rule: run-complete}], publish: [{rule: x}]}", "no rule"),
        ("version: 1\nactions: {deploy: []}\n---\nversion: 1", "not YAML"),
        ("version: yes\nactions: {deploy: []}", "version"),
        ("version: 1.0\nactions: {deploy: []}", "version"),
        ("- rule: run-complete", "not a mapping"),
        ("{", "not YAML"),
        ("[" * 5_000, "deeper"),
        ("\x00", "not YAML"),
        ("!!python/object/apply:os.system ['true']", "tag"),
        ("a" * ((1 << 20) + 1), "bytes"),
    ],
)  # fmt: skip
def test_a_policy_that_is_not_understood_is_refused(text: str, says: str) -> None:
    with pytest.raises(PolicyError) as refused:
        parse_policy(text.encode(), "deploy")
    assert says in f"{refused.value.message} {refused.value.hint}"
    assert refused.value.code == "bad-policy"


def test_a_policy_that_would_blow_up_is_refused_before_it_does() -> None:
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    with pytest.raises(PolicyError, match=r"anchor \(line 1\)"):
        parse_policy(f"a0: &a0 [lol]\n{laughs}".encode(), "deploy")


def test_deep_nesting_is_refused() -> None:
    text = "version: 1\nactions: {deploy: " + "{all: [" * 30 + "]}" * 30 + "}"
    with pytest.raises(PolicyError, match="deeper"):
        parse_policy(text.encode(), "deploy")


def test_a_parameter_takes_effect_and_shows_in_the_digest() -> None:
    only_models = "version: 1\nactions: {deploy: [{rule: owner-accepted, kinds: [model]}]}"
    world = World().own(MODEL)
    assert world.gate(policy=only_models).verdict is Verdict.ALLOW
    one, two = (parse_policy(t.encode(), "deploy") for t in (only_models, only_models + " # x"))
    other = parse_policy(only_models.replace("model", "table").encode(), "deploy")
    assert one.sha256 == two.sha256 != other.sha256


DIGESTS = {
    "evidence-complete@3": "0c792c422aa4d7bc",
    "owner-accepted@2": "4556253efc83051a",
    "run-complete@1": "7cffc6c3c473bba8",
}


def test_a_rule_that_changes_takes_a_new_version() -> None:
    """Decisions log id, version and digest. If this fails, raise ``version`` of the rule whose
    source changed, then write the new digest here."""
    assert {
        f"{rule.id}@{rule.version}": source_digest(rule)[:16] for rule in RULES.values()
    } == DIGESTS


def test_rules_see_evidence_only() -> None:
    """Nothing in a rule's source reaches for a store, a clock or a file."""
    for rule in RULES.values():
        source = inspect.getsource(rule)
        assert not any(word in source for word in ("store", "time.", "open(", "import"))


def test_evidence_cannot_be_changed_by_a_rule() -> None:
    evidence = owned().gate().evidence
    with pytest.raises(AttributeError):
        evidence.truncated = True  # type: ignore[misc]  # frozen: that is the point
    assert evidence.position == View(evidence.position).position
