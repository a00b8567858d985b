"""What a question has at hand: the store at one position, who asks, and the way to record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from strawberry.types import Info

from lineage.errors import BadCursorError, RefusedError
from lineage.model.envelope import Actor
from lineage.ownership.policy import Policy, default_policy
from lineage.query.batch import Batch, present
from lineage.query.cursors import Cursor, Key, question_digest
from lineage.query.names import resolve_name
from lineage.query.views import Times, view_of
from lineage.record.recorder import Incoming
from lineage.store.contract import Receipt, Store, View

__all__ = ["Asking", "Context", "Paging"]

MOST_FIRST = 1000
MOST_BYTES = 32 << 20


@dataclass
class Context:
    """One request. All its questions are answered at the same end of the ledger."""

    store: Store
    actor: Actor
    record: Callable[[Sequence[Incoming], Actor], list[Receipt]]
    """``Recorder.record``, or a way to it that is shared with others."""
    clock: Callable[[], int] = field(default=present)
    policy: Callable[[str], Policy] = field(default=default_policy)
    """The policy of an action."""

    audit: Callable[[set[int], int], None] = field(default=lambda _seqs, _position: None)
    """Notes that bodies of entries are handed out; raises where it cannot, and then none are."""

    _bytes: int = field(default=0, init=False)
    _shown: set[int] = field(default_factory=set, init=False)

    def spend(self, size: int) -> None:
        """Count ``size`` bytes of bodies into the answer. Raises ``RefusedError`` beyond the most.

        Entries differ in size by a factor of a million: a number of items does not bound an answer.
        """
        self._bytes += size
        if self._bytes > MOST_BYTES:
            raise RefusedError(
                f"the bodies asked for have more than {MOST_BYTES >> 20} MiB",
                code="answer-too-large",
                pointer="/first",
                hint="ask for fewer entries at a time, or leave out their bodies",
            )

    def show(self, seq: int) -> None:
        """The answer has the body of an entry."""
        self._shown.add(seq)

    def note(self) -> None:
        """Note what the answer shows, before it is given. Raises ``NotAuditedError``."""
        if self._shown:
            self.audit(self._shown, self.head)

    @cached_property
    def head(self) -> int:
        """Seq of the last entry when the request was first looked at."""
        return self.store.head().seq

    def view(self, as_of: str | None, known_at: str | None) -> View:
        """The view that the two times mean."""
        return view_of(self.store, Times(as_of or "", known_at or ""), self.head)

    def resolve(self, name: str, view: View) -> str:
        """The id a name means."""
        return resolve_name(self.store, name, view)

    def batch(self, view: View, ids: Sequence[str]) -> Batch:
        """Nodes to be answered together."""
        return Batch(self.store, view, ids, self.clock)


Asking = Info[Context, None]


@dataclass(frozen=True, slots=True)
class Paging:
    """One page of an answer: how many, of which question, at which view, after which key."""

    question: str
    view: View
    first: int
    after: Key | None = None

    def cursor(self, key: Key) -> str:
        """The cursor of an item on this page."""
        return Cursor(self.question, self.view, key).encode()

    @classmethod
    def of(
        cls,
        question: tuple[str, dict[str, object]],
        view: Callable[[], View],
        *,
        first: int,
        after: str | None,
        shape: tuple[type, ...] = (str,),
    ) -> Paging:
        """The page asked for: at the view of the cursor where there is one.

        Raises ``BadCursorError``, and ``RefusedError`` for a page of no or too many items.
        """
        if not 1 <= first <= MOST_FIRST:
            raise RefusedError(
                f"a page of {first} items", code="bad-page-size", pointer="/first",
                hint=f"ask for 1 to {MOST_FIRST} at a time, then for the next with `after`",
            )  # fmt: skip
        digest = question_digest(*question)
        if not after:
            return cls(digest, view(), first)
        cursor = Cursor.decode(after, digest, shape)
        return cls(digest, cursor.view, first, cursor.key)

    def within(self, head: int) -> Paging:
        """This page, if the ledger reaches as far as its cursor says. Raises ``BadCursorError``."""
        if self.view.position > head:
            raise BadCursorError(
                f"a cursor of position {self.view.position}; this ledger ends at {head}",
                pointer="/after",
                hint="it is of another store, or this one was restored from an older backup",
            )
        return self
