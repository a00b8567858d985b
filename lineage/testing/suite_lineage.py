"""Rules of edges and walks: resolution, aliases, both directions, depth and limit."""

from __future__ import annotations

from lineage.model.claims import Claims, EdgeType, Method, Occurrence
from lineage.model.ids import artifact_id, run_id, run_token, with_version
from lineage.store.contract import Direction, Edge, Evidence, History, Store, View
from lineage.testing.builders import alias, generated, record, used

__all__ = ["LineageRules"]

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM
HEAD = View(1 << 60)
DATA, CLEAN, MODEL = (artifact_id("n", name) for name in ("data", "clean", "model"))
RUNS = [run_id("jobs", "j", str(n)) for n in range(5)]
V1, V2 = with_version(DATA, "1.aa"), with_version(DATA, "2.bb")
MADE = with_version(MODEL, "sha256.ff")


def _up(store: Store, start: str, view: View = HEAD) -> set[str]:
    return {node for node, _ in store.walk([start], UP, view).nodes}


def _used_by(store: Store, run: str, view: View = HEAD) -> list[tuple[str, Method]]:
    found = store.edges([run], UP, view, [EdgeType.USED])
    return [(edge.up, edge.method) for edge in found]


class LineageRules:
    """What is connected to what, as known then and as it was then."""

    def test_an_edge_shows_from_its_least_time_with_its_strongest_method(
        self, store: Store
    ) -> None:
        """Over all visible claims; not before its time."""
        record(store, used(V1, RUNS[0], 9, method=Method.DECLARED))
        record(store, used(V1, RUNS[0], 5, method=Method.INFERRED))
        wanted = Edge(EdgeType.USED, V1, RUNS[0], 5, Method.DECLARED)
        assert store.edges([RUNS[0]], UP, HEAD) == [wanted]
        assert store.edges([V1], DOWN, HEAD) == [wanted]
        assert store.edges([V1], UP, HEAD) == []
        assert store.edges([RUNS[0]], UP, View(2, as_of=4)) == []
        assert store.edges([RUNS[0]], UP, View(1))[0].at == 9
        assert store.edges([RUNS[0]], UP, HEAD, [EdgeType.GENERATED]) == []

    def test_evidence_names_the_claims_behind_an_edge(self, store: Store) -> None:
        """Entry, source, method, time, and what was said, in the order of the ledger."""
        record(store, used(V1, RUNS[0], 9, detail='{"role":"x"}'), source="a")
        record(store, used(V1, RUNS[0], 5, method=Method.DECLARED), source="b")
        record(store, used(V2, RUNS[0], 5), source="b")
        assert store.evidence(EdgeType.USED, V1, RUNS[0], HEAD) == [
            Evidence(1, "a", Method.OBSERVED, 9, detail='{"role":"x"}'),
            Evidence(2, "b", Method.DECLARED, 5),
        ]
        assert len(store.evidence(EdgeType.USED, V1, RUNS[0], View(3, as_of=8))) == 1
        assert store.evidence(EdgeType.GENERATED, V1, RUNS[0], HEAD) == []
        assert store.evidence(EdgeType.USED, "artifact:n,nobody", RUNS[0], HEAD) == []

    def test_upstream_and_downstream_are_inverse(self, store: Store) -> None:
        """From sources to products and back; other edges are not walked."""
        record(
            store,
            used(V1, RUNS[0], 1),
            generated(RUNS[0], with_version(CLEAN, "1.cc"), 2),
            used(with_version(CLEAN, "1.cc"), RUNS[1], 3),
            generated(RUNS[1], MADE, 4),
            Claims((Occurrence(EdgeType.TRIGGERED_BY, RUNS[3], RUNS[1], 3, Method.OBSERVED),)),
        )
        chain = [V1, RUNS[0], with_version(CLEAN, "1.cc"), RUNS[1], MADE]
        up, down = store.walk([MADE], UP, HEAD), store.walk([V1], DOWN, HEAD)
        assert up.nodes == [(node, depth) for depth, node in enumerate(reversed(chain))]
        assert down.nodes == [(node, depth) for depth, node in enumerate(chain)]
        assert up.edges == down.edges
        assert not up.truncated
        assert _up(store, MADE, View(5, as_of=3)) == {MADE}
        assert _up(store, MADE, View(3)) == set()

    def test_depth_and_limit_say_that_they_cut(self, store: Store) -> None:
        """Whole levels first, then by id; an answer that lacks nothing is not truncated."""
        inputs = [with_version(artifact_id("n", f"in{n}"), "1.aa") for n in range(4)]
        record(store, *(used(one, RUNS[0], 1) for one in inputs), generated(RUNS[0], MADE, 2))
        every = [(MADE, 0), (RUNS[0], 1), *((one, 2) for one in inputs)]
        for depth in (0, 1, 2, 3):
            walk = store.walk([MADE], UP, HEAD, depth=depth)
            assert walk.nodes == [node for node in every if node[1] <= depth]
            assert walk.truncated is (depth < 2)
        for limit in (0, 1, 3, 5, 6, 7):
            walk = store.walk([MADE], UP, HEAD, limit=limit)
            assert walk.nodes == every[:limit]
            assert walk.truncated is (limit < 6)
            assert all(edge.up in dict(walk.nodes) for edge in walk.edges)

    def test_a_walk_of_nothing_known_is_empty(self, store: Store) -> None:
        """Unknown starting points are not found; known ones beside them are walked."""
        record(store, used(V1, RUNS[0], 1))
        assert store.walk(["artifact:n,nobody"], UP, HEAD).nodes == []
        assert store.walk(["artifact:n,nobody", V1], UP, HEAD).nodes == [(V1, 0)]
        assert store.walk([V1, V1], DOWN, HEAD).nodes == [(V1, 0), (RUNS[0], 1)]

    def test_an_artifact_starts_at_all_its_versions(self, store: Store) -> None:
        """Those made up to the valid time."""
        record(store, generated(RUNS[0], V1, 1), generated(RUNS[1], V2, 5))
        assert _up(store, DATA) == {DATA, V1, V2, RUNS[0], RUNS[1]}
        assert _up(store, DATA, View(2, as_of=4)) == {DATA, V1, RUNS[0]}

    # --- resolution

    def test_a_use_resolves_to_the_latest_version_made_before_it(self, store: Store) -> None:
        """Inferred; later entries change it from their seq on, and the past stays."""
        record(store, used(DATA, RUNS[1], 10))
        assert _used_by(store, RUNS[1]) == [(DATA, Method.OBSERVED)]
        assert store.walk([RUNS[1]], UP, HEAD).unresolved() == [(RUNS[1], DATA)]
        record(store, generated(RUNS[0], V1, 3), generated(RUNS[2], V2, 7))
        assert _used_by(store, RUNS[1]) == [(V2, Method.INFERRED)]
        assert _used_by(store, RUNS[1], View(2)) == [(V1, Method.INFERRED)]
        assert _used_by(store, RUNS[1], View(1)) == [(DATA, Method.OBSERVED)]
        assert _used_by(store, RUNS[1], View(3, as_of=9)) == []
        record(store, generated(RUNS[2], with_version(DATA, "3.cc"), 10))
        assert _used_by(store, RUNS[1]) == [(V2, Method.INFERRED)]

    def test_versions_made_at_one_time_are_ordered_by_number(self, store: Store) -> None:
        """Ten is after nine."""
        nine, ten = with_version(DATA, "9.aa"), with_version(DATA, "10.aa")
        record(store, generated(RUNS[0], ten, 3), generated(RUNS[0], nine, 3))
        record(store, used(DATA, RUNS[1], 4))
        assert _used_by(store, RUNS[1]) == [(ten, Method.INFERRED)]

    def test_a_use_resolves_to_the_version_said(self, store: Store) -> None:
        """If exactly one matches, with the method of the use, whenever that was made."""
        record(store, generated(RUNS[0], V1, 3), generated(RUNS[0], V2, 5))
        record(store, used(DATA, RUNS[1], 4, said="2"))
        assert _used_by(store, RUNS[1]) == [(V2, Method.OBSERVED)]
        record(store, generated(RUNS[2], with_version(DATA, "2.zz"), 1))
        assert _used_by(store, RUNS[1]) == [(V1, Method.INFERRED)]
        assert _used_by(store, RUNS[1], View(3)) == [(V2, Method.OBSERVED)]

    def test_a_number_that_a_producer_said_of_its_output_is_found(self, store: Store) -> None:
        """Until a version with that number in its token is known."""
        placeholder = with_version(DATA, run_token(RUNS[0]))
        record(store, generated(RUNS[0], placeholder, 3, said="12"))
        record(store, used(DATA, RUNS[1], 9, said="12"))
        assert _used_by(store, RUNS[1]) == [(placeholder, Method.OBSERVED)]
        twelve = with_version(DATA, "12.aa")
        record(store, Claims(mentions=(twelve,)))
        assert _used_by(store, RUNS[1]) == [(twelve, Method.OBSERVED)]
        same = store.edges([placeholder], UP, HEAD, [EdgeType.SAME_AS])
        assert [edge.up for edge in same] == [twelve]

    def test_what_a_run_wrote_is_the_version_it_is_known_to_have_made(self, store: Store) -> None:
        """A placeholder and the version that another hook saw are the same."""
        placeholder = with_version(DATA, run_token(RUNS[0]))
        record(store, generated(RUNS[0], placeholder, 3), used(V1, RUNS[1], 9))
        record(store, generated(RUNS[0], V1, 4), used(placeholder, RUNS[2], 9))
        assert V1 in _up(store, RUNS[2])
        assert placeholder in _up(store, RUNS[1])
        assert V1 not in _up(store, RUNS[2], View(3))

    def test_a_run_does_not_read_what_it_wrote(self, store: Store) -> None:
        """An open use of its own output resolves to what was there before."""
        own = with_version(DATA, run_token(RUNS[1]))
        record(store, generated(RUNS[0], V1, 1), generated(RUNS[1], own, 5))
        record(store, used(DATA, RUNS[1], 7))
        assert _used_by(store, RUNS[1]) == [(V1, Method.INFERRED)]

    def test_evidence_of_a_resolved_use_is_that_of_the_open_use(self, store: Store) -> None:
        """Of the one that resolves to it, not of others of the same artifact."""
        record(store, generated(RUNS[0], V1, 1), generated(RUNS[0], V2, 2))
        record(store, used(DATA, RUNS[1], 5, said="1"), used(DATA, RUNS[1], 6))
        assert store.evidence(EdgeType.USED, V1, RUNS[1], HEAD) == [
            Evidence(3, "test", Method.OBSERVED, 5, said="1")
        ]
        assert [e.seq for e in store.evidence(EdgeType.USED, V2, RUNS[1], HEAD)] == [4]

    # --- aliases

    def test_aliases_connect_retroactively_and_part_again(self, store: Store) -> None:
        """From their valid time on, as known at the position; versions with the artifacts."""
        other = artifact_id("m", "data")
        record(store, generated(RUNS[0], V1, 1), used(with_version(other, "1.aa"), RUNS[1], 2))
        record(store, alias(DATA, other, 5))
        assert RUNS[0] in _up(store, RUNS[1])
        assert RUNS[0] not in _up(store, RUNS[1], View(3, as_of=4))
        assert RUNS[0] not in _up(store, RUNS[1], View(2))
        record(store, alias(DATA, other, 8, value="off"))
        assert RUNS[0] not in _up(store, RUNS[1])
        assert RUNS[0] in _up(store, RUNS[1], View(4, as_of=7))
        assert RUNS[0] in _up(store, RUNS[1], View(3))

    def test_aliases_reach_over_several_names(self, store: Store) -> None:
        """A ~ b and b ~ c: a use of c resolves to a version of a; new versions join at once."""
        b, c = artifact_id("m", "data"), artifact_id("o", "data")
        record(store, alias(DATA, b, 1), alias(b, c, 1), used(c, RUNS[1], 9))
        record(store, generated(RUNS[0], V1, 3))
        assert _used_by(store, RUNS[1]) == [(V1, Method.INFERRED)]
        record(store, used(with_version(c, "1.aa"), RUNS[2], 9))
        assert RUNS[0] in _up(store, RUNS[2])
        assert {node for node, _ in store.walk([V1], DOWN, HEAD).nodes} >= {RUNS[1], RUNS[2]}

    def test_an_inferred_alias_connects_nothing(self, store: Store) -> None:
        """It needs confirmation."""
        other = artifact_id("m", "data")
        record(store, generated(RUNS[0], V1, 1), used(with_version(other, "1.aa"), RUNS[1], 2))
        record(store, alias(DATA, other, 3, method=Method.INFERRED))
        assert RUNS[0] not in _up(store, RUNS[1])
        record(store, alias(DATA, other, 4, method=Method.DECLARED))
        assert RUNS[0] in _up(store, RUNS[1])

    def test_runs_seen_by_two_hooks_are_one(self, store: Store) -> None:
        """SAME_AS between runs joins what each saw."""
        record(store, used(V1, RUNS[0], 1), generated(RUNS[1], MADE, 2))
        record(store, alias(RUNS[0], RUNS[1], 3))
        assert V1 in _up(store, MADE)
        assert V1 not in _up(store, MADE, View(2))

    def test_histories_agree_where_there_is_no_table(self, store: Store) -> None:
        """Without revisions all three are one."""
        record(store, used(V1, RUNS[0], 1), generated(RUNS[0], MADE, 2))
        answers = [store.walk([MADE], UP, HEAD, history=history) for history in History]
        assert answers[0] == answers[1] == answers[2]
