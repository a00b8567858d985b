"""What may be asked of a gate's evidence, and how rules are put together.

Nothing here fails open. ``AllOf`` and ``AnyOf`` of nothing fail, so an empty policy denies: a
policy that lost its rules in a merge must not let everything through. A rule that raises is
undecided. A denial weighs more than a doubt: what fails, fails whatever may be missing.
"""

from __future__ import annotations

import enum
import hashlib
import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from lineage.ownership.evidence import Evidence
from lineage.ownership.remedies import Remedy

__all__ = [
    "AllOf",
    "AnyOf",
    "Blocking",
    "Check",
    "Finding",
    "Outcome",
    "Result",
    "Rule",
    "source_digest",
]


class Outcome(enum.StrEnum):
    """What a rule says of the evidence."""

    PASS = "pass"  # noqa: S105  # not a password
    FAIL = "fail"
    UNDECIDED = "undecided"


_NO_REMEDY = Remedy()


@dataclass(frozen=True, slots=True)
class Blocking:
    """Something that stands in the way: what, why, and the commands that would mend it."""

    node: str
    name: str
    why: str
    outcome: Outcome = Outcome.FAIL
    remedy: Remedy = _NO_REMEDY

    def as_dict(self) -> dict[str, Any]:
        """The obstacle as plain data."""
        return {
            "id": self.node, "name": self.name, "why": self.why, "outcome": self.outcome.value,
            "remedy": list(self.remedy.commands), "advice": self.remedy.advice,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found. ``rule`` is ``id@version``; ``sha256`` is of the rule's source."""

    rule: str
    sha256: str
    outcome: Outcome
    blocking: tuple[Blocking, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The finding as plain data."""
        return {
            "rule": self.rule, "sha256": self.sha256, "outcome": self.outcome.value,
            "blocking": [blocking.as_dict() for blocking in self.blocking],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    """What a rule, or several put together, say; every finding of the parts is kept."""

    outcome: Outcome
    findings: tuple[Finding, ...]


class Check(Protocol):
    """Something that can be asked of evidence."""

    def check(self, evidence: Evidence) -> Result:
        """The answer; never raises."""
        ...


class Rule:
    """Base of rules. A rule has no state but its parameters and does no I/O."""

    id: ClassVar[str]
    version: ClassVar[int]
    patterns: ClassVar[frozenset[str]] = frozenset()
    """Parameters that are lists of globs; a policy may say ``true`` for all that there is."""

    def blocking(self, evidence: Evidence) -> Iterable[Blocking]:
        """Everything that stands in the way; nothing if the rule passes."""
        raise NotImplementedError

    def check(self, evidence: Evidence) -> Result:
        """Fail if anything fails, else undecided if anything is, or if the rule itself breaks."""
        try:
            found = tuple(self.blocking(evidence))
        except Exception as fault:  # noqa: BLE001  # a broken rule must not decide, nor hide others
            why = f"the rule broke: {type(fault).__name__}: {fault}"
            found = (Blocking(evidence.subject, evidence.subject, why, Outcome.UNDECIDED),)
        outcome = _worst(one.outcome for one in found)
        name = f"{self.id}@{self.version}"
        return Result(outcome, (Finding(name, source_digest(type(self)), outcome, found),))


_DIGESTS: dict[type[Rule], str] = {}


def source_digest(rule: type[Rule]) -> str:
    """SHA-256 of a rule's source."""
    if rule not in _DIGESTS:
        _DIGESTS[rule] = hashlib.sha256(inspect.getsource(rule).encode()).hexdigest()
    return _DIGESTS[rule]


def _worst(outcomes: Iterable[Outcome]) -> Outcome:
    seen = set(outcomes)
    if Outcome.FAIL in seen:
        return Outcome.FAIL
    return Outcome.UNDECIDED if Outcome.UNDECIDED in seen else Outcome.PASS


@dataclass(frozen=True)
class AllOf:
    """Passes if every part does. Of nothing it fails: see the module."""

    checks: tuple[Check, ...]

    def check(self, evidence: Evidence) -> Result:
        """Fail if a part fails, else undecided if one is."""
        if not self.checks:
            return _empty("all", evidence)
        results = [check.check(evidence) for check in self.checks]
        findings = tuple(finding for result in results for finding in result.findings)
        return Result(_worst(result.outcome for result in results), findings)


@dataclass(frozen=True)
class AnyOf:
    """Passes if one part does. Of nothing it fails."""

    checks: tuple[Check, ...]

    def check(self, evidence: Evidence) -> Result:
        """Pass if a part passes, else undecided if one is."""
        if not self.checks:
            return _empty("any", evidence)
        results = [check.check(evidence) for check in self.checks]
        findings = tuple(finding for result in results for finding in result.findings)
        outcomes = {result.outcome for result in results}
        for outcome in (Outcome.PASS, Outcome.UNDECIDED):
            if outcome in outcomes:
                return Result(outcome, findings)
        return Result(Outcome.FAIL, findings)


def _empty(word: str, evidence: Evidence) -> Result:
    why = f"the policy has no rules under `{word}`: it says nothing, so it allows nothing"
    found = Blocking(evidence.subject, evidence.subject, why)
    return Result(Outcome.FAIL, (Finding("empty-policy@1", "", Outcome.FAIL, (found,)),))
