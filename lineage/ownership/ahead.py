"""What the ledger holds about a walk that is dated later than the gate's now: seen by no rule.

A time from the future is kept. So a run that failed may show as complete until the year 9999, which
a broken clock, or somebody who wants it shipped, wrote into the event. A gate that asks as of now
must not pass over it: what has been recorded has happened, whenever it says it did.

What says of the future *on purpose* is another matter: a claim of ownership made today that begins
next month is dated today. Only what is itself dated later than now is ahead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lineage.model.canonical import FOREVER
from lineage.model.claims import EdgeType, StateType
from lineage.model.ids import ARTIFACT, RUN, artifact_of, class_of, token_of
from lineage.store.contract import LATEST, Direction, StateValue, Store, View, Walk

__all__ = ["CLOCK_SKEW", "Ahead", "ahead_of", "first_of_each", "versions_ahead"]

CLOCK_SKEW = 300 * 1_000_000
"""How far (microseconds) the clock of what records may be ahead of ours and still be believed.

Five minutes, as Kerberos has it: hosts that keep time are within a second, one that lost its time
server for a while is within minutes, and beyond that it is wrong. What is dated within it is seen,
not passed over: the gate then asks as of that time (:func:`lineage.ownership.gate.decide`)."""

_CHUNK = 500


@dataclass(frozen=True, slots=True, order=True)
class Ahead:
    """Something said of a node and dated later than now (``at``, microseconds)."""

    node: str
    what: str
    at: int

    def as_dict(self) -> dict[str, Any]:
        """It as plain data."""
        return {"node": self.node, "what": self.what, "at": self.at}


def ahead_of(store: Store, walk: Walk, owned: Collection[str], view: View) -> tuple[Ahead, ...]:
    """All that is dated later than the view's valid time, of what decides on this walk. Sorted.

    ``owned`` is what claims count on: the artifacts under all of their names, and scopes.
    """
    nodes = [node for node, _ in walk.nodes]
    runs = [node for node in nodes if class_of(node) == RUN]
    artifacts = [node for node in owned if class_of(node) == ARTIFACT]
    found = {
        *_occurrences(store, nodes, view),
        *_unmade(store, walk, view),
        *(each for run in runs for each in _acts(store, (run, StateType.RUN_STATE, ""), view)),
        *_kinds(store, artifacts, view),
    }
    changing = [*_claims(store, owned, view), *_aliases(store, [*artifacts, *runs], view)]
    for key in {(state.subject, state.type, state.object) for state in changing}:
        found.update(_acts(store, key, view))
    return tuple(sorted(found))


def versions_ahead(store: Store, artifact: str, view: View) -> list[Ahead]:
    """Versions of an artifact that were made later than the view's valid time."""
    known = store.versions(artifact, _whenever(view))
    return [Ahead(v, "made", at) for v, at in known if at is not None and at > view.as_of]


def first_of_each(ahead: Iterable[Ahead]) -> tuple[Ahead, ...]:
    """Of what is said of a node many times, the first time."""
    first = {(each.node, each.what): each for each in sorted(ahead, reverse=True)}
    return tuple(sorted(first.values()))


# --- what happened --------------------------------------------------------------------------------


def _occurrences(store: Store, nodes: Sequence[str], view: View) -> Iterator[Ahead]:
    """Where the nodes came from: edges that a walk as of now does not follow."""
    whenever = _whenever(view)
    for some in _chunks(nodes):
        for edge in store.edges(some, Direction.UPSTREAM, whenever):
            if edge.at <= view.as_of or edge.type is EdgeType.SAME_AS:
                continue
            # An alias that begins later moves an edge, too; the claims behind it are of their time.
            claims = store.evidence(edge.type, edge.up, edge.down, whenever)
            at = min((claim.at for claim in claims), default=edge.at)
            if at > view.as_of:
                yield Ahead(edge.down, f"{edge.type.name} {edge.up}", at)


def _unmade(store: Store, walk: Walk, view: View) -> Iterator[Ahead]:
    """Versions that came from nothing, by a commit of the future: the first of a table's log."""
    versions = {node for node, _ in walk.nodes if class_of(node) == ARTIFACT and token_of(node)}
    left = versions - {edge.down for edge in walk.edges if edge.type is not EdgeType.SAME_AS}
    for artifact in {artifact_of(version) for version in left}:
        yield from (each for each in versions_ahead(store, artifact, view) if each.node in left)


# --- what holds -----------------------------------------------------------------------------------


def _acts(store: Store, key: tuple[str, StateType, str], view: View) -> Iterator[Ahead]:
    """What was done to a state at a later time."""
    subject, kind, obj = key
    for act in store.state_evidence(subject, kind, obj, view.position):
        if act.at > view.as_of:
            what = " ".join(filter(None, (kind.name, obj, act.detail)))
            yield Ahead(subject, what, act.at)


def _claims(store: Store, owned: Iterable[str], view: View) -> Iterator[StateValue]:
    """Claims of ownership that begin, end or change later; who says so may have said it today."""
    for subject in sorted(owned):
        for state in store.history(subject, StateType.OWNED_BY, view.position):
            if _changes_later(state, view):
                yield state


def _aliases(store: Store, ids: Sequence[str], view: View) -> Iterator[StateValue]:
    """Equivalences that begin or end later."""
    for when in (view, _whenever(view)):
        for some in _chunks(ids):
            found = store.states(when, subjects=some, types=[StateType.SAME_AS])
            found += store.states(when, objects=some, types=[StateType.SAME_AS])
            yield from (state for state in found if _changes_later(state, view))


def _changes_later(state: StateValue, view: View) -> bool:
    return state.since > view.as_of or view.as_of < state.until < FOREVER


def _kinds(store: Store, artifacts: Sequence[str], view: View) -> Iterator[Ahead]:
    """Kinds that a source says later instead of what it says now, which is seen no more."""
    for some in _chunks(artifacts):
        now, then = (
            store.states(when, subjects=some, types=[StateType.ATTRIBUTE], objects=["kind"])
            for when in (view, _whenever(view))
        )
        said = {(state.subject, state.source): state.value for state in now}
        for state in then:
            if said.get((state.subject, state.source), state.value) != state.value:
                yield Ahead(state.subject, f"kind {state.value}", state.since)


def _whenever(view: View) -> View:
    return View(view.position, LATEST)


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]
