"""Rules of gates: pure predicates over frozen evidence.

A rule is a frozen value: its fields are the parameters that a policy may set. It has an id and a
version, and the SHA-256 of its source is logged with every decision: change what a rule does and
its version goes up (a test holds the digests). What is told to people (``remedies``) is not part
of it.

One rule is not the policy's to leave out: ``evidence-complete``. See :func:`on_complete_evidence`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from lineage.model.canonical import iso
from lineage.model.ids import artifact_of, parse_id
from lineage.ownership.checks import AllOf, Blocking, Check, Outcome, Rule
from lineage.ownership.evidence import Evidence
from lineage.ownership.kinds import NEED_OWNER
from lineage.ownership.patterns import Pattern
from lineage.ownership.precedence import Status
from lineage.ownership.remedies import (
    mend_date,
    mend_gap,
    mend_origin,
    mend_owner,
    mend_run,
    mend_truncation,
    mend_use,
)

__all__ = ["RULES", "EvidenceComplete", "OwnerAccepted", "RunComplete", "on_complete_evidence"]


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
    recorded what made a version of what is made (``accept_unknown_origins``), where nothing says
    how the subject was made, and where something that was said is dated later than now. Both lists
    are globs over an artifact's id or its name.
    """

    id: ClassVar[str] = "evidence-complete"
    version: ClassVar[int] = 3
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
        for each in evidence.ahead:
            why = f"{each.what}: dated {iso(each.at)}, later than now"
            yield Blocking(
                each.node, evidence.name_of(each.node), why, unsure, mend_date(each.node)
            )
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


def on_complete_evidence(check: Check) -> Check:
    """``check``, and that nothing is missing: no policy allows on half of the truth.

    A policy says what it lives with in an ``evidence-complete`` that every allow has to pass: at
    its top, or within ``all``. One that an ``any`` may pass by takes nothing away.
    """
    return check if _asks_evidence(check) else AllOf((check, EvidenceComplete()))


def _asks_evidence(check: Check) -> bool:
    if isinstance(check, AllOf):
        return any(map(_asks_evidence, check.checks))
    return isinstance(check, EvidenceComplete)
