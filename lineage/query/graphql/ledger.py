"""The record itself: its head, and entries with what it takes to check them."""

from __future__ import annotations

import base64

import strawberry

from lineage.errors import MalformedError, RefusedError, UnknownNameError
from lineage.model import checkpoint
from lineage.model.canonical import parse_json
from lineage.model.notes import signatures_of, text_of
from lineage.query.graphql.context import Asking, Paging
from lineage.query.graphql.describing import After, First, described, field
from lineage.query.graphql.pages import PageInfo, page_info
from lineage.query.graphql.scalars import JSON, Seq, Time, shown_time
from lineage.record.seal.proofs import (
    checkpoint_of_size,
    entry_named,
    prove_consistency,
    prove_entry,
)
from lineage.store.contract import Store, StoredCheckpoint, StoredEntry, View

__all__ = ["Checkpoint", "Entry", "Ledger"]

VERIFY_ENTRY = (
    "leaf = SHA-256(0x00 || canonical envelope); commitment = SHA-256(salt || body); "
    "`lineage ledger verify` checks every entry and the root (schema/ledger/FORMAT.md)"
)


@described
class Actor:
    """Who caused an entry, and how that was verified."""

    id: strawberry.ID
    verified: str


@described
class Entry:
    """One entry of the ledger: an envelope, and the body it commits to."""

    stored: strawberry.Private[StoredEntry]
    seq: Seq = strawberry.field(description="Its place: gapless from 1 on.")
    recorded_at: Time | None
    kind: str
    v: int = strawberry.field(description="Version of the kind: its meaning never changes.")
    source: str
    event_id: str = strawberry.field(description="The source's own position, or a keyed digest.")
    redacted: bool = strawberry.field(description="Whether the body was erased; the leaf stays.")
    commitment: str = strawberry.field(description="SHA-256(salt || body), hex.")
    leaf: str = strawberry.field(description="RFC 6962 hash of the envelope, hex.")

    @classmethod
    def of(cls, entry: StoredEntry) -> Entry:
        """An entry of the store."""
        return cls(
            stored=entry, seq=Seq(entry.seq), recorded_at=shown_time(entry.recorded_at),
            kind=entry.kind, v=entry.v, source=entry.source, event_id=entry.event_id,
            redacted=entry.salt is None, commitment=entry.commitment.hex(), leaf=entry.leaf.hex(),
        )  # fmt: skip

    @classmethod
    def at(cls, store: Store, seq: int) -> Entry | None:
        """The entry at a place, if there is one."""
        found = next(store.entries(seq - 1, 1), None) if seq > 0 else None
        return None if found is None else cls.of(found)

    @field
    def actor(self) -> Actor:
        """Who caused it."""
        actor = self.stored.actor
        return Actor(id=strawberry.ID(actor.id), verified=actor.verified)

    @field
    def salt(self, info: Asking) -> str | None:
        """What the commitment is salted with, hex; null once redacted."""
        info.context.show(self.stored.seq)
        return None if self.stored.salt is None else self.stored.salt.hex()

    @field
    def body(self, info: Asking) -> JSON | None:
        """The body as JSON; null where it is not JSON (then see bodyBase64)."""
        info.context.show(self.stored.seq)
        info.context.spend(len(self.stored.body))
        try:
            return JSON(parse_json(self.stored.body))
        except (MalformedError, RefusedError):
            return None

    @field
    def body_base64(self, info: Asking) -> str:
        """The body byte for byte, as it was received: what the commitment is over."""
        info.context.show(self.stored.seq)
        info.context.spend(len(self.stored.body))
        return base64.b64encode(self.stored.body).decode("ascii")

    @field
    def verify(self) -> str:
        """How to check this entry without trusting this service."""
        return VERIFY_ENTRY


@described
class EntryEdge:
    """One entry of a page."""

    cursor: str
    node: Entry


@described
class EntryConnection:
    """One page of the ledger, in order."""

    edges: list[EntryEdge]
    page_info: PageInfo
    total_count: int


@described
class Head:
    """The end of the ledger: what to keep in order to prove later that nothing was altered."""

    seq: Seq = strawberry.field(description="Number of entries.")
    root_hash: str = strawberry.field(description="RFC 6962 root over all leaves, hex.")
    recorded_at: Time | None


@described
class Checkpoint:
    """What the ledger signed of itself at one size (C2SP tlog-checkpoint): keep it elsewhere."""

    note: str = strawberry.field(description="The signed note, byte for byte.")
    origin: str = strawberry.field(description="The name of the log.")
    size: Seq = strawberry.field(description="It covers the entries up to this one.")
    root_hash: str = strawberry.field(description="RFC 6962 root over them, hex.")
    sealed_at: Time | None = strawberry.field(description="The store's clock then; not signed.")
    signed_by: list[str] = strawberry.field(description="Name and key id of every signature.")

    @classmethod
    def of(cls, sealed: StoredCheckpoint) -> Checkpoint:
        """A checkpoint of the store."""
        found = checkpoint.Checkpoint.of_text(text_of(sealed.note))
        return cls(
            note=sealed.note.decode(), origin=found.origin, size=Seq(found.size),
            root_hash=found.root.hex(), sealed_at=shown_time(sealed.sealed_at),
            signed_by=[f"{s.name}+{s.key_id.hex()}" for s in signatures_of(sealed.note)],
        )  # fmt: skip


@described
class Ledger:
    """Everything that was ever recorded, in order, with the means to check it."""

    store: strawberry.Private[Store]

    @field
    def head(self) -> Head:
        """Where it ends."""
        head = self.store.head()
        return Head(
            seq=Seq(head.seq), root_hash=head.frontier.root().hex(),
            recorded_at=shown_time(head.recorded_at) if head.seq else None,
        )  # fmt: skip

    @field
    def entry(self, seq: Seq) -> Entry:
        """The entry at a place."""
        found = Entry.at(self.store, seq)
        if found is None:
            raise UnknownNameError(
                f"no entry {seq}", pointer="/seq", hint="`ledger { head { seq } }` says the last"
            )
        return found

    @field
    def checkpoint(self, size: Seq | None = None) -> Checkpoint | None:
        """The last signed checkpoint, or that of so many entries; null where there is none."""
        if size is not None:
            return Checkpoint.of(checkpoint_of_size(self.store, size))
        last = self.store.last_checkpoint()
        return None if last is None else Checkpoint.of(last)

    @field
    def proof(self, info: Asking, id: strawberry.ID, size: Seq | None = None) -> JSON:  # noqa: A002
        """That an entry is sealed: what `lineage-verify` reads (lineage-proof/1), body included.

        `id` is its position, or source#eventId; `size` names another checkpoint than the last.
        """
        seq = entry_named(self.store, id)
        sealed = None if size is None else checkpoint_of_size(self.store, size)
        if sealed is not None and sealed.size < seq:
            raise UnknownNameError(
                f"the checkpoint of {sealed.size:,} entries does not cover entry {seq}",
                pointer="/size", hint="leave it out, or name a larger one",
            )  # fmt: skip
        bundle = prove_entry(self.store, seq, sealed)
        info.context.spend(len(bundle["entry"]["body"]))
        info.context.show(seq)
        return JSON(bundle)

    @field
    def consistency(self, old: Seq, new: Seq | None = None) -> JSON:
        """That a checkpoint extends an older one: what `lineage-verify` reads.

        Format lineage-consistency/1; `new` is the last one unless it is given.
        """
        before = checkpoint_of_size(self.store, old)
        after = self.store.last_checkpoint() if new is None else checkpoint_of_size(self.store, new)
        if after is None or after.size < before.size:
            raise UnknownNameError(
                f"{new} is before {old}",
                pointer="/new", hint="give the smaller size first",
            )  # fmt: skip
        return JSON(prove_consistency(self.store, before, after))

    @field
    def entries(self, first: First = 50, after: After = None) -> EntryConnection:
        """Entries from the first on."""
        head = self.store.head().seq
        paging = Paging.of(
            ("ledger.entries", {}), lambda: View(head), first=first, after=after, shape=(int,)
        ).within(head)
        start = int(paging.after[0]) if paging.after else 0
        end = paging.view.position
        found = [e for e in self.store.entries(start, first + 1) if e.seq <= end]
        edges = [
            EntryEdge(cursor=paging.cursor((entry.seq,)), node=Entry.of(entry))
            for entry in found[:first]
        ]
        return EntryConnection(
            edges=edges,
            page_info=page_info(paging, [e.cursor for e in edges], more=len(found) > first),
            total_count=end,
        )
