"""Following what other processes appended: what is remembered is brought along, not forgotten.

Everybody who reads the same entries comes to the same rows: those that the other process has
written are worked out again, in memory, for what is remembered here.
"""

from __future__ import annotations

from collections.abc import Iterable

from lineage.errors import InputError
from lineage.model.claims import Claims, StateType
from lineage.model.fold import Op
from lineage.model.ids import artifact_of, token_of
from lineage.store.contract import Interpreter, StoredEntry
from lineage.store.neo4j.applying import is_alias, resolving, tell
from lineage.store.neo4j.family import Family
from lineage.store.neo4j.states import Said
from lineage.store.neo4j.working import WorkingSet

__all__ = ["follow"]


def follow(working: WorkingSet, interpret: Interpreter, entries: Iterable[StoredEntry]) -> bool:
    """Bring along what is remembered; False where it has to be forgotten instead."""
    for entry in entries:
        if entry.salt is None:
            return False
        try:
            claims = interpret(entry.kind, entry.v, entry.body)
        except InputError:
            return False
        if claims.retracts or claims.redacts:
            return False
        _follow_states(working, entry, claims)
        _follow_edges(working, entry.seq, claims)
    return True


def _follow_states(working: WorkingSet, entry: StoredEntry, claims: Claims) -> None:
    for n, claim in enumerate(claims.states):
        if is_alias(claim):
            # What is one thing decides about all edges of a family: it is loaded again.
            for end in (claim.subject, claim.object):
                family = working.remembered(end)
                working.forget_families(family.members if family else ())
        subject = working.remembered_subject(claim.subject)
        if subject is None:
            continue
        source = entry.source if claim.type is StateType.ATTRIBUTE else ""
        op = Op(
            claim.at, entry.source, entry.event_id, n, claim.value, claim.since, claim.until,
            claim.method,
        )  # fmt: skip
        if not subject.key((claim.type, claim.object, source)).add(Said(op, entry.seq)):
            working.forget_subject(claim.subject)


def _follow_edges(working: WorkingSet, seq: int, claims: Claims) -> None:
    touched: dict[int, Family] = {}

    def family_of(member: str) -> Family | None:
        family = working.remembered(member)
        if family is not None:
            touched[id(family)] = family
        return family

    working.forget_families(filter(working.is_plain, resolving(claims)))
    for node in claims.nodes():
        working.heard_of(node)
        family = family_of(artifact_of(node)) if token_of(node) else None
        if family is not None:
            family.know(node)
    tell(family_of, claims, seq)
    for family in touched.values():
        for row in family.settle(seq):
            row.stored = True
