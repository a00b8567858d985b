"""Short words for the claims that examples are made of."""

from __future__ import annotations

from collections.abc import Iterable

from lineage.model.canonical import FOREVER
from lineage.model.claims import (
    Claims,
    EdgeType,
    EntryRef,
    Method,
    Occurrence,
    Redaction,
    StateOp,
    StateType,
    TableCommit,
)
from lineage.model.ids import artifact_of, delta_token, with_version
from lineage.store.contract import NewEntry, Store
from lineage.testing.plain import body_of, entry_of

__all__ = [
    "alias",
    "attribute",
    "carries",
    "commit",
    "generated",
    "record",
    "redaction",
    "reference",
    "retraction",
    "state",
    "table_version",
    "used",
]

OBSERVED = Method.OBSERVED


def used(
    what: str, run: str, at: int, *, said: str = "", method: Method = OBSERVED, detail: str = ""
) -> Claims:
    """``run`` used ``what``."""
    return Claims((Occurrence(EdgeType.USED, what, run, at, method, said, detail),))


def generated(run: str, what: str, at: int, *, said: str = "", method: Method = OBSERVED) -> Claims:
    """``run`` generated the version ``what``."""
    return Claims((Occurrence(EdgeType.GENERATED, run, what, at, method, said),))


def carries(before: str, after: str, at: int) -> Claims:
    """``after`` contains what was in ``before``."""
    return Claims((Occurrence(EdgeType.CARRIES, before, after, at, OBSERVED),))


def state(
    subject: str,
    kind: StateType,
    obj: str,
    value: str,
    at: int,
    *,
    since: int | None = None,
    until: int = FOREVER,
    method: Method = OBSERVED,
) -> Claims:
    """A state operation, from ``at`` on unless said otherwise."""
    start = at if since is None else since
    return Claims(states=(StateOp(subject, kind, obj, value, at, method, start, until),))


def attribute(subject: str, name: str, value: str, at: int, *, method: Method = OBSERVED) -> Claims:
    """``name`` of ``subject`` is the text ``value`` from ``at`` on."""
    return state(subject, StateType.ATTRIBUTE, name, f'"{value}"', at, method=method)


def alias(a: str, b: str, at: int, *, value: str = "on", method: Method = OBSERVED) -> Claims:
    """Two ids name one thing from ``at`` on; or no longer, with ``value="off"``."""
    low, high = sorted((a, b))
    return state(low, StateType.SAME_AS, high, value, at, method=method)


def table_version(table: str, number: int) -> str:
    """The id of a table's version."""
    return with_version(table, delta_token(number, "log"))


def commit(
    table: str,
    number: int,
    at: int,
    *,
    added: Iterable[str] = (),
    removed: Iterable[str] = (),
    run: str | None = None,
    carrying: bool = True,
    files_known: bool = True,
) -> Claims:
    """Commit ``number`` of a table, made by ``run``."""
    version = table_version(table, number)
    edges = []
    if number > 0:
        kind = EdgeType.CARRIES if carrying else EdgeType.REVISION_OF
        edges.append(Occurrence(kind, table_version(table, number - 1), version, at, OBSERVED))
    if run is not None:
        edges.append(Occurrence(EdgeType.GENERATED, run, version, at, OBSERVED))
    files = (tuple(added), tuple(removed)) if files_known else ((), ())
    told = TableCommit(
        artifact_of(version), version, number, "log", at, *files, files_known, carrying
    )
    return Claims(tuple(edges), commits=(told,))


def reference(entry: NewEntry) -> EntryRef:
    """What names an entry."""
    return EntryRef(entry.source, entry.event_id)


def retraction(entry: NewEntry) -> Claims:
    """The claims of an entry hold no longer."""
    return Claims(retracts=(reference(entry),))


def redaction(entry: NewEntry, stub: Claims) -> Claims:
    """The entry has always said ``stub``."""
    return Claims(redacts=(Redaction(reference(entry), body_of(stub)),))


def record(store: Store, *claims: Claims, source: str = "test") -> list[int]:
    """Append one entry per claims; returns their sequence numbers."""
    receipts = store.append([entry_of(said, source=source) for said in claims])
    return [receipt.seq for receipt in receipts]
