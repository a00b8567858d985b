"""Owners at a view: the claims in force on artifacts, on their aliases and on matching scopes.

Subjects of ownership are artifacts, jobs and scope patterns. A version is owned as its artifact, a
run as its job. What is said on any member of an equivalence class counts for all of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from lineage.model.claims import StateType
from lineage.model.ids import ARTIFACT, RUN, SCOPE, artifact_of, class_of, job_of_run, parse_id
from lineage.model.resolution import components
from lineage.ownership.patterns import Scope, scope_of
from lineage.ownership.precedence import Claim, Ownership, accountable
from lineage.ownership.standing import claim_of
from lineage.store.contract import Store, View

__all__ = ["Owners", "aliases_of", "owned_as", "ownership_of", "standing_of"]

_CHUNK = 500
"""Ids per read: backends bind each one."""


def owned_as(node: str) -> str:
    """The id that answers for a node's ownership: its artifact, its job, or itself."""
    return job_of_run(node) if class_of(node) == RUN else artifact_of(node)


def ownership_of(store: Store, ids: Sequence[str], view: View) -> dict[str, Ownership]:
    """Who answers for each of ``ids`` at ``view``."""
    return Owners(store, view).of(ids)


def aliases_of(store: Store, ids: Iterable[str], view: View) -> dict[str, tuple[str, ...]]:
    """The equivalence class of each id at ``view``, sorted, itself included.

    Only equivalences that are on: an inferred one that nobody confirmed joins nothing.
    """
    asked = set(ids)
    pairs: set[tuple[str, str]] = set()
    seen: set[str] = set()
    frontier = set(asked)
    while frontier:
        seen |= frontier
        found: set[str] = set()
        for some in _chunks(sorted(frontier)):
            states = store.states(view, subjects=some, types=[StateType.SAME_AS])
            states += store.states(view, objects=some, types=[StateType.SAME_AS])
            for state in states:
                if state.value == "on":
                    pairs.add((state.subject, state.object))
                    found |= {state.subject, state.object}
        frontier = found - seen
    representative = components(pairs)
    classes: dict[str, list[str]] = defaultdict(list)
    for node, root in sorted(representative.items()):
        classes[root].append(node)
    return {node: tuple(classes.get(representative.get(node, node), [node])) for node in asked}


def standing_of(store: Store, node: str, view: View) -> Ownership:
    """Who answers for a node; of a scope, the claims on it alone."""
    if class_of(node) != SCOPE:
        return Owners(store, view).of([node])[node]
    return accountable(node, Owners(store, view).on(node))


class Owners:
    """Ownership at one view. The list of scopes is read once: keep it for one question only."""

    def __init__(self, store: Store, view: View) -> None:
        self._store = store
        self._view = view
        self._on_scope: dict[str, list[Claim]] = {}
        self._scopes_of: dict[tuple[str, ...], list[str]] = {}

    def of(self, ids: Iterable[str]) -> dict[str, Ownership]:
        """Who answers for each id."""
        asked = {node: owned_as(node) for node in ids}
        classes = aliases_of(self._store, asked.values(), self._view)
        matching = {group: self._matching(group) for group in set(classes.values())}
        direct = self._claims_on({member for group in matching for member in group})
        scoped = self._claims_on_scopes({scope for some in matching.values() for scope in some})
        out: dict[str, Ownership] = {}
        for node, subject in asked.items():
            group = classes[subject]
            claims = [claim for member in group for claim in direct.get(member, ())]
            claims += [claim for scope in matching[group] for claim in scoped[scope]]
            out[node] = accountable(node, claims, group)
        return out

    def on(self, subject: str) -> list[Claim]:
        """The claims on exactly this artifact, job or scope."""
        return self._claims_on([subject]).get(subject, [])

    def bearing(self, group: tuple[str, ...]) -> tuple[str, ...]:
        """Everything on which a claim counts for a thing of these names: they, and scopes."""
        return (*group, *self._matching(group))

    @cached_property
    def scopes(self) -> list[Scope]:
        """Every scope pattern that was ever named."""
        return [scope_of(node) for node in self._scope_ids()]

    def _scope_ids(self) -> Iterator[str]:
        after = ""
        while page := self._store.page(self._view, classes=[SCOPE], after=after, limit=_CHUNK):
            yield from page
            after = page[-1]

    def _matching(self, group: tuple[str, ...]) -> list[str]:
        """Scopes that match any of the ids, each once."""
        if group not in self._scopes_of:
            parsed = [parse_id(member) for member in group if class_of(member) == ARTIFACT]
            self._scopes_of[group] = [
                s.id for s in self.scopes if any(s.matches(member) for member in parsed)
            ]
        return self._scopes_of[group]

    def _claims_on_scopes(self, scopes: set[str]) -> dict[str, list[Claim]]:
        """Claims on scopes, read when they are first asked for."""
        new = scopes - self._on_scope.keys()
        self._on_scope |= {scope: [] for scope in new} | self._claims_on(new)
        return self._on_scope

    def _claims_on(self, subjects: Iterable[str]) -> dict[str, list[Claim]]:
        out: dict[str, list[Claim]] = {}
        for some in _chunks(sorted(set(subjects))):
            owned = self._store.states(self._view, subjects=some, types=[StateType.OWNED_BY])
            for state in owned:
                claim = claim_of(self._store, state, self._view)
                out.setdefault(state.subject, []).append(claim)
        return out


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]
