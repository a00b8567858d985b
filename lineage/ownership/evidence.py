"""The evidence of a gate: everything upstream of a subject that rules may ask about, frozen.

Collected once, at one position of the ledger and one valid time; rules see nothing else. Its digest
is recorded with the decision, and so is the record itself: tomorrow's interpreter may read the same
ledger differently, a decision stays what it was.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lineage.model.canonical import canonical
from lineage.model.claims import EdgeType, StateType
from lineage.model.ids import ARTIFACT, RUN, artifact_of, class_of, parse_id
from lineage.model.naming import display_name, short_token
from lineage.model.resolution import components
from lineage.ownership.ahead import Ahead, ahead_of
from lineage.ownership.claims import Owners
from lineage.ownership.gaps import GapSeen, gaps_touching
from lineage.ownership.kinds import kinds_of
from lineage.ownership.origins import unknown_origins
from lineage.ownership.precedence import Ownership
from lineage.store.contract import Direction, Store, View, Walk

__all__ = ["ArtifactSeen", "Evidence", "RunSeen", "collect"]

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class ArtifactSeen:
    """An artifact upstream. ``kinds`` are all that any source says of it or of an alias of it."""

    id: str
    name: str
    kinds: tuple[str, ...]
    ownership: Ownership
    is_subject: bool = False


@dataclass(frozen=True, slots=True)
class RunSeen:
    """A run upstream, with every state that it shows under any of its ids (none: unknown)."""

    id: str
    name: str
    states: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a gate saw. Times in microseconds; lists in a fixed order."""

    action: str
    subject: str
    position: int
    as_of: int
    artifacts: tuple[ArtifactSeen, ...] = ()
    runs: tuple[RunSeen, ...] = ()
    gaps: tuple[GapSeen, ...] = ()
    unresolved: tuple[tuple[str, str], ...] = ()
    """Uses whose version is not known: (run, artifact)."""
    unknown_origins: tuple[str, ...] = ()
    """Versions of what is made, that nothing recorded made."""
    truncated: bool = False
    ahead: tuple[Ahead, ...] = ()
    """What was said of all this and is dated later than ``as_of``: no rule has seen it."""

    def as_dict(self) -> dict[str, Any]:
        """The evidence as plain data, without the claims that did not decide."""
        return {
            "action": self.action, "subject": self.subject,
            "position": self.position, "as_of": self.as_of,
            "artifacts": [
                {
                    "id": seen.id, "kinds": list(seen.kinds), "status": seen.ownership.status.value,
                    "owners": [claim.as_dict() for claim in seen.ownership.deciding()],
                }
                for seen in self.artifacts
            ],
            "runs": [{"id": run.id, "states": list(run.states)} for run in self.runs],
            "gaps": [
                {"node": gap.node, "key": gap.key, "reason": gap.reason} for gap in self.gaps
            ],
            "unresolved": [{"run": run, "artifact": node} for run, node in self.unresolved],
            "unknown_origins": list(self.unknown_origins),
            "truncated": self.truncated,
            "ahead": [each.as_dict() for each in self.ahead],
        }  # fmt: skip

    def artifact(self, node: str) -> ArtifactSeen | None:
        """What was seen of the artifact that ``node`` is, or is a version of."""
        own = artifact_of(node)
        return next((seen for seen in self.artifacts if own in seen.ownership.members), None)

    def name_of(self, node: str) -> str:
        """What people call a node: an artifact, a version (``tx@12``), a run."""
        if class_of(node) == RUN:
            return next((run.name for run in self.runs if run.id == node), node)
        seen, parsed = self.artifact(node), parse_id(node)
        if seen is None:
            return node
        name = display_name(parsed.texts[-1], "model" if "model" in seen.kinds else None)
        return name if parsed.version is None else f"{name}@{short_token(parsed.version.text)}"

    def digest(self) -> str:
        """SHA-256 of the evidence as canonical JSON."""
        return hashlib.sha256(canonical(self.as_dict())).hexdigest()


def collect(store: Store, action: str, subject: str, view: View, *, limit: int) -> Evidence:
    """Walk upstream of ``subject`` over at most ``limit`` nodes and gather the evidence."""
    walk = store.walk([subject], Direction.UPSTREAM, view, limit=limit)
    nodes, owners = [node for node, _ in walk.nodes], Owners(store, view)
    artifacts = _artifacts(store, owners, nodes, subject, view.position)
    owned = {name for seen in artifacts for name in owners.bearing(seen.ownership.members)}
    return Evidence(
        action,
        subject,
        view.position,
        view.as_of,
        artifacts=tuple(artifacts),
        runs=tuple(_runs(store, walk, view)),
        gaps=gaps_touching(store, walk, owned, view),
        unresolved=tuple(sorted(walk.unresolved())),
        unknown_origins=unknown_origins(store, nodes, view, walk.edges),
        truncated=walk.truncated,
        ahead=ahead_of(store, walk, owned, view),
    )


# --- artifacts ------------------------------------------------------------------------------------


def _artifacts(
    store: Store, owners: Owners, nodes: Iterable[str], subject: str, position: int
) -> list[ArtifactSeen]:
    """Each artifact once, under the smallest of its ids that was reached."""
    own = artifact_of(subject)
    reached = sorted({artifact_of(node) for node in nodes if class_of(node) == ARTIFACT} | {own})
    standing = owners.of(reached)
    members = {member for ownership in standing.values() for member in ownership.members}
    kinds = kinds_of(store, members, position)
    seen: dict[tuple[str, ...], ArtifactSeen] = {}
    for node in reached:
        ownership = standing[node]
        if ownership.members not in seen:
            said = tuple(sorted({kind for m in ownership.members for kind in kinds[m]}))
            seen[ownership.members] = ArtifactSeen(
                node, _name(node, said), said, ownership, is_subject=own in ownership.members
            )
    return list(seen.values())


def _name(node: str, kinds: Sequence[str]) -> str:
    return display_name(parse_id(node).texts[-1], "model" if "model" in kinds else None)


# --- runs -----------------------------------------------------------------------------------------


def _runs(store: Store, walk: Walk, view: View) -> Iterator[RunSeen]:
    """Each run once: hooks that saw it under several ids are heard together."""
    runs = [node for node, _ in walk.nodes if class_of(node) == RUN]
    same = components(
        (edge.up, edge.down)
        for edge in walk.edges
        if edge.type is EdgeType.SAME_AS and class_of(edge.up) == RUN == class_of(edge.down)
    )
    shown: dict[str, set[str]] = defaultdict(set)
    for start in range(0, len(runs), _CHUNK):
        some = runs[start : start + _CHUNK]
        for state in store.states(view, subjects=some, types=[StateType.RUN_STATE]):
            shown[same.get(state.subject, state.subject)].add(state.value)
    for run in sorted({same.get(run, run) for run in runs}):
        parts = parse_id(run).texts
        name = f"{display_name(parts[1], None)} {parts[2]}"
        yield RunSeen(run, name, tuple(sorted(shown[run])))
