"""Rules of states: painting, folding, both times."""

from __future__ import annotations

from lineage.model.canonical import FOREVER
from lineage.model.claims import Method, StateType
from lineage.model.ids import artifact_id, person_id, run_id, team_id
from lineage.store.contract import Evidence, StateValue, Store, View
from lineage.testing.builders import attribute, record, state

__all__ = ["StateRules"]

HEAD = View(1 << 60)
DATA = artifact_id("n", "data")
RUN = run_id("jobs", "j", "1")
TEAM, PERSON = team_id("risk"), person_id("17")
TAGGED = StateType.TAGGED


def _tags(store: Store, position: int = 1 << 60) -> list[tuple[str, int, int]]:
    found = store.history(DATA, TAGGED, position)
    return [(shown.value, shown.since, shown.until) for shown in found]


class StateRules:
    """What held when, as known when."""

    def test_an_operation_paints_from_its_time_on(self, store: Store) -> None:
        """Half open; not before, and with an end not after."""
        record(store, state(DATA, TAGGED, "pii", "on", 5, until=9))
        wanted = StateValue(DATA, TAGGED, "pii", "on", 5, 9, Method.OBSERVED)
        for as_of, shown in ((4, []), (5, [wanted]), (8, [wanted]), (9, [])):
            assert store.states(View(1, as_of)) == shown
        assert store.history(DATA, TAGGED, 1) == [wanted]
        assert store.history(DATA, TAGGED, 0) == []

    def test_later_operations_paint_over_earlier_ones(self, store: Store) -> None:
        """By event time, not by arrival; what was known before stays readable."""
        record(store, state(DATA, TAGGED, "t", "b", 5))
        record(store, state(DATA, TAGGED, "t", "a", 3))
        assert _tags(store, 1) == [("b", 5, FOREVER)]
        assert _tags(store, 2) == [("a", 3, 5), ("b", 5, FOREVER)]
        record(store, state(DATA, TAGGED, "t", "off", 8))
        assert _tags(store) == [("a", 3, 5), ("b", 5, 8)]
        record(store, state(DATA, TAGGED, "t", "c", 9, since=4, until=6))
        assert _tags(store) == [("a", 3, 4), ("c", 4, 6), ("b", 6, 8)]
        assert _tags(store, 3) == [("a", 3, 5), ("b", 5, 8)]

    def test_the_same_value_again_is_one_interval(self, store: Store) -> None:
        """Intervals are maximal, whatever they were painted from."""
        record(store, *(state(DATA, TAGGED, "t", "on", at) for at in (5, 3, 9)))
        record(store, state(DATA, TAGGED, "t", "on", 12, since=1, until=2))
        assert _tags(store) == [("on", 1, 2), ("on", 3, FOREVER)]

    def test_ties_of_time_go_by_source_and_event_id(self, store: Store) -> None:
        """Bytewise: the same on every machine and in any order of arrival."""
        for value, source in (("late", "b"), ("early", "a")):
            record(store, state(DATA, TAGGED, "t", value, 5), source=source)
        assert _tags(store) == [("late", 5, FOREVER)]

    def test_many_changes_of_one_attribute(self, store: Store) -> None:
        """Each closes the one before it, in any order of arrival."""
        order = [*range(0, 40, 2), *range(39, 0, -2)]
        for at in order:
            record(store, attribute(DATA, "rows", str(at), at))
        shown = store.history(DATA, StateType.ATTRIBUTE, 40)
        assert [(s.value, s.since, s.until) for s in shown] == [
            (f'"{at}"', at, at + 1 if at < 39 else FOREVER) for at in range(40)
        ]
        assert [s.since for s in store.history(DATA, StateType.ATTRIBUTE, 20)] == order[:20]

    def test_a_run_ends_once(self, store: Store) -> None:
        """Its last attempt's last terminal event shows; differing ones are contested."""
        steps = [(1, "START", "RUNNING"), (5, "FAIL", "FAIL"), (7, "START", "RUNNING"),
                 (9, "COMPLETE", "COMPLETE"), (9, "ABORT", "CONTESTED")]  # fmt: skip
        for at, event, shown in steps:
            record(store, state(RUN, StateType.RUN_STATE, "", event, at))
            assert [found.value for found in store.states(HEAD)] == [shown]
        assert store.states(View(5, as_of=6))[0].value == "FAIL"
        assert store.states(View(5, as_of=8))[0].value == "RUNNING"

    def test_a_late_terminal_event_beats_abandonment(self, store: Store) -> None:
        """Also one that happened before it."""
        record(store, state(RUN, StateType.RUN_STATE, "", "START", 1))
        record(store, state(RUN, StateType.RUN_STATE, "", "ABANDONED", 9))
        assert store.states(HEAD)[0].value == "ABANDONED"
        record(store, state(RUN, StateType.RUN_STATE, "", "COMPLETE", 5))
        assert store.states(HEAD)[0].value == "COMPLETE"

    def test_a_long_run_with_a_beating_heart(self, store: Store) -> None:
        """One interval, however many events."""
        for at in range(1, 60):
            record(store, state(RUN, StateType.RUN_STATE, "", "RUNNING", at))
        shown = store.history(RUN, StateType.RUN_STATE, 59)
        assert [(s.value, s.since, s.until) for s in shown] == [("RUNNING", 1, FOREVER)]
        record(store, state(RUN, StateType.RUN_STATE, "", "COMPLETE", 60))
        assert [s.value for s in store.history(RUN, StateType.RUN_STATE, 60)] == [
            "RUNNING",
            "COMPLETE",
        ]

    def test_claiming_again_keeps_an_acceptance(self, store: Store) -> None:
        """Accepting without a claim in force does nothing; a retraction ends both."""
        key = f"{TEAM}|explicit"
        steps: list[tuple[str, list[str]]] = [
            ("accepted", []), ("claimed", ["claimed"]), ("accepted", ["accepted"]),
            ("claimed", ["accepted"]), ("retracted", []), ("accepted", []),
        ]  # fmt: skip
        for at, (value, shown) in enumerate(steps, start=1):
            record(store, state(DATA, StateType.OWNED_BY, key, value, at))
            assert [found.value for found in store.states(View(at, as_of=at))] == shown
        assert store.known([TEAM], HEAD) == {TEAM}

    def test_an_inferred_equivalence_is_a_maybe(self, store: Store) -> None:
        """It never weakens a stronger one."""
        other = artifact_id("m", "data")
        low, high = sorted((DATA, other))
        for at, method, shown in (
            (1, Method.INFERRED, "maybe"), (2, Method.DECLARED, "on"), (3, Method.INFERRED, "on"),
        ):  # fmt: skip
            record(store, state(low, StateType.SAME_AS, high, "on", at, method=method))
            assert store.states(HEAD)[0].value == shown

    def test_states_are_found_by_subject_type_and_object(self, store: Store) -> None:
        """Alone and together, in order of (subject, type, object, source)."""
        record(store, state(PERSON, StateType.MEMBER_OF, TEAM, "lead", 1))
        record(store, state(DATA, TAGGED, "pii", "on", 1), state(DATA, TAGGED, "é\ud800", "on", 1))
        record(store, attribute(DATA, "doc", "b", 1), source="b")
        record(store, attribute(DATA, "doc", "a", 1), source="a")
        every = store.states(HEAD)
        assert every == sorted(every, key=lambda s: (s.subject, s.type, s.object, s.source))
        assert len(every) == 5
        assert [s.source for s in store.states(HEAD, objects=["doc"])] == ["a", "b"]
        assert store.states(HEAD, objects=[TEAM])[0].subject == PERSON
        assert len(store.states(HEAD, subjects=[DATA])) == 4
        assert len(store.states(HEAD, subjects=[DATA], types=[TAGGED])) == 2
        assert store.states(HEAD, subjects=[DATA], objects=["é\ud800"])[0].value == "on"
        assert store.states(HEAD, subjects=[PERSON], types=[TAGGED]) == []
        assert store.states(HEAD, subjects=[]) == []
        assert store.states(HEAD, objects=[]) == []
        assert store.states(HEAD, objects=["nothing"]) == []

    def test_evidence_of_a_state_is_its_operations(self, store: Store) -> None:
        """By seq, with the value each one painted."""
        record(store, attribute(DATA, "doc", "b", 9), source="b")
        record(store, attribute(DATA, "doc", "a", 1, method=Method.DECLARED), source="a")
        found = store.state_evidence(DATA, StateType.ATTRIBUTE, "doc", 2)
        assert found == [
            Evidence(1, "b", Method.OBSERVED, 9, detail='"b"'),
            Evidence(2, "a", Method.DECLARED, 1, detail='"a"'),
        ]
        assert store.state_evidence(DATA, StateType.ATTRIBUTE, "doc", 1) == found[:1]
        assert store.state_evidence(DATA, StateType.ATTRIBUTE, "other", 2) == []
