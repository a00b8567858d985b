"""Gates: may this be done to that? Asked at the head of the ledger and now, and never revisited.

``allow`` needs the policy to pass on complete evidence, and that is not the policy's to say: a gate
that meets truncation, a gap or an unresolved version cannot decide, which for the caller means no.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Any

from lineage.errors import RefusedError, UnknownNameError
from lineage.model.changes import GateDecided
from lineage.model.envelope import Actor
from lineage.model.ids import ARTIFACT, class_of, parse_id, token_of
from lineage.ownership.ahead import CLOCK_SKEW, first_of_each, versions_ahead
from lineage.ownership.checks import Blocking, Finding, Outcome
from lineage.ownership.claims import aliases_of
from lineage.ownership.evidence import Evidence, collect
from lineage.ownership.latest import latest_version, undated_since
from lineage.ownership.policy import Policy
from lineage.ownership.rules import on_complete_evidence
from lineage.store.contract import Store, View

__all__ = ["Decision", "Verdict", "decide"]


class Verdict(enum.StrEnum):
    """What a gate says."""

    ALLOW = "allow"
    DENY = "deny"
    UNDECIDED = "undecided"

    @property
    def exit_status(self) -> int:
        """The exit status of the command: 0 allow, 1 deny, 2 could not decide."""
        return {Verdict.ALLOW: 0, Verdict.DENY: 1}.get(self, 2)


_VERDICTS = {
    Outcome.PASS: Verdict.ALLOW,
    Outcome.FAIL: Verdict.DENY,
    Outcome.UNDECIDED: Verdict.UNDECIDED,
}


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision with the evidence it saw and the policy that read it."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    evidence: Evidence
    policy: Policy

    @property
    def subject(self) -> str:
        """The version that was decided on."""
        return self.evidence.subject

    @property
    def blocking(self) -> tuple[Blocking, ...]:
        """Everything that stands in the way, what denies first."""
        found = [one for finding in self.findings for one in finding.blocking]
        return tuple(sorted(found, key=lambda one: one.outcome is not Outcome.FAIL))

    def as_dict(self) -> dict[str, Any]:
        """The decision as plain data; the evidence by its digest and its counts."""
        evidence = self.evidence
        return {
            "action": evidence.action, "subject": evidence.subject,
            "decision": self.verdict.value, "position": evidence.position,
            "as_of": evidence.as_of, "policy": self.policy.as_dict(),
            "reasons": [finding.as_dict() for finding in self.findings],
            "evidence": {
                "sha256": evidence.digest(), "artifacts": len(evidence.artifacts),
                "runs": len(evidence.runs), "gaps": len(evidence.gaps),
                "unresolved": len(evidence.unresolved),
                "unknown_origins": len(evidence.unknown_origins),
                "truncated": evidence.truncated, "ahead": len(evidence.ahead),
            },
        }  # fmt: skip

    def change(self, *, actor: Actor, now: int) -> GateDecided:
        """The decision as a change to record, with the whole evidence."""
        return GateDecided(
            event_at=now, action=self.evidence.action, subject=self.subject,
            decision=self.verdict.value, position=self.evidence.position,
            policy=self.policy.as_dict(), reasons=[f.as_dict() for f in self.findings],
            evidence={"sha256": self.evidence.digest(), **self.evidence.as_dict()}, by=actor.id,
        )  # fmt: skip


def decide(store: Store, subject: str, policy: Policy, *, now: int) -> Decision:
    """Decide on the policy's action for a version (of an artifact: its latest), at ``now``.

    ``now`` is UTC microseconds. Raises ``UnknownNameError`` for a subject that nothing is known of,
    ``RefusedError`` (``bad-id``, ``not-an-artifact``), ``StoreError``: none of them is an answer.
    """
    if parse_id(subject).cls != ARTIFACT:
        raise RefusedError(
            f"a gate decides on artifacts, not on a {class_of(subject)}",
            code="not-an-artifact",
            hint="name a version of a model, a table, a deployment...",
        )
    position = store.head().seq
    if subject not in store.known([subject], View(position)):
        raise UnknownNameError(f"nothing is known of {subject}", hint="try `lineage search TEXT`")
    evidence = _look(store, subject, policy, position, now)
    result = on_complete_evidence(policy.check).check(evidence)
    return Decision(_VERDICTS[result.outcome], result.findings, evidence, policy)


def _look(store: Store, named: str, policy: Policy, position: int, now: int) -> Evidence:
    """The evidence as of now, as the clocks of those who recorded it have it.

    Something dated a little later (``CLOCK_SKEW``) has happened where a clock is ahead: then now is
    that time, so that it is seen. What is dated later than that stays ahead.
    """
    as_of = now
    while True:
        evidence = _collect(store, named, policy, View(position, as_of))
        soon = [each.at for each in evidence.ahead if as_of < each.at <= now + CLOCK_SKEW]
        if not soon:
            return replace(evidence, ahead=first_of_each(evidence.ahead))
        as_of = max(soon)


def _collect(store: Store, named: str, policy: Policy, view: View) -> Evidence:
    if token_of(named):
        return collect(store, policy.action, named, view, limit=policy.limit)
    latest = latest_version(store, named, view)
    evidence = collect(store, policy.action, latest, view, limit=policy.limit)
    names = aliases_of(store, [named], view)[named]
    later = [each for name in names for each in versions_ahead(store, name, view)]
    undated = undated_since(store, names, latest, view)
    return replace(
        evidence,
        ahead=(*evidence.ahead, *later),
        unknown_origins=tuple(sorted({*evidence.unknown_origins, *undated})),
    )
