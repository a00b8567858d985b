"""Which version of an artifact is the latest, and which others may be.

A gate that is asked about an artifact decides on its latest version, and must not allow that one
while it is another that would ship.
"""

from __future__ import annotations

from collections.abc import Iterable

from lineage.model.canonical import FOREVER
from lineage.model.claims import EdgeType
from lineage.model.ids import number_of_token, token_of
from lineage.ownership.claims import aliases_of
from lineage.store.contract import LATEST, Direction, Store, View

__all__ = ["latest_version", "undated_since"]

_USING = tuple(kind for kind in EdgeType if kind is not EdgeType.SAME_AS)


def latest_version(store: Store, artifact: str, view: View) -> str:
    """The version made last under any name of an artifact, or itself where it has none."""
    members = list(aliases_of(store, [artifact], view)[artifact])
    found = [
        (-FOREVER if made_at is None else made_at, member == artifact, index, version)
        for member, known in store.versions_of(members, view).items()
        for index, (version, made_at) in enumerate(known)
    ]
    return max(found)[3] if found else artifact


def undated_since(store: Store, names: Iterable[str], latest: str, view: View) -> list[str]:
    """Versions that may be later than ``latest``, under any of ``names`` of its artifact.

    Nobody recorded when they were made, and nothing shows that it was before: they were not used
    before ``latest`` was made, and have no smaller number in the same series.
    """
    whenever = View(view.position, LATEST)
    of_names = store.versions_of(list(names), whenever)
    known = dict(each for versions in of_names.values() for each in versions)
    dated = {token_of(version) for version, made_at in known.items() if made_at is not None}
    made_at = known.get(latest)
    if made_at is None:
        return []
    return [
        version
        for version in known
        if token_of(version) not in dated
        and not _numbered_before(version, latest)
        and not any(
            edge.at < made_at
            for edge in store.edges([version], Direction.DOWNSTREAM, whenever, _USING)
        )
    ]


def _numbered_before(version: str, latest: str) -> bool:
    """Whether it comes earlier in one series: a table that is made anew starts another."""
    one, other = token_of(version), token_of(latest)
    low, high = number_of_token(one), number_of_token(other)
    if low is None or high is None or one.partition(".")[2] != other.partition(".")[2]:
        return False
    return int(low) < int(high)
