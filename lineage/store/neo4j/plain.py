"""Artifacts of which nothing follows: most of those that name their versions."""

from __future__ import annotations

from collections.abc import Iterable

from typing_extensions import override

from lineage.model.claims import Method
from lineage.store.neo4j.family import Family
from lineage.store.neo4j.groups import UseKey

__all__ = ["PlainFamily"]


class PlainFamily(Family):
    """An artifact of which nothing follows: no use without a version, no alias, no placeholder.

    Its versions are not remembered: a new one changes nothing. It is loaded in full before it
    gets any of those, and would rather end the transaction than derive from what it does not have.
    """

    __slots__ = ()

    @override
    def know(self, version: str) -> None:
        """A version is known from now on."""

    @override
    def commit(self, version: str, at: int, seq: int) -> None:
        """A commit of a table's log made a version."""

    @override
    def output(self, run: str, version: str, said: str, at: int, seq: int) -> None:
        """A run made a version."""

    @override
    def use(self, key: UseKey, at: int, method: Method, seq: int) -> None:
        """Raise: what a use means is not known here."""
        raise RuntimeError(f"a use of {key[1]}, whose versions were not loaded")

    @override
    def merged(self, other: Family) -> Family:
        """Raise: what becomes one thing with it is not known here."""
        raise RuntimeError(f"an alias of {min(self.members)}, whose versions were not loaded")

    @override
    def forget(self, seq: int, uses: Iterable[UseKey], versions: Iterable[str]) -> None:
        """The claims of an entry are withdrawn; there were no uses."""
