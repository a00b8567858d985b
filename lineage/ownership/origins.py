"""Versions whose making nobody recorded: an answer that ends at one of them is not the whole story.

A file that is read may have come from anywhere, and that is as it is. A table, a feature view, a
training dataset or a model was made by something: where neither a run nor a commit of its log says
by what, everything above it is missing without a trace.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable

from lineage.model.claims import EdgeType
from lineage.model.ids import ARTIFACT, artifact_of, class_of, parse_id, token_of
from lineage.model.naming import FILE
from lineage.ownership.kinds import MADE, UNDESCRIBED, kinds_of
from lineage.store.contract import LATEST, Direction, Edge, Store, View

__all__ = ["record_its_making", "unknown_origins", "watch_command"]

_MAKING = (EdgeType.GENERATED, EdgeType.CARRIES, EdgeType.DERIVED_FROM, EdgeType.REVISION_OF)
_CHUNK = 500


def unknown_origins(
    store: Store, nodes: Iterable[str], view: View, edges: Iterable[Edge] = ()
) -> tuple[str, ...]:
    """Versions among ``nodes``, of kinds that are made, that nothing recorded made. Sorted.

    ``edges`` are those that are known already: they spare reads. What was recorded of a version
    under another of its names counts for all of them.
    """
    made = {edge.down for edge in edges if edge.type in _MAKING}
    left = {n for n in nodes if class_of(n) == ARTIFACT and token_of(n)} - made
    if left:
        kinds = kinds_of(store, left, view.position)
        left = {node for node in left if not MADE.isdisjoint(kinds[artifact_of(node)])}
    if not left:
        return ()
    others = _other_names(store, left, view)
    names = {*left, *(name for names in others.values() for name in names)}
    known = _made(store, names, View(view.position, LATEST))
    return tuple(sorted(n for n in left if n not in known and known.isdisjoint(others.get(n, ()))))


def _other_names(store: Store, versions: Collection[str], view: View) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for edge in _edges(store, versions, view, (EdgeType.SAME_AS,)):
        found.setdefault(edge.down, set()).add(edge.up)
    return found


def _made(store: Store, versions: Collection[str], view: View) -> set[str]:
    """Those that a run, another version or a commit made."""
    found = {edge.down for edge in _edges(store, versions, view, _MAKING)}
    artifacts = {artifact_of(version) for version in set(versions) - found}
    for known in store.versions_of(sorted(artifacts), view).values():
        found |= {node for node, made_at in known if made_at is not None}
    return found


def _edges(
    store: Store, ids: Collection[str], view: View, types: tuple[EdgeType, ...]
) -> Iterable[Edge]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), _CHUNK):
        yield from store.edges(ordered[start : start + _CHUNK], Direction.UPSTREAM, view, types)


# --- what would tell ------------------------------------------------------------------------------


def watch_command(node: str, kinds: Collection[str]) -> str:
    """The command that reads the log of a local table; empty where there is none to read."""
    parsed = parse_id(artifact_of(node))
    namespace, name = parsed.parts
    readable = namespace.text == FILE and name.digest is None
    if not readable or {"table", UNDESCRIBED}.isdisjoint(kinds):
        return ""
    return shlex.join(["lineage", "watch", "delta", name.text])


def record_its_making(node: str, kinds: Collection[str]) -> str:
    """Advice: what records how versions of an artifact are made."""
    if command := watch_command(node, kinds):
        return f"`{command}` reads its log"
    if parse_id(node).texts[0] == FILE:
        return "make it under `lineage run -- COMMAND`"
    return "have what makes it send its runs (OpenLineage), with the version it makes"
