"""Rules of the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from lineage.errors import RefusedError
from lineage.model.claims import Claims
from lineage.model.envelope import Envelope, commitment_of
from lineage.model.ids import artifact_id
from lineage.model.merkle import Frontier
from lineage.store.contract import NewEntry, Receipt, Store, View
from lineage.testing.builders import attribute, record, used
from lineage.testing.plain import ACTOR, again, entry_of

__all__ = ["LedgerRules"]

TABLE = artifact_id("n", "t")
RUN = "run:jobs,train,1"


def _entries(count: int) -> list[NewEntry]:
    return [entry_of(attribute(TABLE, "doc", str(n), at=n)) for n in range(count)]


class LedgerRules:
    """Numbering, hashing, all or none, once only."""

    def test_an_empty_store_has_an_empty_ledger(self, store: Store) -> None:
        """Nothing is there, and no read fails."""
        assert store.head().seq == 0
        assert store.head().frontier.root() == Frontier.empty().root()
        assert list(store.entries()) == []
        assert store.position_at(1 << 60) == 0
        assert store.find("test", "x") is None
        assert store.counts() == {"entries": 0, "nodes": 0, "edges": 0, "states": 0}

    def test_sequence_numbers_have_no_gap(self, store: Store) -> None:
        """Also over several appends, and with entries among them that were there."""
        first = _entries(3)
        assert store.append(first) == [Receipt(1, True), Receipt(2, True), Receipt(3, True)]
        more = [first[1], *_entries(5)[3:], first[0]]
        assert [receipt.seq for receipt in store.append(more)] == [2, 4, 5, 1]
        assert [entry.seq for entry in store.entries()] == [1, 2, 3, 4, 5]

    def test_the_same_entry_again_changes_nothing(self, store: Store) -> None:
        """It returns the first seq; also twice in one append."""
        entry = _entries(1)[0]
        assert store.append([entry, entry]) == [Receipt(1, True), Receipt(1, False)]
        before = store.digest(), store.head()
        assert store.append([entry]) == [Receipt(1, False)]
        assert (store.digest(), store.head()) == before

    def test_the_same_event_id_of_another_source_is_another_entry(self, store: Store) -> None:
        """An event id is its source's own."""
        claims = attribute(TABLE, "doc", "x", 1)
        one = entry_of(claims, source="one", event_id="42")
        other = entry_of(claims, source="other", event_id="42")
        assert [receipt.seq for receipt in store.append([one, other])] == [1, 2]
        assert store.find("one", "42") == 1
        assert store.find("other", "42") == 2
        assert store.find("other", "43") is None

    @pytest.mark.parametrize(
        "event_id",
        ["a" * 64, "A" * 64, "0" * 63, "", "é" * 16, "\ud800", "\ud800" * 10 + "x", "x\x00y"],
    )
    def test_any_text_is_an_event_id(self, store: Store, event_id: str) -> None:
        """Hex digits, other letters, none, lone surrogates, a zero: each comes back as it was."""
        entry = entry_of(attribute(TABLE, "doc", "x", 1), source="s\ud800", event_id=event_id)
        store.append([entry])
        assert store.find("s\ud800", event_id) == 1
        (stored,) = store.entries()
        assert (stored.source, stored.event_id) == ("s\ud800", event_id)

    def test_append_is_all_or_nothing(self, store: Store) -> None:
        """One entry that is refused takes its whole batch with it, and the next append is well."""
        record(store, attribute(TABLE, "doc", "x", 1))
        before = store.digest(), store.head(), store.counts()
        bad = entry_of(Claims(mentions=("not an id",)))
        with pytest.raises(RefusedError):
            store.append([*_entries(3), bad])
        assert (store.digest(), store.head(), store.counts()) == before
        assert [receipt.seq for receipt in store.append(_entries(3))] == [2, 3, 4]

    def test_bodies_come_back_byte_for_byte(self, store: Store) -> None:
        """Small, large, of any bytes: the body is what was received."""
        bodies = [b"", b"\x00\xff", b"x" * 511, b"x" * 100_000, bytes(range(256)) * 8]
        entries = [
            NewEntry("foreign", 7, "test", str(n), ACTOR, body, Claims())
            for n, body in enumerate(bodies)
        ]
        store.append(entries)
        assert [entry.body for entry in store.entries()] == bodies
        assert {(entry.kind, entry.v) for entry in store.entries()} == {("foreign", 7)}

    def test_leaves_and_commitments_are_those_of_the_format(self, store: Store) -> None:
        """The commitment binds salt and body, the leaf the envelope, the frontier all leaves."""
        store.append(_entries(5))
        frontier = Frontier.empty()
        for entry in store.entries():
            assert entry.salt is not None
            assert len(entry.salt) == 16
            assert entry.commitment == commitment_of(entry.salt, entry.body)
            envelope = Envelope(
                entry.seq, entry.recorded_at, entry.kind, entry.v, entry.source,
                entry.event_id, entry.actor, entry.commitment,
            )  # fmt: skip
            assert entry.leaf == envelope.leaf()
            frontier.push(entry.leaf)
        assert store.head().frontier == frontier
        assert len({entry.salt for entry in store.entries()}) == 5

    def test_entries_are_read_from_a_position_on(self, store: Store) -> None:
        """After, and no more than the limit."""
        store.append(_entries(7))
        assert [entry.seq for entry in store.entries(after=4)] == [5, 6, 7]
        assert [entry.seq for entry in store.entries(after=2, limit=3)] == [3, 4, 5]
        assert list(store.entries(after=7)) == []
        assert list(store.entries(limit=0)) == []

    def test_recorded_times_never_go_back(self, store: Store) -> None:
        """A position is found by time: the last seq recorded at or before it."""
        times = [100, 100, 250]
        entries = [
            replace(entry, recorded_at=at, salt=b"s" * 16, commitment=commitment_of(b"s" * 16, b""))
            for entry, at in zip(_entries(3), times, strict=True)
        ]
        store.append(entries)
        assert [store.position_at(at) for at in (99, 100, 249, 250, 10**18)] == [0, 2, 2, 3, 3]
        later = store.append(_entries(4)[3:])[0].seq
        assert store.position_at(250) in (3, later)
        recorded = [entry.recorded_at for entry in store.entries()]
        assert recorded == sorted(recorded)

    def test_a_rebuilt_store_equals_the_live_one(self, make_store: Callable[[], Store]) -> None:
        """Times, salts and commitments are kept."""
        live, rebuilt = make_store(), make_store()
        live.append(_entries(5))
        record(live, used(TABLE, RUN, 3))
        for entry in live.entries():
            rebuilt.append([again(entry)])
        assert rebuilt.digest() == live.digest()
        assert rebuilt.head() == live.head()
        assert list(rebuilt.entries()) == list(live.entries())
        live.close()
        rebuilt.close()

    def test_a_digest_comes_with_its_head(self, store: Store) -> None:
        """Of one moment, with recorded times and without."""
        for count in (0, 2):
            store.append(_entries(count))
            assert store.digest_at_head() == (store.head(), store.digest())
            without = store.digest_at_head(recorded=False)
            assert without == (store.head(), store.digest(recorded=False))

    def test_a_position_is_a_moment(self, store: Store) -> None:
        """What comes later does not change what was known at a position."""
        record(store, attribute(TABLE, "doc", "first", 1))
        at_first = store.nodes([TABLE], View(1))
        record(
            store, attribute(TABLE, "doc", "second", 1, method=at_first[0].attributes["doc"].method)
        )
        record(store, used(TABLE, RUN, 1))
        assert store.nodes([TABLE], View(1)) == at_first
        assert store.known([RUN], View(1)) == set()
        assert store.nodes([TABLE], View(3)) != at_first
