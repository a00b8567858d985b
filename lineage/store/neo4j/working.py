"""What a writer remembers of the head, and how it is loaded: nodes, families, states of subjects.

Everything here is as of the last transaction that this process committed. When another process has
written since, it is forgotten. Within a transaction nothing is forgotten, so what waits to be
written concerns only what is remembered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from lineage.model.canonical import FOREVER
from lineage.model.claims import StateType
from lineage.model.ids import (
    ARTIFACT,
    PLACEHOLDER,
    artifact_of,
    class_of,
    token_of,
    with_version,
)
from lineage.store.neo4j.documents import SHOWN, add_said, load_subject, said_in
from lineage.store.neo4j.family import Alias, Family
from lineage.store.neo4j.loading import load_families
from lineage.store.neo4j.plain import PlainFamily
from lineage.store.neo4j.statements import Statements
from lineage.store.neo4j.states import Subject

__all__ = ["WorkingSet"]

_NODES = 500_000
_SUBJECTS = 5_000
_FAMILIES, _WEIGHT = 100_000, 2_000_000
_RECENT = 4
"""Transactions. What nobody asked for since is loaded again sooner than it is worth keeping."""

_KNOWN = "UNWIND $ids AS id MATCH (n:Node {id: id}) RETURN collect(id)"
_SHOWN = f"UNWIND $ids AS id MATCH (n:Node {{id: id}}) RETURN id, {SHOWN}"
_SAID = """MATCH (n:Node {id: $id}) WITH n, n.said AS said
RETURN [said] + COLLECT { MATCH (n)-[:SAID]->(s) RETURN s.ops }"""
_PLAIN = """UNWIND $rows AS row MATCH (a:Node {id: row[0]})
WHERE NOT EXISTS { (a)-[:OPEN_USE]->() } AND NOT EXISTS { (a)-[:SAID_SAME]-() }
AND NOT EXISTS { MATCH (v:Node) WHERE v.id STARTS WITH row[1] }
RETURN a.id"""
_COMPONENT = """UNWIND $ids AS id MATCH (n:Node {id: id})-[:SAID_SAME*0..]-(m:Node)
RETURN id, collect(DISTINCT m.id)"""


class WorkingSet:
    """Answers from memory what it can, else from the transaction it is given."""

    def __init__(self) -> None:
        self._nodes: set[str] = set()
        self._absent: set[str] = set()
        self._fresh: set[str] = set()
        """New in this transaction: the database has nothing about them."""
        self._families: dict[str, Family] = {}
        self._subjects: dict[str, Subject] = {}
        self._statements: Statements
        self._count = 0

    def begin(self, statements: Statements) -> None:
        """A transaction begins."""
        self._statements = statements
        self._absent.clear()
        self._fresh.clear()
        if len(self._nodes) > _NODES:
            self._nodes.clear()
        self._count += 1
        since = self._count - _RECENT
        if len(self._subjects) > _SUBJECTS:
            recent = {n: s for n, s in self._subjects.items() if s.touched > since}
            self._subjects = recent
        if len(self._families) > _FAMILIES:
            kept = {m: f for m, f in self._families.items() if f.touched > since or f.weight > 50}
            heavy = sum(family.weight for family in kept.values()) > _WEIGHT
            self._families = {} if heavy else kept

    def clear(self) -> None:
        """Forget everything: rolled back, or reached back."""
        self._nodes.clear()
        self._absent.clear()
        self._fresh.clear()
        self._families.clear()
        self._subjects.clear()

    def forget(self) -> None:
        """Another process wrote: forget what it may have changed. What is known stays known."""
        self._families.clear()
        self._subjects.clear()

    def weight(self) -> int:
        """About how many claims would be loaded again if it were forgotten."""
        return sum(family.weight for family in self._families.values() if family.claimed.uses)

    # --- nodes

    def unheard(self, ids: Iterable[str]) -> list[str]:
        """Those of which it is not remembered whether they are known."""
        return [i for i in dict.fromkeys(ids) if i not in self._nodes and i not in self._absent]

    def learned(self, asked: Iterable[str], found: Iterable[str]) -> None:
        """Of those asked for, these are known."""
        self._nodes.update(found)
        self._absent.update(asked)
        self._absent -= self._nodes

    def learn(self, ids: Iterable[str]) -> None:
        """Look up at once which of these are known."""
        asked = self.unheard(ids)
        if asked:
            ((found,),) = self._statements.rows(_KNOWN, ids=asked)
            self.learned(asked, found)

    def knows(self, node: str) -> bool:
        """Whether a node is known."""
        if node not in self._nodes and node not in self._absent:
            self.learn([node])
        return node in self._nodes

    def heard_of(self, node: str) -> None:
        """Another process made a node known."""
        self._nodes |= {node, artifact_of(node)}

    def add_node(self, node: str) -> None:
        """A node is known from now on."""
        self._nodes.add(node)
        self._fresh.add(node)
        self._absent.discard(node)

    def _is_stored(self, node: str) -> bool:
        return self.knows(node) and node not in self._fresh

    # --- families

    def learn_families(self, members: Iterable[str], *, whole: Collection[str] = ()) -> None:
        """Load at once those families of known ids that are not remembered.

        Those of ``whole`` are about to be more than plain.
        """
        asked = [
            m for m in dict.fromkeys(members)
            if (m not in self._families or (m in whole and self.is_plain(m)))
            and self._is_stored(m)
        ]  # fmt: skip
        plain = self._plain([m for m in asked if m not in whole])
        for member in plain:
            self._remember(PlainFamily([member]))
        more = [m for m in asked if m not in plain]
        if not more:
            return
        found: dict[str, list[str]] = {}
        for _, component in self._statements.rows(_COMPONENT, ids=more):
            found[min(component)] = component
        for family in load_families(self, list(found.values())):
            self._remember(family)

    def _plain(self, members: list[str]) -> set[str]:
        """Those of which nothing follows."""
        rows = [[m, with_version(m, PLACEHOLDER)] for m in members if class_of(m) == ARTIFACT]
        return {row[0] for row in self._statements.rows(_PLAIN, rows=rows)} if rows else set()

    def is_plain(self, member: str) -> bool:
        """Whether a family is remembered as one of which nothing follows."""
        return isinstance(self._families.get(member), PlainFamily)

    def is_whole(self, member: str) -> bool:
        """Whether all is at hand that can follow from a family; of what is new there is nothing."""
        if member in self._families:
            return not self.is_plain(member)
        return not self._is_stored(member)

    def family(self, member: str) -> Family:
        """The family of an id: of one that is new, a new one."""
        if member not in self._families:
            self.learn_families([member])
        family = self._families.get(member)
        if family is None:
            family = Family([member])
            self._remember(family)
        family.touched = self._count
        return family

    def _remember(self, family: Family) -> None:
        family.touched = self._count
        for member in family.members:
            self._families[member] = family

    def merge(self, one: str, other: str) -> Family:
        """Two ids are said to be one thing: one family from now on."""
        first, second = self.family(one), self.family(other)
        if first is not second:
            first = first.merged(second)
            self._remember(first)
        return first

    def remembered(self, member: str) -> Family | None:
        """The family of an id, if it is at hand."""
        return self._families.get(member)

    def forget_families(self, members: Iterable[str]) -> None:
        """Load them again when they are asked for."""
        for member in members:
            self._families.pop(member, None)
            self._fresh.discard(member)

    def aliases(self, members: Iterable[str]) -> list[Alias]:
        """Where two of these are one thing, by their states now."""
        self.learn_subjects(members)
        return [
            (member, obj, row.since, row.until)
            for member in members
            for (kind, obj, _), key in self.subject(member).keys.items()
            if kind is StateType.SAME_AS and not token_of(obj)
            for row in key.rows if row.value == "on"
        ]  # fmt: skip

    def rows(self, query: str, ids: list[str]) -> list[list[Any]]:
        """Rows of a query about ids, with ``$open`` for the open end."""
        return self._statements.rows(query, ids=ids, open=FOREVER)

    # --- subjects

    def learn_subjects(self, subjects: Iterable[str]) -> None:
        """Load at once what those show that are not remembered."""
        asked = [s for s in dict.fromkeys(subjects) if s not in self._subjects]
        known = [s for s in asked if self._is_stored(s)]
        if known:
            for subject, *told in self._statements.rows(_SHOWN, ids=known):
                self._subjects[subject] = load_subject(*told)

    def remembered_subject(self, node: str) -> Subject | None:
        """The states of a subject, if they are at hand."""
        return self._subjects.get(node)

    def forget_subject(self, node: str) -> None:
        """Load it again when it is asked for."""
        self._subjects.pop(node, None)

    def subject(self, node: str, *, complete: bool = False) -> Subject:
        """The states of a subject; ``complete``: with their operations."""
        self.learn_subjects([node])
        subject = self._subjects.setdefault(node, Subject())
        subject.touched = self._count
        if complete and not subject.complete:
            texts = [text for (found,) in self._statements.rows(_SAID, id=node) for text in found]
            add_said(subject, [*said_in(texts), *subject.waiting])
        return subject
