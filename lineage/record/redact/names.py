"""What of every kind of entry is a name: it stays when the entry is redacted, all else goes.

A rule is ``KEEP`` (the value stays as it is), :class:`Fixed` (the value gives way to another: the
field is needed, or leaving it out would say something else), a mapping (of an object, these fields
stay) or a list of one rule (of an array, for each element).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lineage.errors import RefusedError

__all__ = ["ERASED", "KEEP", "NESTED", "OWNERS", "Fixed", "Rule", "names_of"]

ERASED = "[erased]"
"""What stands where a text was."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """What takes the place of a value."""

    value: Any


class _Special(enum.Enum):
    KEEP = 1
    OWNERS = 2
    NESTED = 3


KEEP = _Special.KEEP
OWNERS = _Special.OWNERS
"""Owners of an OpenLineage facet: teams are nodes and stay, people are contacts and go."""
NESTED = _Special.NESTED
"""The stub in a redaction, JSON as text: its target says the same, so it has the same names."""
Rule = _Special | Fixed | Mapping[str, "Rule"] | list["Rule"]
_TEXT, _LIST = Fixed(ERASED), Fixed([])


def _fields(names: str, **more: Rule) -> dict[str, Rule]:
    return {**dict.fromkeys(names.split(), KEEP), **more}


_RUN_REF = _fields("namespace job run_id")
_THING = _fields("namespace name")
_OWNER = _fields("target team claim_source since until")
_ALIAS = _fields("a b since until inferred")
_MEMBER = _fields("person team since until")
_DEPLOYMENT = _fields("target deployment environment since")
_PIN = _fields("target location method")

_CHANGES: dict[str, dict[str, Rule]] = {
    "run.started": {
        "run": _RUN_REF, "parent": _RUN_REF, "command": _LIST, "user": _fields("person"),
    },
    "run.finished": {
        "run": _RUN_REF, "state": KEEP, "started_at": KEEP,
        "uses": [_fields("namespace name artifact_kind version said at method")],
        "outputs": [_fields("namespace name artifact_kind version at method operation")],
        # A gap that went would make an answer look complete.
        "gaps": [_fields("reason")],
    },
    "run.abandoned": {"run": _RUN_REF},
    "reproduction.finished": _fields("subject run verdict"),
    "table.committed": _fields(
        "namespace name table_id version log previous_table_id carries removed files_known",
        run=_RUN_REF, added=[_fields("path")],
    ),
    "pin.created": _PIN,
    "pin.removed": _fields("target location"),
    "artifact.described": _fields("namespace name version artifact_kind"),
    "artifact.invalidated": {**_THING, "run": _RUN_REF},
    "artifact.renamed": {"before": _THING, "after": _THING, "version": KEEP, "run": _RUN_REF},
    "alias.declared": _ALIAS,
    "alias.withdrawn": _ALIAS,
    "tag.added": _fields("target tag since until", value=_TEXT),
    "tag.removed": _fields("target tag since"),
    "deployment.started": _DEPLOYMENT,
    "deployment.ended": _DEPLOYMENT,
    "gap.recorded": _fields("gap_source from_position to_position reason touches"),
    "owner.claimed": _OWNER,
    "owner.accepted": _OWNER,
    "owner.retracted": _OWNER,
    "team.described": _fields("team"),
    "person.described": _fields("person"),
    "member.added": {**_MEMBER, "role": _TEXT},
    "member.removed": _MEMBER,
    "gate.decided": _fields("action subject decision position"),
    "audit.accessed": _fields("what position ranges"),
    "claim.retracted": _fields("source event_id"),
    "entry.redacted": _fields(
        "source event_id proposal", stub=NESTED, reason=_TEXT, by=_TEXT
    ),
}  # fmt: skip

_OWNERS: dict[str, Rule] = {"ownership": {"owners": OWNERS}}
_DATASET: dict[str, Rule] = {
    **_THING,
    "facets": {
        "version": _fields("datasetVersion"),
        "symlinks": {"identifiers": [_THING]},
        "lifecycleStateChange": {"lifecycleStateChange": KEEP, "previousIdentifier": _THING},
        **_OWNERS,
    },
}
_JOB: dict[str, Rule] = {**_THING, "facets": _OWNERS}
_PARENT: Rule = {"run": _fields("runId"), "job": _THING}
_OPENLINEAGE: dict[str, dict[str, Rule]] = {
    "openlineage.run": {
        "eventTime": KEEP, "eventType": KEEP, "job": _JOB,
        "run": {"runId": KEEP, "facets": {"parent": _PARENT}},
        "inputs": [_DATASET], "outputs": [_DATASET],
    },
    "openlineage.job": {
        "eventTime": KEEP, "job": _JOB, "inputs": [_DATASET], "outputs": [_DATASET],
    },
    "openlineage.dataset": {"eventTime": KEEP, "dataset": _DATASET},
}  # fmt: skip

_PROTECTED = frozenset({"redaction.proposed", "redaction.ruled", "seal.key_added"})


def names_of(kind: str) -> Mapping[str, Rule]:
    """The rule of a kind. Of one that is not known nothing is a name but what says the kind.

    Raises ``RefusedError`` (``not-redactable``) for what says how redactions are made, and whose
    signatures count.
    """
    if kind in _PROTECTED:
        raise RefusedError(
            f"an entry of kind {kind} cannot be redacted",
            code="not-redactable",
            hint="the ledger itself rests on it; it holds no body of anything",
        )
    if kind in _OPENLINEAGE:
        return _OPENLINEAGE[kind]
    return {**_fields("kind v event_at"), **_CHANGES.get(kind, {})}
