"""Rules of nodes: known ones, listings, versions, search."""

from __future__ import annotations

import pytest

from lineage.model.claims import Claims, Method
from lineage.model.ids import artifact_id, artifact_of, run_id, team_id, with_version
from lineage.store.contract import Hit, Store, View
from lineage.testing.builders import attribute, commit, generated, record, table_version, used

__all__ = ["NodeRules"]

ORDERS = artifact_id("s3://lake", "sales/orders")
MODEL = artifact_id("file", "/models/fraud_v2.joblib")
RUN = run_id("jobs", "train", "Run-1")
HEAD = View(1 << 60)


class NodeRules:
    """What is known, and how it is found."""

    def test_unknown_ids_give_nothing(self, store: Store) -> None:
        """Reads of what nobody mentioned are empty and do not raise."""
        record(store, attribute(ORDERS, "doc", "x", 1))
        for strange in ("artifact:n,nobody", "no id", "", "é", "a\x00b", "artifact:n,x@1"):
            assert store.known([strange], HEAD) == set()
            assert store.nodes([strange], HEAD) == []
            assert store.versions(strange, HEAD) == []

    def test_a_node_is_known_from_the_first_entry_that_mentions_it(self, store: Store) -> None:
        """With the artifact of a version, and both ends of an edge."""
        version = with_version(ORDERS, "1.aa")
        record(store, Claims(mentions=(team_id("risk"),)), used(version, RUN, 5))
        ids = [team_id("risk"), version, ORDERS, RUN]
        assert store.known(ids, View(1)) == {team_id("risk")}
        assert store.known(ids, View(2)) == set(ids)
        assert [node.first_seq for node in store.nodes(ids, HEAD)] == [1, 2, 2, 2]
        assert store.known(ids, View(0)) == set()

    def test_nodes_come_in_the_order_asked_for(self, store: Store) -> None:
        """Unknown ones left out, repeated ones repeated."""
        record(store, used(ORDERS, RUN, 5))
        asked = [RUN, "artifact:n,nobody", ORDERS, RUN]
        assert [node.id for node in store.nodes(asked, HEAD)] == [RUN, ORDERS, RUN]

    def test_the_strongest_claim_of_an_attribute_shows(self, store: Store) -> None:
        """Least method, then later since, then smaller source; each source has its own claim."""
        record(store, attribute(ORDERS, "doc", "declared", 9, method=Method.DECLARED), source="a")
        record(store, attribute(ORDERS, "doc", "early", 1), source="b")
        record(store, attribute(ORDERS, "doc", "late", 5), source="c")
        record(store, attribute(ORDERS, "doc", "late too", 5), source="d")
        shown = store.nodes([ORDERS], HEAD)[0].attributes["doc"]
        assert (shown.value, shown.source, shown.since) == ('"late"', "c", 5)
        assert shown.method is Method.OBSERVED
        then = store.nodes([ORDERS], View(1 << 60, as_of=4))[0].attributes["doc"]
        assert then.value == '"early"'
        assert store.nodes([ORDERS], View(1 << 60, as_of=0))[0].attributes == {}

    def test_a_source_overwrites_itself_by_event_time(self, store: Store) -> None:
        """Not by the order of arrival."""
        record(store, attribute(ORDERS, "doc", "new", 7), attribute(ORDERS, "doc", "old", 3))
        at = {as_of: store.nodes([ORDERS], View(2, as_of))[0].attributes for as_of in (3, 7)}
        assert at[3]["doc"].value == '"old"'
        assert at[7]["doc"].value == '"new"'

    def test_pages_follow_each_other_without_gap_or_repetition(self, store: Store) -> None:
        """In ASCII order; versions only where asked."""
        ids = [artifact_id("n", f"a{n:02}") for n in range(12)] + [artifact_id("n", "a!x")]
        versions = [with_version(ids[n], "1.aa") for n in range(0, 12, 2)]
        record(store, Claims(mentions=tuple(ids + versions)), Claims(mentions=(RUN,)))
        for asked, wanted in ((False, [*ids, RUN]), (True, [*ids, *versions, RUN])):
            found: list[str] = []
            while page := store.page(
                HEAD, versions=asked, after=found[-1] if found else "", limit=4
            ):
                assert len(page) <= 4
                found += page
            assert found == sorted(wanted)

    def test_pages_by_class_and_kind(self, store: Store) -> None:
        """The kind is what shows at the view; versions follow their artifact."""
        version = with_version(MODEL, "sha256.ff")
        record(store, attribute(MODEL, "kind", "file", 1), source="a")
        record(store, attribute(MODEL, "kind", "model", 5), source="a")
        record(store, attribute(ORDERS, "kind", "table", 1), used(version, RUN, 1))
        assert store.page(HEAD, classes=["run"]) == [RUN]
        assert store.page(HEAD, classes=["artifact", "run"]) == [MODEL, ORDERS, RUN]
        assert store.page(HEAD, kinds=["model"]) == [MODEL]
        assert store.page(HEAD, kinds=["model"], versions=True) == [MODEL, version]
        assert store.page(View(1 << 60, as_of=3), kinds=["model"]) == []
        assert store.page(View(1 << 60, as_of=3), kinds=["file", "table"]) == [MODEL, ORDERS]
        assert store.page(HEAD, kinds=["table"], after=MODEL) == [ORDERS]
        assert store.page(HEAD, kinds=["table"], classes=["run"]) == []

    def test_versions_come_in_the_order_they_were_made(self, store: Store) -> None:
        """Unknown origin first, then by time, number and id; later ones are not there yet."""
        made = [with_version(ORDERS, token) for token in ("9.aa", "10.aa", "1.bb")]
        unknown = with_version(ORDERS, "7.zz")
        record(
            store,
            generated(RUN, made[2], 30),
            generated(RUN, made[0], 20),
            generated(RUN, made[1], 20),
            generated(RUN, made[1], 25),
            used(unknown, RUN, 5),
        )
        wanted = [(unknown, None), (made[0], 20), (made[1], 20), (made[2], 30)]
        assert store.versions(ORDERS, HEAD) == wanted
        assert store.versions(ORDERS, View(5, as_of=25)) == wanted[:3]
        assert store.versions(ORDERS, View(4)) == wanted[1:]
        assert store.versions(ORDERS, View(3)) == [*wanted[1:3], wanted[3]]
        both = [ORDERS, RUN, artifact_id("n", "unknown")]
        assert store.versions_of(both, HEAD) == {ORDERS: wanted}

    def test_a_commit_makes_its_version(self, store: Store) -> None:
        """At its own time, without a run."""
        record(store, commit(ORDERS, 0, 10, added=["f"]))
        version = table_version(ORDERS, 0)
        assert store.versions(ORDERS, HEAD) == [(version, 10)]
        assert artifact_of(version) == ORDERS

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("sales/orders", [Hit(ORDERS, 0)]),
            ("ORDERS", [Hit(ORDERS, 0)]),
            ("ord", [Hit(ORDERS, 1)]),
            ("fraud_v2", [Hit(MODEL, 0)]),
            ("v2", [Hit(MODEL, 2)]),
            ("run-1", [Hit(RUN, 0)]),
            ("%", []),
            ("_", []),
            ("", []),
            ("nobody", []),
            ("\ud800", []),
        ],
    )
    def test_search_is_case_folded(self, store: Store, text: str, wanted: list[Hit]) -> None:
        """Exact name, then a name's beginning, then a token's; wildcards are letters."""
        record(store, used(ORDERS, RUN, 5), used(with_version(MODEL, "1.aa"), RUN, 5))
        assert store.search(text, HEAD) == wanted

    def test_search_is_ranked_and_paged(self, store: Store) -> None:
        """Ranks in order, each by id; a page goes on after a hit; not yet known is not found."""
        names = ["x/fraud", "fraud", "fraudulent", "a_fraud", "b fraud", "straße"]
        ids = [artifact_id("n", name) for name in names]
        record(store, *[Claims(mentions=(one,)) for one in ids])
        every = store.search("fraud", HEAD)
        wanted = [(0, "fraud"), (0, "x/fraud"), (1, "fraudulent"), (2, "a_fraud"), (2, "b fraud")]
        assert [(hit.rank, hit.id) for hit in every] == [
            (rank, artifact_id("n", name)) for rank, name in wanted
        ]
        for n in range(5):
            assert store.search("fraud", HEAD, after=every[n], limit=2) == every[n + 1 : n + 3]
        assert store.search("STRASSE", HEAD)[0].id == ids[5]
        assert store.search("straße", View(5)) == []
        assert store.search("fraud", HEAD, classes=["run"]) == []
