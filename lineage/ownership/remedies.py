"""What to do about an obstacle: the exact commands, and advice where no command mends it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lineage.model.ids import TEAM, class_of, parse_id
from lineage.ownership.changes import EXPLICIT
from lineage.ownership.kinds import UNDESCRIBED
from lineage.ownership.origins import record_its_making, watch_command
from lineage.ownership.precedence import Claim, Ownership, Status
from lineage.ownership.targets import target_words

if TYPE_CHECKING:
    from lineage.ownership.evidence import Evidence

__all__ = [
    "Remedy",
    "mend_date",
    "mend_gap",
    "mend_origin",
    "mend_owner",
    "mend_run",
    "mend_truncation",
    "mend_use",
]


@dataclass(frozen=True, slots=True)
class Remedy:
    """Commands to run, in order (``TEAM`` stands for a choice that only people can make)."""

    commands: tuple[str, ...] = ()
    advice: str = ""


def mend_owner(ownership: Ownership) -> tuple[str, Remedy]:
    """Why an artifact has no accepted owner, and what gives it one."""
    deciding = ownership.deciding()
    if ownership.status is Status.CLAIMED:
        why = f"{_team(ownership.team)} has not accepted it (claim source: {ownership.source})"
        return why, Remedy(tuple(_owners("accept", claim) for claim in deciding[:1]))
    if ownership.status is Status.CONTESTED:
        teams = sorted({_team(claim.team) for claim in deciding})
        # Those that nobody accepted are likelier the mistake.
        likely = sorted(deciding, key=lambda claim: claim.accepted)
        commands = tuple(_owners("retract", claim) for claim in likely)
        return f"contested between {' and '.join(teams)}", Remedy(
            commands, "keep the claim of the team that answers for it, retract the others"
        )
    if ownership.claims:
        first = ownership.claims[0]
        why = f"no owner: the backdated claim of {_team(first.team)} awaits a second person"
        return why, Remedy((_owners("accept", first),), "somebody else than who made the claim")
    claim = Claim(ownership.members[0], "TEAM", EXPLICIT)
    return "no owner", Remedy(
        (_owners("claim", claim), _owners("accept", claim)),
        "one claim can cover many: `lineage owners claim --scope NAMESPACE GLOB TEAM`",
    )


def mend_run(node: str) -> Remedy:
    """A run that did not end well, or is not known."""
    command = shlex.join(["lineage", "show", node])
    return Remedy((command,), "run it again under `lineage run -- COMMAND`, gate the new version")


def mend_date(node: str) -> Remedy:
    """Something dated later than now."""
    return Remedy(
        (shlex.join(["lineage", "show", node]),),
        "set the clock of what recorded it; then make it again and gate the new version, or have "
        "its source withdraw the entry (`claim.retracted`)",
    )


def mend_gap(reason: str) -> Remedy:
    """Something that capture may have missed."""
    return Remedy(
        (),
        f"capture it again without the gap, or name `{reason}` under accept_gaps of "
        "evidence-complete in a policy of your own",
    )


def mend_use(evidence: Evidence, node: str) -> Remedy:
    """A use without a version."""
    if command := watch_command(node, _kinds(evidence, node)):
        advice = f"if it is a Delta table, `{command}` reads its log: then its versions are known"
    else:
        advice = "have its producers send its version (the datasetVersion facet of OpenLineage)"
    return Remedy(
        (shlex.join(["lineage", "show", node]),),
        f"{advice}; or name it under accept_unresolved of evidence-complete in a policy of "
        "your own",
    )


def mend_origin(evidence: Evidence, node: str) -> Remedy:
    """A version of which nobody recorded what made it."""
    return Remedy(
        (shlex.join(["lineage", "show", node]),),
        f"{record_its_making(node, _kinds(evidence, node))}; or name it under "
        "accept_unknown_origins of evidence-complete in a policy of your own",
    )


def _kinds(evidence: Evidence, node: str) -> tuple[str, ...]:
    seen = evidence.artifact(node)
    return (UNDESCRIBED,) if seen is None else seen.kinds


def mend_truncation() -> Remedy:
    """More upstream than the policy looks at."""
    return Remedy((), "raise `limit` in a policy of your own and pass it with --policy")


def _owners(verb: str, claim: Claim) -> str:
    words = ["lineage", "owners", verb, *target_words(claim.subject), _team(claim.team)]
    if claim.source != EXPLICIT:
        words += ["--source", claim.source]
    return shlex.join(words)


def _team(team: str) -> str:
    """A team as people type it: ``risk``; its id where the name would need another spelling."""
    if not team.startswith(f"{TEAM}:") or class_of(team) != TEAM:
        return team
    name = parse_id(team).texts[0]
    return name if team == f"{TEAM}:{name}" and ":" not in name else team
