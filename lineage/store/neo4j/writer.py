"""Appending: entries numbered, hashed and applied to the graph, inside one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import neo4j

from lineage.model.claims import Claims, EntryRef
from lineage.model.envelope import SALT_BYTES, Envelope, commitment_of
from lineage.model.ids import artifact_of
from lineage.model.merkle import Frontier, Tile
from lineage.store.contract import Guard, Head, Interpreter, NewEntry, Receipt
from lineage.store.neo4j.applying import Applying, families_of, resolving
from lineage.store.neo4j.envelopes import entry_row
from lineage.store.neo4j.following import follow
from lineage.store.neo4j.ledger import entries_between
from lineage.store.neo4j.reaching import Reaching
from lineage.store.neo4j.refs import ref_of
from lineage.store.neo4j.seals import KEEP_TILES
from lineage.store.neo4j.statements import Statements
from lineage.store.neo4j.working import WorkingSet
from lineage.store.redaction import claims_of_stub

__all__ = ["Salted", "Writer"]

_FOLLOWED = 50, 5_000
"""Of others, so few entries are followed anyway, and so many never: what is needed is loaded."""
_TOGETHER = 1_000
"""Entries that are looked up together."""
_AT_ONCE = 250
"""Entries that are written together, while the next are worked out."""
_LOCK = """MATCH (h:Head {id: 'main'}) SET h.lock = true
RETURN h.seq, h.recorded_at, h.frontier, h.edges, h.states, h.nodes, h.reached_back,
  COLLECT { UNWIND $refs AS ref MATCH (e:Entry {ref: ref}) RETURN [ref, e.seq, e.salt] },
  COLLECT { UNWIND $ids AS id MATCH (n:Node {id: id}) RETURN id }"""


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
        self._executor = ThreadPoolExecutor(1, "lineage-neo4j")
        self._seq = -1
        self.check: Guard = lambda _: None

    def clear(self) -> None:
        """The transaction failed: forget what it had numbered."""
        self._working.clear()
        self._seq = -1

    def close(self) -> None:
        """End the thread that writes."""
        self._executor.shutdown()

    def append(self, tx: neo4j.Transaction, entries: Sequence[Salted]) -> list[Receipt]:
        """Append entries in order, or say where they are already."""
        executor = self._executor if len(entries) > _AT_ONCE else None
        with Statements(tx, executor) as statements:
            receipts: list[Receipt] = []
            for start in range(0, max(len(entries), 1), _TOGETHER):
                some = entries[start : start + _TOGETHER]
                receipts += self._append_some(statements, some, first=not start)
            statements.finish()
        return receipts

    def _append_some(
        self, statements: Statements, entries: Sequence[Salted], *, first: bool
    ) -> list[Receipt]:
        known = self._lock(statements, entries)
        if first:
            self.check(Head(self._seq, self._recorded_at, self._frontier))
        self._prefetch([salted.entry.claims for salted in entries if salted.ref not in known])
        receipts = []
        for start in range(0, len(entries), _AT_ONCE):
            before = self._seq
            for salted in entries[start : start + _AT_ONCE]:
                had = known.get(salted.ref)
                if had is None:
                    known[salted.ref] = (self._append(salted), b"")
                    receipts.append(Receipt(self._seq, new=True))
                else:
                    # A commit whose outcome was unknown had gone through: the salt is our own.
                    ours = salted.entry.commitment is None and had[1] == salted.salt
                    receipts.append(Receipt(had[0], new=ours))
            if self._seq != before:
                self._applying.flush(self._head())
        if self._tiles:
            statements.write(KEEP_TILES, rows=[list(tile) for tile in self._tiles])
        return receipts

    def _lock(
        self, statements: Statements, entries: Sequence[Salted]
    ) -> dict[str, tuple[int, bytes | None]]:
        """Lock the head, come to where it is, and learn which entries there are already."""
        self._working.begin(statements)
        refs = list({salted.ref for salted in entries})
        ids = self._working.unheard(_nodes(salted.entry.claims for salted in entries))
        ((seq, at, frontier, edges, states, nodes, back, known, found),) = statements.rows(
            _LOCK, refs=refs, ids=ids
        )
        self._catch_up(statements, seq, back=back)
        self._working.learned(ids, found)
        self._seq, self._recorded_at = seq, at
        self._frontier, self._tiles = Frontier.of_bytes(bytes(frontier or b"")), []
        self._applying = Applying(statements, self._working, edges, states, nodes)
        self._reaching = Reaching(
            statements, self._interpret, self._working, self._applying, back=back
        )
        self._reaching.learn(refs)
        return {ref: (seq, None if salt is None else bytes(salt)) for ref, seq, salt in known}

    def _catch_up(self, statements: Statements, seq: int, *, back: bool) -> None:
        """Bring what is remembered to the head, if another process moved it."""
        behind = seq - self._seq
        if not behind or self._seq < 0:
            return
        few, many = _FOLLOWED
        if back or behind > many:
            self._working.clear()
        elif behind > few and behind > self._working.weight():
            self._working.forget()
        elif not follow(
            self._working, self._interpret, entries_between(statements, self._seq, seq)
        ):
            self._working.clear()

    def _head(self) -> dict[str, Any]:
        return {
            "seq": self._seq, "recorded_at": self._recorded_at,
            "frontier": self._frontier.to_bytes(), "edges": self._applying.edges,
            "states": self._applying.states, "nodes": self._applying.nodes,
            "reached_back": self._reaching.back,
        }  # fmt: skip

    def _prefetch(self, claims: Iterable[Claims]) -> None:
        """Look up at once what these are about."""
        every = list(claims)
        self._working.learn(_nodes(every))
        self._working.learn_families(
            (member for one in every for member in families_of(one, self._working)),
            whole={member for one in every for member in resolving(one)},
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
        envelope = Envelope(
            seq, recorded_at, entry.kind, entry.v, entry.source, entry.event_id, entry.actor,
            salted.commitment,
        )  # fmt: skip
        leaf = envelope.leaf()
        self._applying.entry(entry_row(salted.ref, envelope, leaf, salt, body))
        self._seq, self._recorded_at = seq, recorded_at
        self._tiles += self._frontier.push(leaf)
        self._apply(EntryRef(entry.source, entry.event_id), salted.ref, seq, claims)
        return seq

    def _apply(self, by: EntryRef, ref: str, seq: int, claims: Claims) -> None:
        self._applying.load(claims)
        self._applying.know(claims.nodes(), seq)
        for target in claims.retracts:
            self._reaching.retract(target, seq)
        if self._reaching.retracted(ref) is None:
            self._applying.add(by, seq, claims)
        self._applying.settle(seq)
        self._reaching.redact(by, claims, seq)


def _nodes(claims: Iterable[Claims]) -> set[str]:
    """Every id that these mention, and the artifacts of versions."""
    nodes = {node for one in claims for node in one.nodes()}
    return nodes | {artifact_of(node) for node in nodes}
