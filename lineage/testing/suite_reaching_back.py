"""Rules of retraction and redaction: entries that change what others said."""

from __future__ import annotations

import pytest

from lineage.errors import RefusedError
from lineage.model.claims import Claims, EdgeType, Redaction, StateType
from lineage.model.ids import artifact_id, run_id, with_version
from lineage.store.contract import Direction, Store, View
from lineage.testing.builders import (
    alias,
    attribute,
    commit,
    generated,
    record,
    redaction,
    reference,
    retraction,
    table_version,
    used,
)
from lineage.testing.plain import body_of, entry_of

__all__ = ["ReachingBackRules"]

HEAD = View(1 << 60)
DATA = artifact_id("n", "data")
V1, V2 = with_version(DATA, "1.aa"), with_version(DATA, "2.aa")
RUN, OTHER = run_id("jobs", "j", "1"), run_id("jobs", "j", "2")


def _doc(store: Store, position: int = 1 << 60) -> str | None:
    nodes = store.nodes([DATA], View(position))
    shown = nodes[0].attributes.get("doc") if nodes else None
    return shown.value if shown else None


class ReachingBackRules:
    """Nothing is overwritten, but for what is erased."""

    def test_a_retracted_claim_is_invisible_from_then_on(self, store: Store) -> None:
        """Before it stays as it was; nodes stay known; another entry's claim of it stays."""
        target = entry_of(used(V1, RUN, 5))
        store.append([target, entry_of(used(V1, OTHER, 5)), entry_of(retraction(target))])
        assert store.edges([RUN], Direction.UPSTREAM, HEAD) == []
        assert len(store.edges([RUN], Direction.UPSTREAM, View(2))) == 1
        assert store.known([RUN, V1], HEAD) == {RUN, V1}
        assert len(store.edges([OTHER], Direction.UPSTREAM, HEAD)) == 1
        assert store.counts()["edges"] == 1

    def test_a_retraction_may_come_before_its_target(self, store: Store) -> None:
        """Then the target is never visible, though its names are known."""
        target = entry_of(attribute(DATA, "doc", "x", 1))
        store.append([entry_of(retraction(target))])
        store.append([target])
        assert _doc(store) is None
        assert store.known([DATA], HEAD) == {DATA}
        assert store.history(DATA, StateType.ATTRIBUTE, 2) == []
        assert store.counts()["states"] == 0

    def test_a_retraction_is_for_good(self, store: Store) -> None:
        """Retracting it, or sending the target again, brings nothing back."""
        target = entry_of(attribute(DATA, "doc", "x", 1))
        withdrawn = entry_of(retraction(target))
        store.append([target, withdrawn, entry_of(retraction(withdrawn)), target])
        assert _doc(store) is None

    def test_what_was_derived_follows_a_retraction(self, store: Store) -> None:
        """Resolution, equivalence and contents of tables are computed without the claim."""
        other = artifact_id("m", "data")
        made, same = entry_of(generated(RUN, V1, 1)), entry_of(alias(DATA, other, 1))
        record(store, used(other, OTHER, 9))
        store.append([made, same])
        up = [edge.up for edge in store.edges([OTHER], Direction.UPSTREAM, HEAD)]
        assert up == [V1]
        store.append([entry_of(retraction(same))])
        assert [e.up for e in store.edges([OTHER], Direction.UPSTREAM, HEAD)] == [other]
        assert [e.up for e in store.edges([OTHER], Direction.UPSTREAM, View(3))] == [V1]
        store.append([entry_of(retraction(made))])
        assert store.versions(DATA, HEAD) == [(V1, None)]

    def test_a_retracted_commit_is_no_longer_in_the_log(self, store: Store) -> None:
        """Then the files of the table are not all known, and its chain is walked."""
        first = entry_of(commit(DATA, 0, 1, added=["a"], run=RUN))
        second = entry_of(commit(DATA, 1, 2, added=["b"], run=OTHER))
        third = entry_of(commit(DATA, 2, 3, removed=["a"]))
        fourth = entry_of(commit(DATA, 3, 4, added=["d"]))
        store.append([first, second, third, fourth])
        start, deleting = [table_version(DATA, 3)], table_version(DATA, 2)
        pruned = dict(store.walk(start, Direction.UPSTREAM, HEAD).nodes)
        assert RUN not in pruned
        assert deleting not in pruned
        store.append([entry_of(retraction(second))])
        assert dict(store.walk(start, Direction.UPSTREAM, View(4)).nodes) == pruned
        assert deleting in dict(store.walk(start, Direction.UPSTREAM, HEAD).nodes)

    def test_a_redaction_erases_at_every_position(self, store: Store) -> None:
        """Body and salt are gone, the leaf stays, and so does what the stub still says."""
        target = entry_of(attribute(DATA, "doc", "secret", 1), note="secret")
        store.append([target])
        leaf = next(store.entries()).leaf
        stub = attribute(DATA, "doc", "[erased]", 1)
        store.append([entry_of(redaction(target, stub))])
        assert [_doc(store, position) for position in (1, 2)] == ['"[erased]"'] * 2
        stored = next(store.entries())
        assert (stored.body, stored.salt, stored.leaf) == (body_of(stub), None, leaf)
        assert store.append([target])[0].new is False
        assert all(b"secret" not in entry.body for entry in store.entries())

    def test_a_target_that_comes_later_is_stored_as_its_stub(self, store: Store) -> None:
        """Its own body is never kept."""
        target = entry_of(attribute(DATA, "doc", "secret", 1))
        store.append([entry_of(redaction(target, Claims(mentions=(DATA,))))])
        assert [receipt.seq for receipt in store.append([target])] == [2]
        assert _doc(store) is None
        assert store.known([DATA], HEAD) == {DATA}
        stored = list(store.entries())[1]
        assert stored.salt is None
        assert b"secret" not in stored.body

    def test_a_redaction_that_loses_names_is_refused(self, store: Store) -> None:
        """With everything that came with it."""
        target = entry_of(used(V1, RUN, 1))
        store.append([target])
        before = store.digest()
        for stub in (Claims(), Claims(mentions=(V1, RUN, OTHER)), Claims(mentions=(V1,))):
            with pytest.raises(RefusedError) as caught:
                store.append([entry_of(used(V1, OTHER, 2)), entry_of(redaction(target, stub))])
            assert caught.value.code == "redaction-loses-names"
        assert store.digest() == before

    def test_a_redaction_may_take_edges_away(self, store: Store) -> None:
        """What follows from them goes with them, at every position."""
        made = entry_of(generated(RUN, V1, 1))
        store.append([made])
        record(store, used(DATA, OTHER, 9))
        stub = Claims(mentions=made.claims.nodes())
        store.append([entry_of(redaction(made, stub))])
        for position in (2, 3):
            (edge,) = store.edges([OTHER], Direction.UPSTREAM, View(position))
            assert (edge.type, edge.up) == (EdgeType.USED, DATA)
            assert store.edges([RUN], Direction.DOWNSTREAM, View(position)) == []

    def test_a_redaction_leaves_what_others_made_alone(self, store: Store) -> None:
        """Two runs were one: what one of them used is no matter of that."""
        one = entry_of(alias(RUN, OTHER, 1))
        store.append([one])
        record(store, used(DATA, RUN, 2))
        before = store.edges([RUN], Direction.UPSTREAM, HEAD, [EdgeType.USED])
        store.append([entry_of(redaction(one, Claims(mentions=one.claims.nodes())))])
        assert store.edges([RUN], Direction.UPSTREAM, HEAD, [EdgeType.USED]) == before
        assert [edge.up for edge in before] == [DATA]

    def test_what_comes_behind_a_redaction_is_resolved_by_all_there_is(self, store: Store) -> None:
        """In one batch: what a redaction made a writer forget is known when a use comes."""
        first = entry_of(generated(RUN, V1, 1))
        store.append([first, entry_of(generated(RUN, V2, 2))])
        stub = Claims(mentions=first.claims.nodes())
        store.append([entry_of(redaction(first, stub)), entry_of(used(DATA, OTHER, 9))])
        (edge,) = store.edges([OTHER], Direction.UPSTREAM, HEAD, [EdgeType.USED])
        assert edge.up == V2

    def test_an_entry_may_be_redacted_again(self, store: Store) -> None:
        """Of several the last in the order of event ids stands, however they arrive."""
        target = entry_of(attribute(DATA, "doc", "secret", 1))
        stubs = [attribute(DATA, "doc", value, 1) for value in ("first", "second")]
        one, two = (
            entry_of(redaction(target, stub), event_id=str(n)) for n, stub in enumerate(stubs)
        )
        store.append([two, target, one])
        assert _doc(store) == '"second"'

    def test_a_redaction_can_be_redacted(self, store: Store) -> None:
        """Its stub names the same target: the new stub inside takes the place of the old one."""
        target = entry_of(attribute(DATA, "doc", "secret", 1))
        first = entry_of(redaction(target, attribute(DATA, "doc", "too much", 1)))
        store.append([target, first])
        inner = Redaction(reference(target), body_of(attribute(DATA, "doc", "less", 1)))
        store.append([entry_of(redaction(first, Claims(redacts=(inner,))))])
        assert _doc(store) == '"less"'
        assert all(b"too much" not in entry.body for entry in store.entries())
        with pytest.raises(RefusedError):
            store.append([entry_of(redaction(first, Claims()), event_id="zz")])

    def test_retraction_and_redaction_of_one_entry(self, store: Store) -> None:
        """The stub is as invisible as the body was."""
        target = entry_of(attribute(DATA, "doc", "secret", 1))
        stub = attribute(DATA, "doc", "[erased]", 1)
        store.append([target, entry_of(retraction(target)), entry_of(redaction(target, stub))])
        assert [_doc(store, position) for position in (1, 2, 3)] == ['"[erased]"', None, None]
