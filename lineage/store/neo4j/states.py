"""States of one subject while entries are appended: operations, and the intervals that they show.

Pure: a :class:`Subject` is loaded from and stored as text by :mod:`lineage.store.neo4j.documents`.
The definition is :func:`lineage.model.fold.fold` over all operations of a key. Three ways lead to
the same intervals: an operation later than all others only changes the tail, without knowing the
others; a late one of a type that shows the last value paints what no later one covers; anything
else folds the key again.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, field

from lineage.model.canonical import FOREVER
from lineage.model.claims import Method, StateType
from lineage.model.fold import LAST_VALUE_TYPES, Op, Shown, advance, fold

__all__ = ["Key", "KeyId", "Row", "Said", "Subject"]

KeyId = tuple[StateType, str, str]
"""(type, object, source): the source is empty but for attributes."""
Span = tuple[int, int]


@dataclass(slots=True)
class Row:
    """A value over ``[since, until)``, visible at positions ``[rf, rt)``."""

    since: int
    until: int
    value: str
    method: Method
    rf: int
    rt: int = FOREVER


@dataclass(slots=True)
class Said:
    """An operation of entry ``seq``, visible until entry ``dead``."""

    op: Op
    seq: int
    dead: int = FOREVER


@dataclass(slots=True)
class Key:
    """One state. ``said`` is None while nobody has asked for its operations."""

    kind: StateType
    said: list[Said] | None
    last: int = -FOREVER
    """Time of the last visible operation."""
    rows: list[Row] = field(default_factory=list)
    """Intervals that show now, by time."""
    past: list[Row] = field(default_factory=list)
    """Intervals that showed at earlier positions."""

    @property
    def shown(self) -> bool:
        """Whether any operation is visible."""
        return self.last > -FOREVER

    # --- adding

    def add(self, said: Said) -> bool:
        """Apply a visible operation; False where all operations have to be known for it."""
        if self._extend(said.op, said.seq):
            if self.said is not None:
                insort(self.said, said, key=_order)
            self.last = max(self.last, said.op.at)
            return True
        if self.said is None:
            return False
        insort(self.said, said, key=_order)
        self.last = max(self.last, said.op.at)
        if self.kind in LAST_VALUE_TYPES:
            self._paint(said.op, said.seq)
        else:
            self.refold(said.seq)
        return True

    def _extend(self, op: Op, seq: int) -> bool:
        """Follow an operation that is later than all others; False: it is not, or not enough."""
        tail = self.rows[-1] if self.rows else None
        if op.since != op.at or op.until != FOREVER or op.at <= self.last:
            return False
        if tail is not None and op.at <= max(tail.since, _end(tail)):
            return False
        open_tail = tail if tail is not None and tail.until == FOREVER else None
        before: Shown = (open_tail.value, open_tail.method) if open_tail else None
        known, shown = advance(self.kind, before, op)
        if not known:
            return False
        if shown == before:
            return True
        if open_tail is not None:
            had = Row(open_tail.since, op.at, open_tail.value, open_tail.method, seq)
            self._replace(seq, [open_tail], [had])
        if shown is not None:
            self._replace(seq, [], [Row(op.at, FOREVER, *shown, seq)])
        return True

    def _paint(self, op: Op, seq: int) -> None:
        """Paint a late operation where none that is later in the fold covers it."""
        said = self.said or []
        start = bisect_left(said, op, key=_order)
        later = [s.op for s in said[start:] if s.dead == FOREVER and s.op > op]
        until = min((o.at for o in later if o.at > op.at and _is_regular(o)), default=FOREVER)
        covers = [(o.since, o.until) for o in later if o.at == op.at or not _is_regular(o)]
        _, shown = advance(self.kind, None, op)
        for span in _without((op.since, min(op.until, until)), covers):
            self._overwrite(seq, span, shown)

    def _overwrite(self, seq: int, span: Span, shown: Shown) -> None:
        """Show a value over a span, joined with neighbours that show the same."""
        since, until = span
        start, end = since, until
        had = [row for row in self.rows if row.until >= since and row.since <= until]
        want: list[Row] = []
        for row in had:
            if shown is not None and (row.value, row.method) == shown:
                start, end = min(start, row.since), max(end, row.until)
                continue
            if row.since < since:
                want.append(Row(row.since, min(row.until, since), row.value, row.method, seq))
            if row.until > until:
                want.append(Row(max(row.since, until), row.until, row.value, row.method, seq))
        if shown is not None:
            want.append(Row(start, end, *shown, seq))
        self._replace(seq, had, want)

    def _replace(self, seq: int, had: Iterable[Row], wanted: Iterable[Row]) -> None:
        """From ``seq`` on show these rows instead of those."""
        want = {_content(row): row for row in wanted}
        gone = [row for row in had if want.pop(_content(row), None) is None]
        for row in gone:
            self.rows.remove(row)
            if row.rf != seq:
                row.rt = seq
                self.past.append(row)
        for row in want.values():
            insort(self.rows, row, key=lambda r: r.since)

    # --- the whole key

    def refold(self, seq: int) -> None:
        """Bring the rows to what the operations show at ``seq``, the latest of its positions."""
        said = [s for s in self.said or [] if s.seq <= seq < s.dead]
        self.last = max((s.op.at for s in said), default=-FOREVER)
        wanted = [
            Row(i.since, i.until, i.value, i.method, seq)
            for i in fold(self.kind, [s.op for s in said])
        ]
        self._replace(seq, list(self.rows), wanted)

    def kill(self, target: int, seq: int) -> None:
        """Entry ``target`` is retracted from ``seq`` on."""
        for said in self.said or []:
            if said.seq == target and said.dead == FOREVER:
                said.dead = seq
        self.refold(seq)

    def rewrite(self, target: int, said: Iterable[Said]) -> None:
        """Entry ``target`` has always said this instead: fold again at every position."""
        kept = [s for s in self.said or [] if s.seq != target]
        self.said = sorted([*kept, *said], key=_order)
        self.rows, self.past, self.last = [], [], -FOREVER
        for seq in sorted({p for s in self.said for p in (s.seq, s.dead) if p < FOREVER}):
            self.refold(seq)


@dataclass(slots=True)
class Subject:
    """All states of one subject."""

    keys: dict[KeyId, Key] = field(default_factory=dict)
    complete: bool = True
    """Whether operations are known, and not only what shows."""
    waiting: list[tuple[KeyId, Said]] = field(default_factory=list)
    """Operations that the database does not have yet."""
    rewritten: bool = False
    """Operations that the database has are different now."""
    touched: int = 0
    """The transaction that last asked for it."""

    def key(self, ident: KeyId) -> Key:
        """A state, new where it was never said."""
        found = self.keys.get(ident)
        if found is None:
            # Of a key that is not there nothing was said, complete or not.
            found = self.keys[ident] = Key(ident[0], [])
        return found


def _end(row: Row) -> int:
    return -FOREVER if row.until == FOREVER else row.until


def _content(row: Row) -> tuple[int, int, str, Method]:
    return (row.since, row.until, row.value, row.method)


def _order(said: Said) -> Op:
    return said.op


def _is_regular(op: Op) -> bool:
    return op.since == op.at and op.until == FOREVER


def _without(span: Span, covers: Iterable[Span]) -> list[Span]:
    """What of a span is not covered."""
    left = [span] if span[0] < span[1] else []
    for since, until in covers:
        if since < until:
            left = [
                piece
                for start, end in left
                for piece in ((start, min(end, since)), (max(start, until), end))
                if piece[0] < piece[1]
            ]
    return left
