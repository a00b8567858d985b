"""How well an id matches a text: one definition for every backend."""

from __future__ import annotations

from lineage.model.naming import terms_of

__all__ = ["rank_of"]


def rank_of(node: str, wanted: str) -> int | None:
    """0: a name is ``wanted`` (case-folded), 1: one begins so, 2: a token does, None: no match."""
    names, tokens = terms_of(node)
    if wanted in names:
        return 0
    if any(name.startswith(wanted) for name in names):
        return 1
    return 2 if any(token.startswith(wanted) for token in tokens) else None
