"""Appending: entries numbered, hashed and applied to the graph, inside one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import neo4j

from lineage.model.claims import Claims, EntryRef
from lineage.model.envelope import SALT_BYTES, Envelope, commitment_of
from lineage.model.ids import artifact_of
from lineage.model.merkle import Frontier, Tile
from lineage.store.contract import Guard, Head, Interpreter, NewEntry, Receipt
from lineage.store.neo4j.applying import Applying, families_of
from lineage.store.neo4j.bodies import pack_body, ref_of
from lineage.store.neo4j.documents import pack
from lineage.store.neo4j.following import follow
from lineage.store.neo4j.ledger import entries_between
from lineage.store.neo4j.reaching import Reaching
from lineage.store.neo4j.seals import keep_tiles
from lineage.store.neo4j.working import WorkingSet
from lineage.store.redaction import claims_of_stub

__all__ = ["Salted", "Writer"]

_FOLLOWED = 5_000
"""Entries of others that are followed at most: loading again what is needed is faster then."""
_TOGETHER = 1_000
"""Entries that are looked up and written by the same statements."""
_LOCK = """MATCH (h:Head {id: 'main'}) SET h.lock = true
RETURN h.seq, h.recorded_at, h.frontier, h.edges, h.states, h.nodes, h.reached_back"""
_HEAD = """MATCH (h:Head {id: 'main'}) SET h.seq = $seq, h.recorded_at = $recorded_at,
h.frontier = $frontier, h.edges = $edges, h.states = $states, h.nodes = $nodes,
h.reached_back = $reached_back"""
_KNOWN = """UNWIND $refs AS ref MATCH (e:Entry {ref: ref}) RETURN ref, e.seq, e.salt"""


@dataclass(frozen=True, slots=True)
class Salted:
    """An entry with what is decided once, however often its transaction is tried."""

    entry: NewEntry
    ref: str
    salt: bytes | None
    commitment: bytes

    @classmethod
    def of(cls, entry: NewEntry) -> Salted:
        """Draw the salt of a new entry; keep that of one that is rebuilt."""
        salt = entry.salt
        if entry.commitment is None:
            salt = secrets.token_bytes(SALT_BYTES)
        commitment = entry.commitment or commitment_of(salt or b"", entry.body)
        return cls(entry, ref_of(EntryRef(entry.source, entry.event_id)), salt, commitment)


class Writer:
    """One process's writing side. What it remembers is forgotten whenever a transaction fails."""

    def __init__(self, interpret: Interpreter, clock: Callable[[], int]) -> None:
        self._interpret = interpret
        self._clock = clock
        self._working = WorkingSet()
        self._tiles: list[Tile] = []
        self._seq = -1
        self.check: Guard = lambda _: None

    def clear(self) -> None:
        """The transaction failed: forget what it had numbered."""
        self._working.clear()
        self._seq = -1

    def append(self, tx: neo4j.Transaction, entries: Sequence[Salted]) -> list[Receipt]:
        """Append entries in order, or say where they are already."""
        ((seq, at, frontier, edges, states, nodes, back),) = _values(tx.run(_LOCK))
        self._frontier, self._tiles = Frontier.of_bytes(bytes(frontier or b"")), []
        self.check(Head(seq, at, self._frontier))
        self._catch_up(tx, seq, back=back)
        self._working.begin(tx)
        self._tx, self._seq, self._recorded_at = tx, seq, at
        self._applying = Applying(tx, self._working, edges, states, nodes)
        self._reaching = Reaching(tx, self._interpret, self._working, self._applying, back=back)
        receipts: list[Receipt] = []
        for start in range(0, len(entries), _TOGETHER):
            receipts += self._append_some(entries[start : start + _TOGETHER])
        if self._seq != seq:
            self._write_head()
        return receipts

    def _catch_up(self, tx: neo4j.Transaction, seq: int, *, back: bool) -> None:
        """Bring what is remembered to the head, if another process moved it."""
        behind = seq - self._seq
        if behind and self._seq >= 0:
            entries = [] if back or behind > _FOLLOWED else entries_between(tx, self._seq, seq)
            if not entries or not follow(self._working, self._interpret, entries):
                self._working.clear()

    def _write_head(self) -> None:
        applying = self._applying
        self._tx.run(
            _HEAD, seq=self._seq, recorded_at=self._recorded_at,
            frontier=self._frontier.to_bytes(), edges=applying.edges, states=applying.states,
            nodes=applying.nodes, reached_back=self._reaching.back,
        )  # fmt: skip
        keep_tiles(self._tx, self._tiles)

    def _append_some(self, entries: Sequence[Salted]) -> list[Receipt]:
        refs = list({salted.ref for salted in entries})
        known = {
            ref: (seq, None if salt is None else bytes(salt))
            for ref, seq, salt in _values(self._tx.run(_KNOWN, refs=refs))
        }
        self._reaching.learn(refs)
        self._prefetch([salted.entry.claims for salted in entries if salted.ref not in known])
        receipts = []
        for salted in entries:
            had = known.get(salted.ref)
            if had is None:
                known[salted.ref] = (self._append(salted), b"")
                receipts.append(Receipt(self._seq, new=True))
            else:
                # A commit whose outcome was unknown had gone through: the salt is our own.
                ours = salted.entry.commitment is None and had[1] == salted.salt
                receipts.append(Receipt(had[0], new=ours))
        self._applying.flush()
        return receipts

    def _prefetch(self, claims: Iterable[Claims]) -> None:
        """Look up at once what these are about."""
        every = list(claims)
        nodes = {node for one in every for node in one.nodes()}
        self._working.learn(nodes | {artifact_of(node) for node in nodes})
        self._working.learn_families(
            member for one in every for member in families_of(one, self._working)
        )
        self._working.learn_subjects(op.subject for one in every for op in one.states)

    def _append(self, salted: Salted) -> int:
        entry, salt = salted.entry, salted.salt
        body, claims = entry.body, entry.claims
        stub = self._reaching.stub_of(salted.ref)
        if stub is not None:
            body, salt = stub, None
            claims = claims_of_stub(self._interpret, entry.kind, entry.v, body)
        recorded_at = entry.recorded_at
        if recorded_at is None:
            recorded_at = max(self._clock(), self._recorded_at)
        seq = self._seq + 1
        leaf = Envelope(
            seq, recorded_at, entry.kind, entry.v, entry.source, entry.event_id, entry.actor,
            salted.commitment,
        ).leaf()  # fmt: skip
        self._applying.entry([
            seq, salted.ref, recorded_at, pack(entry.kind), entry.v, pack(entry.source),
            pack(entry.event_id), pack(entry.actor.id), pack(entry.actor.verified), salt,
            *pack_body(body), salted.commitment, leaf,
        ])  # fmt: skip
        self._seq, self._recorded_at = seq, recorded_at
        self._tiles += self._frontier.push(leaf)
        self._apply(EntryRef(entry.source, entry.event_id), salted.ref, seq, claims)
        return seq

    def _apply(self, by: EntryRef, ref: str, seq: int, claims: Claims) -> None:
        self._applying.know(claims.nodes(), seq)
        for target in claims.retracts:
            self._reaching.retract(target, seq)
        if self._reaching.retracted(ref) is None:
            self._applying.add(by, seq, claims)
        self._applying.settle(seq)
        self._reaching.redact(by, claims, seq)


def _values(result: neo4j.Result) -> list[list[Any]]:
    return [record.values() for record in result]
