"""Reaching back: retractions, and redactions of entries that are there or still to come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lineage.model.canonical import FOREVER
from lineage.model.claims import Claims, EntryRef, StateOp
from lineage.model.fold import Op
from lineage.store.contract import Interpreter, StoredEntry
from lineage.store.neo4j.applying import Applying, families_of
from lineage.store.neo4j.documents import pack, unpack
from lineage.store.neo4j.envelopes import ENTRY, entry_of, packed
from lineage.store.neo4j.rederive import rederive
from lineage.store.neo4j.refs import ref_of
from lineage.store.neo4j.statements import Statements
from lineage.store.neo4j.states import KeyId, Said
from lineage.store.neo4j.working import WorkingSet
from lineage.store.neo4j.writes import stored_type
from lineage.store.redaction import check_stub, claims_of_stub

__all__ = ["Reaching"]

_RETRACTIONS = "UNWIND $refs AS ref MATCH (r:Retraction {ref: ref}) RETURN ref, r.seq"
_STUBS = """UNWIND $refs AS ref MATCH (r:Redaction {ref: ref})
RETURN ref, r.by_event_id, r.by_source, r.stub"""
_ENTRY = f"""MATCH (e:Entry {{ref: $ref}})
RETURN {ENTRY}"""
_CLOSE = """UNWIND $rows AS e MATCH (u:Node {{id: e[0]}}) MATCH (d:Node {{id: e[1]}})
MATCH (u)-[r:{type} {{rf: $target}}]->(d) WHERE r.rt IS NULL SET r.rt = $seq RETURN count(r)"""
_DROP = """UNWIND $rows AS e MATCH (u:Node {{id: e[0]}}) MATCH (d:Node {{id: e[1]}})
MATCH (u)-[r:{type} {{rf: $target}}]->(d) WITH r, r.rt IS NULL AS shown DELETE r
RETURN sum(CASE WHEN shown THEN 1 ELSE 0 END)"""
_CLOSE_COMMITS = """UNWIND $ids AS id
MATCH (:Node {id: id})-[c:COMMIT_OF {rf: $target}]->() WHERE c.rt IS NULL SET c.rt = $seq"""
_DROP_COMMITS = (
    """UNWIND $ids AS id MATCH (:Node {id: id})-[c:COMMIT_OF {rf: $target}]->() DELETE c"""
)
_REDACTION = """MERGE (r:Redaction {ref: $ref, by_event_id: $event_id, by_source: $source})
SET r.stub = $stub"""
_ERASED = """MATCH (e:Entry {seq: $seq}) SET e.body = $body REMOVE e.salt"""


class Reaching:
    """What entries of one transaction change of earlier ones."""

    def __init__(
        self,
        statements: Statements,
        interpret: Interpreter,
        working: WorkingSet,
        applying: Applying,
        *,
        back: bool,
    ) -> None:
        self._statements = statements
        self._interpret = interpret
        self._working = working
        self._applying = applying
        self.back = back
        """Whether anything was ever retracted or redacted."""
        self._retractions: dict[str, int | None] = {}
        self._stubs: dict[str, dict[tuple[str, str], bytes]] = {}

    def learn(self, refs: Iterable[str]) -> None:
        """Look up at once whether these were retracted or redacted before they came."""
        asked = [ref for ref in refs if ref not in self._retractions]
        if not asked:
            return
        self._retractions |= dict.fromkeys(asked)
        self._stubs |= {ref: {} for ref in asked}
        if self.back:
            for ref, seq in self._statements.rows(_RETRACTIONS, refs=asked):
                self._retractions[ref] = seq
            for ref, event_id, source, stub in self._statements.rows(_STUBS, refs=asked):
                self._stubs[ref][unpack(event_id), unpack(source)] = bytes(stub)

    def retracted(self, ref: str) -> int | None:
        """The entry that retracts this one."""
        self.learn([ref])
        return self._retractions[ref]

    def stub_of(self, ref: str) -> bytes | None:
        """Of several redactions the last in the order of (event id, source) stands."""
        self.learn([ref])
        stubs = self._stubs[ref]
        return max(stubs.items())[1] if stubs else None

    def _entry(self, ref: str) -> StoredEntry | None:
        return next(map(entry_of, self._statements.rows(_ENTRY, ref=ref)), None)

    def _said_by(self, entry: StoredEntry) -> Claims:
        """What an entry says as it stands; a redacted one has a stub for a body."""
        if entry.salt is None:
            return claims_of_stub(self._interpret, entry.kind, entry.v, entry.body)
        return self._interpret(entry.kind, entry.v, entry.body)

    # --- retraction

    def retract(self, target: EntryRef, seq: int) -> None:
        """The claims of an entry are invisible from ``seq`` on; of one to come, for good."""
        ref = ref_of(target)
        if self.retracted(ref) is not None:
            return
        self.back = True
        self._retractions[ref] = seq
        self._statements.write("CREATE (:Retraction {ref: $ref, seq: $seq})", ref=ref, seq=seq)
        self._applying.flush()
        found = self._entry(ref)
        if found is not None and found.seq != seq:
            self._withdraw(target, found.seq, self._said_by(found), seq)

    def _withdraw(self, ref: EntryRef, target: int, claims: Claims, seq: int) -> None:
        self._applying.edges -= self._ends(_CLOSE, claims, target, seq)
        versions = [commit.version for commit in claims.commits]
        if versions:
            self._statements.write(_CLOSE_COMMITS, ids=versions, target=target, seq=seq)
        self._applying.withdraw(target, claims)
        for (node, ident), ops in self._by_key(claims, ref.source).items():
            key = self._working.subject(node, complete=True).key(ident)
            was_shown = key.shown
            key.kill(target, seq)
            self._applying.states -= was_shown and not key.shown
            self._applying.rewritten(node)
            self._applying.touched(ops[0][1])

    def _ends(self, query: str, claims: Claims, target: int, seq: int) -> int:
        """Close or drop the edges of an entry; returns how many showed."""
        by_type: dict[str, set[tuple[str, str]]] = {}
        for claim in claims.occurrences:
            by_type.setdefault(stored_type(claim), set()).add((claim.up, claim.down))
        shown = 0
        for kind, ends in by_type.items():
            rows = [list(pair) for pair in ends]
            text = query.format(type=kind)
            asked = {"rows": rows, "target": target, "seq": seq}
            shown += sum(row[0] for row in self._statements.rows(text, **asked))
        return shown

    def _by_key(
        self, claims: Claims, source: str
    ) -> dict[tuple[str, KeyId], list[tuple[int, StateOp]]]:
        by_key: dict[tuple[str, KeyId], list[tuple[int, StateOp]]] = {}
        for n, op in enumerate(claims.states):
            ident = self._applying.ident(op, source)
            by_key.setdefault((op.subject, ident), []).append((n, op))
        return by_key

    # --- redaction

    def redact(self, by: EntryRef, claims: Claims, seq: int) -> None:
        """Replace the bodies of the entries that this one redacts."""
        for redaction in claims.redacts:
            self.back = True
            ref = ref_of(redaction.target)
            self.learn([ref])
            self._stubs[ref][by.event_id, by.source] = redaction.stub
            self._statements.write(
                _REDACTION, ref=ref, event_id=pack(by.event_id), source=pack(by.source),
                stub=redaction.stub,
            )  # fmt: skip
        for target in dict.fromkeys(redaction.target for redaction in claims.redacts):
            self._erase(target, seq)

    def _erase(self, target: EntryRef, seq: int) -> None:
        ref = ref_of(target)
        self._applying.flush()
        entry, stub = self._entry(ref), self.stub_of(ref)
        if entry is None or stub is None or (entry.salt is None and entry.body == stub):
            return
        before = self._said_by(entry)
        after = self._interpret(entry.kind, entry.v, stub)
        check_stub(before, after)
        self._statements.write(_ERASED, seq=entry.seq, body=packed(stub))
        dead = self.retracted(ref)
        dead = FOREVER if dead is None else max(dead, entry.seq)
        self._replace(target, entry.seq, before, after, dead=dead, now=seq)
        self.redact(target, after, seq)

    def _replace(
        self, ref: EntryRef, target: int, before: Claims, after: Claims, *, dead: int, now: int
    ) -> None:
        """Entry ``target`` has always said ``after``: positions it touched are redone."""
        applying = self._applying
        touched = {*families_of(before, self._working), *families_of(after, self._working)}
        visible = after if dead > target else Claims()
        applying.edges -= self._ends(_DROP, before, target, now)
        versions = [commit.version for commit in before.commits]
        self._statements.write(_DROP_COMMITS, ids=versions, target=target)
        applying.write_claims(target, visible, dead)
        self._replace_states(ref, target, (before, visible), dead)
        applying.flush()
        components = {frozenset(self._working.family(member).members) for member in touched}
        for members in components:
            applying.derived(rederive(self._statements, self._working, sorted(members), now))
            self._working.forget_families(members)
        applying.flush()

    def _replace_states(
        self, ref: EntryRef, target: int, claims: Sequence[Claims], dead: int
    ) -> None:
        said, now_said = (self._by_key(one, ref.source) for one in claims)
        for node, ident in said.keys() | now_said.keys():
            had, has = said.get((node, ident), []), now_said.get((node, ident), [])
            if [op for _, op in had] == [op for _, op in has]:
                continue
            subject = self._working.subject(node, complete=True)
            if ident not in subject.keys:
                if not has:
                    continue  # retracted before it came: it was never written
                self._applying.new_key(has[0][1])
            key = subject.key(ident)
            was_shown = key.shown
            key.rewrite(target, [_said(ref, target, n, op, dead) for n, op in has])
            self._applying.states += key.shown - was_shown
            self._applying.rewritten(node)


def _said(ref: EntryRef, seq: int, n: int, op: StateOp, dead: int) -> Said:
    return Said(
        Op(op.at, ref.source, ref.event_id, n, op.value, op.since, op.until, op.method), seq, dead
    )
