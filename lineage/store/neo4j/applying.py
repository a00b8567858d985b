"""Claims while entries are appended: what they make known, what they say, and what follows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from lineage.model.canonical import FOREVER
from lineage.model.claims import Claims, EdgeType, EntryRef, StateOp, StateType
from lineage.model.fold import Op
from lineage.model.ids import artifact_of, token_of
from lineage.model.resolution import is_placeholder
from lineage.store.neo4j.commits import commit_row
from lineage.store.neo4j.derived import DerivedRow
from lineage.store.neo4j.documents import pack
from lineage.store.neo4j.family import Family
from lineage.store.neo4j.groups import UseKey
from lineage.store.neo4j.statements import Statements
from lineage.store.neo4j.states import KeyId, Said
from lineage.store.neo4j.working import WorkingSet
from lineage.store.neo4j.writes import Pending, is_open_use, object_key

_SAME: Mapping[str, Any] = MappingProxyType({})
__all__ = ["Applying", "families_of", "is_alias", "resolving", "tell"]


def families_of(claims: Claims, working: WorkingSet) -> Iterator[str]:
    """Ids whose families an entry may change."""
    uses, versions = uses_and_versions(claims)
    yield from (key[1] for key in uses)
    yield from (artifact_of(version) for version in versions)
    for node in claims.nodes():
        if token_of(node) and not working.knows(node):
            yield artifact_of(node)
    for op in claims.states:
        if is_alias(op):
            yield from (op.subject, op.object)


def resolving(claims: Claims) -> Iterator[str]:
    """Ids of whose families something follows once an entry is there: not plain any more."""
    for claim in claims.occurrences:
        if is_open_use(claim):
            yield claim.up
    for node in claims.nodes():
        if is_placeholder(node):
            yield artifact_of(node)
    for op in claims.states:
        if is_alias(op):
            yield from (op.subject, op.object)


def uses_and_versions(claims: Claims) -> tuple[set[UseKey], set[str]]:
    """Uses without a version, and versions said to be made."""
    uses = {(c.down, c.up, c.said) for c in claims.occurrences if is_open_use(c)}
    versions = {
        c.down for c in claims.occurrences if c.type is EdgeType.GENERATED and token_of(c.down)
    }
    return uses, versions | {commit.version for commit in claims.commits}


def is_alias(op: StateOp) -> bool:
    """Whether an operation makes, or unmakes, two things one."""
    return op.type is StateType.SAME_AS and not token_of(op.subject) and not token_of(op.object)


def tell(family_of: Callable[[str], Family | None], claims: Claims, seq: int) -> None:
    """Tell families, as far as there are any, what entry ``seq`` says of them."""
    for claim in dict.fromkeys(claims.occurrences):
        if is_open_use(claim):
            family = family_of(claim.up)
            if family is not None:
                family.use((claim.down, claim.up, claim.said), claim.at, claim.method, seq)
        elif claim.type is EdgeType.GENERATED and token_of(claim.down):
            family = family_of(artifact_of(claim.down))
            if family is not None:
                family.output(claim.up, claim.down, claim.said, claim.at, seq)
    for commit in claims.commits:
        family = family_of(artifact_of(commit.version))
        if family is not None:
            family.commit(commit.version, commit.at, seq)


class Applying:
    """Applies claims: ``load`` what they need, ``know``, ``add``, ``settle``; ``flush`` writes."""

    def __init__(
        self, statements: Statements, working: WorkingSet, edges: int, states: int, nodes: int
    ) -> None:
        self._statements = statements
        self._working = working
        self._pending = Pending()
        self._families: dict[int, Family] = {}
        self._aliased: dict[int, Family] = {}
        self.edges = edges
        """Visible claims that are edges; keys of states with visible ones; known nodes."""
        self.states = states
        self.nodes = nodes

    def entry(self, row: list[Any]) -> None:
        """Write an entry of the ledger."""
        self._pending.entries.append(row)

    def flush(self, head: Mapping[str, Any] = _SAME) -> None:
        """Write what waits, and what changes of the head."""
        self._pending.flush(self._statements, head)

    def load(self, claims: Claims) -> None:
        """Load what will not be plain after an entry, before it is applied.

        It was plain, or was forgotten when an entry before it in the batch redacted something.
        """
        lacking = [one for one in resolving(claims) if not self._working.is_whole(one)]
        if lacking:
            self.flush()
            self._working.learn_families(lacking, whole=lacking)

    def know(self, nodes: Sequence[str], seq: int) -> None:
        """Make every id that an entry mentions known, and the artifacts of versions."""
        for node in nodes:
            artifact = artifact_of(node)
            for one in (artifact, node) if artifact != node else (node,):
                if not self._working.knows(one):
                    self._pending.node(one, seq)
                    self._working.add_node(one)
                    self.nodes += 1
                    if one != artifact:
                        self._family(artifact).know(one)

    def _family(self, member: str) -> Family:
        family = self._working.family(member)
        self._families[id(family)] = family
        return family

    # --- one entry's claims

    def add(self, ref: EntryRef, seq: int, claims: Claims) -> None:
        """Write what entry ``seq`` says."""
        self.write_claims(seq, claims, FOREVER)
        tell(self._family, claims, seq)
        self._add_states(ref, seq, claims.states)

    def write_claims(self, seq: int, claims: Claims, dead: int) -> None:
        """Write edges and commits of an entry, to be seen until entry ``dead``."""
        for claim in dict.fromkeys(claims.occurrences):
            self._pending.edge(claim, seq, dead)
            self.edges += dead == FOREVER
        for n, commit in enumerate(claims.commits):
            self._pending.commits.append(commit_row(commit, seq, dead, n))

    def _add_states(self, ref: EntryRef, seq: int, ops: Sequence[StateOp]) -> None:
        """Apply operations on states."""
        for n, op in enumerate(ops):
            subject = self._working.subject(op.subject)
            ident = self.ident(op, ref.source)
            said = Said(
                Op(op.at, ref.source, ref.event_id, n, op.value, op.since, op.until, op.method), seq
            )
            if ident not in subject.keys:
                self.new_key(op)
            key = subject.key(ident)
            was_shown = key.shown
            if not key.add(said):
                subject = self._working.subject(op.subject, complete=True)
                key.add(said)
            subject.waiting.append((ident, said))
            self.states += not was_shown
            self._pending.subjects[op.subject] = subject
            self.touched(op)

    def ident(self, op: StateOp, source: str) -> KeyId:
        """The state that an operation is on."""
        return (op.type, op.object, source if op.type is StateType.ATTRIBUTE else "")

    def new_key(self, op: StateOp) -> None:
        """A subject has a state that it never had."""
        if op.type not in (StateType.ATTRIBUTE, StateType.RUN_STATE):
            obj = object_key(op.type, op.object)
            self._pending.objects[int(op.type), obj, op.subject] = None

    def touched(self, op: StateOp) -> None:
        """What follows from an operation beyond what its key shows."""
        if is_alias(op):
            family = self._working.merge(op.subject, op.object)
            self._families[id(family)] = family
            self._aliased[id(family)] = family
            self._pending.said_same[op.subject, op.object] = None
        elif op.type is StateType.ATTRIBUTE and op.object == "kind":
            self._pending.kinds[pack(op.value), op.subject] = None

    # --- what follows

    def withdraw(self, seq: int, claims: Claims) -> None:
        """Families forget what entry ``seq`` claimed."""
        uses, versions = uses_and_versions(claims)
        for key in uses:
            self._family(key[1]).forget(seq, [key], ())
        for version in versions:
            self._family(artifact_of(version)).forget(seq, (), [version])

    def derived(self, rows: Iterable[DerivedRow]) -> None:
        """Write derived edges."""
        self._pending.rows(rows)

    def rewritten(self, node: str) -> None:
        """The operations of a subject changed in the past."""
        subject = self._working.subject(node)
        subject.rewritten = True
        self._pending.subjects[node] = subject

    def settle(self, seq: int) -> None:
        """Bring derived edges to what the claims of entry ``seq`` made of them."""
        current = {id(f): f for f in map(self._working.family, self._members(self._aliased))}
        for family in current.values():
            family.realias(self._working.aliases(family.members))
        for family in {**self._families, **current}.values():
            # Of families that were merged, what they became settles.
            if self._working.family(min(family.members)) is family:
                self._pending.rows(family.settle(seq))
        self._families.clear()
        self._aliased.clear()

    def _members(self, families: dict[int, Family]) -> list[str]:
        return [min(family.members) for family in families.values()]
