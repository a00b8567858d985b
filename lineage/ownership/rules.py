"""Rules of gates: pure predicates over frozen evidence, and how they are put together.

A rule is a frozen value: its fields are the parameters that a policy may set. It has an id and a
version, and the SHA-256 of its source is logged with every decision: change what a rule does and
its version goes up (a test holds the digests). What is told to people (``remedies``) is not part
of it.

Nothing here fails open. ``AllOf`` and ``AnyOf`` of nothing fail, so an empty policy denies: a
policy that lost its rules in a merge must not let everything through. A rule that raises is
undecided.
"""

from __future__ import annotations

import enum
import hashlib
import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from typing_extensions import override

from lineage.model.ids import artifact_of, parse_id
from lineage.ownership.evidence import Evidence
from lineage.ownership.kinds import NEED_OWNER
from lineage.ownership.patterns import Pattern
from lineage.ownership.precedence import Status
from lineage.ownership.remedies import (
    Remedy,
    mend_gap,
    mend_origin,
    mend_owner,
    mend_run,
    mend_truncation,
    mend_use,
)

__all__ = [
    "RULES",
    "AllOf",
    "AnyOf",
    "Blocking",
    "Check",
    "EvidenceComplete",
    "Finding",
    "Outcome",
    "OwnerAccepted",
    "Result",
    "Rule",
    "RunComplete",
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


# --- the rules ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OwnerAccepted(Rule):
    """The subject and every upstream artifact of ``kinds`` has one team, which accepted.

    The subject needs an owner whatever its kind. ``dataset`` is an artifact whose kind nobody said.
    """

    id: ClassVar[str] = "owner-accepted"
    version: ClassVar[int] = 2

    kinds: tuple[str, ...] = NEED_OWNER

    @override
    def blocking(self, evidence: Evidence) -> Iterable[Blocking]:
        for seen in evidence.artifacts:
            required = seen.is_subject or not set(self.kinds).isdisjoint(seen.kinds)
            if required and seen.ownership.status is not Status.OWNED:
                why, remedy = mend_owner(seen.ownership)
                yield Blocking(seen.id, seen.name, why, remedy=remedy)


@dataclass(frozen=True)
class RunComplete(Rule):
    """Every run upstream ended COMPLETE; one that nobody heard of cannot be decided."""

    id: ClassVar[str] = "run-complete"
    version: ClassVar[int] = 1

    @override
    def blocking(self, evidence: Evidence) -> Iterable[Blocking]:
        for run in evidence.runs:
            if run.states == ("COMPLETE",):
                continue
            outcome = Outcome.FAIL if run.states else Outcome.UNDECIDED
            shown = " and ".join(run.states)
            why = f"the run is {shown}" if shown else "nothing says how the run ended"
            yield Blocking(run.id, run.name, why, outcome, mend_run(run.id))


@dataclass(frozen=True)
class EvidenceComplete(Rule):
    """Nothing that was asked may be missing: else the others decide on half of the truth.

    Undecided where the walk was cut, where a gap touches it (but for the reasons in
    ``accept_gaps``), where a version used is not known (``accept_unresolved``), where nobody
    recorded what made a version of what is made (``accept_unknown_origins``), and where nothing
    says how the subject was made. Both lists are globs over an artifact's id or its name.
    """

    id: ClassVar[str] = "evidence-complete"
    version: ClassVar[int] = 2
    patterns: ClassVar[frozenset[str]] = frozenset({
        "accept_unresolved", "accept_unknown_origins",
    })  # fmt: skip

    accept_gaps: tuple[str, ...] = ()
    accept_unresolved: tuple[str, ...] = ()
    accept_unknown_origins: tuple[str, ...] = ()

    @override
    def blocking(self, evidence: Evidence) -> Iterable[Blocking]:
        subject, unsure = evidence.subject, Outcome.UNDECIDED
        if evidence.truncated:
            why = "the walk upstream was cut: there is more than the policy's limit"
            yield Blocking(subject, subject, why, unsure, mend_truncation())
        if not evidence.runs:
            why = "no run is known to have made it, nor anything upstream of it"
            yield Blocking(subject, subject, why, unsure, mend_run(subject))
        for gap in evidence.gaps:
            if gap.reason not in self.accept_gaps:
                why = f"something may have been missed here: {gap.reason}"
                yield Blocking(gap.node, gap.name, why, unsure, mend_gap(gap.reason))
        for run, node in evidence.unresolved:
            if not self._accepts(self.accept_unresolved, node):
                why = f"which version of it {evidence.name_of(run)} used is not known"
                yield Blocking(node, evidence.name_of(node), why, unsure, mend_use(evidence, node))
        for node in evidence.unknown_origins:
            told = node == subject and not evidence.runs
            if not told and not self._accepts(self.accept_unknown_origins, node):
                why, remedy = "nobody recorded what made it", mend_origin(evidence, node)
                yield Blocking(node, evidence.name_of(node), why, unsure, remedy)

    @staticmethod
    def _accepts(globs: tuple[str, ...], node: str) -> bool:
        artifact = artifact_of(node)
        name = parse_id(artifact).parts[-1]
        texts = (artifact,) if name.digest else (artifact, name.text)
        return any(Pattern(glob).matches(text) for glob in globs for text in texts)


RULES: dict[str, type[Rule]] = {
    rule.id: rule for rule in (OwnerAccepted, RunComplete, EvidenceComplete)
}
"""Every rule that a policy may name."""
