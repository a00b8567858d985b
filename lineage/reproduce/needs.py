"""Which table versions an id needs: what has to be kept so that it can be reproduced."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lineage.errors import InputError, UnsupportedError
from lineage.model.claims import EdgeType
from lineage.model.ids import ARTIFACT, RUN, artifact_of, class_of, parse_id, token_of
from lineage.model.naming import FILE
from lineage.store.contract import Direction, Store, View

__all__ = ["Needs", "aliases_of", "is_table_version", "needs_of", "table_path"]

_DELTA_TOKEN = re.compile(r"[0-9]{1,19}\.[0-9a-f]{8}\Z")


@dataclass(frozen=True, slots=True)
class Needs:
    """Table versions an id needs (ids, sorted), and tables it used whose version is not known."""

    versions: list[str] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)


def is_table_version(node: str) -> bool:
    """Whether an id is that of a version of a Delta table."""
    return class_of(node) == ARTIFACT and bool(_DELTA_TOKEN.match(token_of(node)))


def table_path(store: Store, node: str, view: View) -> Path:
    """Where the table of an id is on this machine, by one of its names.

    Raises ``UnsupportedError`` for a table that has no local name.
    """
    for name in sorted({artifact_of(node), *aliases_of(store, [artifact_of(node)], view)}):
        parts = parse_id(name).parts
        if parts[0].text == FILE and parts[1].digest is None:
            return Path(parts[1].text)
    raise UnsupportedError(
        f"{node} is not on a mounted file system",
        hint="only local tables can be pinned; keep others with what their storage offers",
    )


def aliases_of(store: Store, ids: Iterable[str], view: View) -> set[str]:
    """The ids themselves and all that are the same thing."""
    found = set(ids)
    todo = list(found)
    while todo:
        edges = store.edges(todo, Direction.UPSTREAM, view, [EdgeType.SAME_AS])
        todo = sorted({edge.up for edge in edges} - found)
        found.update(todo)
    return found


def needs_of(store: Store, node: str, view: View) -> Needs:
    """Table versions to keep for an id.

    A table version needs itself, a table its latest version, a run what it used, anything else
    what the runs used that made it (its latest version, where no version is said). Raises
    ``InputError`` for something that no run made.
    """
    if class_of(node) == RUN:
        return _used_by(store, [node], view)
    if class_of(node) != ARTIFACT:
        raise InputError(
            f"{node} has no data to keep",
            hint="pin a table version, or a model or a run: then what it was made from",
        )
    version = node if token_of(node) else _latest(store, node, view)
    if is_table_version(version):
        return Needs([version])
    made_by = [
        edge.up
        for edge in store.edges(
            sorted(aliases_of(store, [version], view)), Direction.UPSTREAM, view,
            [EdgeType.GENERATED],
        )
        if class_of(edge.up) == RUN
    ]  # fmt: skip
    if not made_by:
        raise InputError(
            f"no recorded run made {version}",
            hint="`lineage run -- COMMAND` records what a command reads and makes",
        )
    return _used_by(store, made_by, view)


def _latest(store: Store, node: str, view: View) -> str:
    versions = store.versions(node, view)
    return versions[-1][0] if versions else node


def _used_by(store: Store, runs: Sequence[str], view: View) -> Needs:
    used = {
        edge.up
        for edge in store.edges(
            sorted(set(runs)), Direction.UPSTREAM, view, [EdgeType.USED]
        )
        if class_of(edge.up) == ARTIFACT
    }  # fmt: skip
    bare = sorted(node for node in used if not token_of(node))
    tables = [
        found.id for found in store.nodes(bare, view)
        if (kind := found.attributes.get("kind")) and json.loads(kind.value) == "table"
    ]  # fmt: skip
    return Needs(sorted(node for node in used if is_table_version(node)), tables)
