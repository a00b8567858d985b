"""Rules of tables: what a version contains, with known and with unknown files."""

from __future__ import annotations

from lineage.model.ids import artifact_id, run_id, with_version
from lineage.store.contract import Direction, History, Store, View
from lineage.testing.builders import carries, commit, generated, record, table_version, used

__all__ = ["TableRules"]

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM
HEAD = View(1 << 60)
TABLE = artifact_id("s3://lake", "features/tx")
MODEL = with_version(artifact_id("n", "model"), "sha256.ff")


def _run(n: int) -> str:
    return run_id("jobs", "etl", str(n))


def _commits(store: Store, *changes: tuple[list[str], list[str]], first: int = 0) -> None:
    """Commit ``n`` at time 10 n by run ``n``, each with the files it adds and removes."""
    for n, (added, removed) in enumerate(changes, start=first):
        record(store, commit(TABLE, n, 10 * n, added=added, removed=removed, run=_run(n)))


def _runs(store: Store, version: int, history: History = History.CONTRIBUTING) -> set[int]:
    walk = store.walk([table_version(TABLE, version)], UP, HEAD, history=history)
    return {n for n in range(20) for node, _ in walk.nodes if node == _run(n)}


class TableRules:
    """A table version contains what was appended before it, as far as its files live."""

    def test_a_version_comes_from_what_was_appended_before_it(self, store: Store) -> None:
        """The job that appended 1 made what version 3 holds; version 2 has nothing of 3."""
        _commits(store, (["a"], []), (["b"], []), (["c"], []), (["d"], []))
        assert _runs(store, 3) == {0, 1, 2, 3}
        assert _runs(store, 2) == {0, 1, 2}

    def test_an_overwrite_ends_what_it_removed(self, store: Store) -> None:
        """Only commits whose files are live contribute; the past keeps its own."""
        _commits(store, (["a"], []), (["b"], []), (["c"], ["a", "b"]), (["d"], []))
        assert _runs(store, 1) == {0, 1}
        assert _runs(store, 3) == {0, 1, 2, 3}  # 2 rewrote 0 and 1: it may have read them
        _commits(store, (["e"], ["c", "d"]), first=4)
        assert _runs(store, 3, History.NONE) == {3}
        assert _runs(store, 4, History.ALL) == {0, 1, 2, 3, 4}

    def test_an_unconditional_overwrite_rewrites_nothing(self, store: Store) -> None:
        """What it removed is gone, not in it."""
        record(store, commit(TABLE, 0, 0, added=["a"], run=_run(0)))
        told = commit(TABLE, 1, 9, added=["b"], removed=["a"], run=_run(1), carrying=False)
        record(store, told)
        assert _runs(store, 1) == {1}

    def test_a_pure_delete_cuts_what_it_deleted(self, store: Store) -> None:
        """What was removed and not rewritten is no longer there."""
        _commits(store, (["a"], []), (["b"], []), ([], ["a"]), (["c"], []))
        assert _runs(store, 3) == {1, 3}
        assert _runs(store, 3, History.ALL) == {0, 1, 2, 3}

    def test_an_optimised_table_still_comes_from_its_writers(self, store: Store) -> None:
        """A commit that rewrites files leads to those who had written them."""
        _commits(store, (["a"], []), (["b"], []), (["ab"], ["a", "b"]))
        assert _runs(store, 2) == {0, 1, 2}

    def test_a_restored_file_comes_from_its_writer_and_the_restorer(self, store: Store) -> None:
        """Both had a part in its being there."""
        _commits(store, (["a"], []), (["b"], []), ([], ["a"]), (["a"], []))
        assert _runs(store, 3) == {0, 1, 3}

    def test_without_all_files_the_whole_chain_is_walked(self, store: Store) -> None:
        """A commit of unknown files, or one that is missing, cannot be pruned over."""
        record(store, commit(TABLE, 0, 0, added=["a"], run=_run(0)))
        record(store, commit(TABLE, 1, 10, run=_run(1), files_known=False))
        record(store, commit(TABLE, 2, 20, removed=["a"], run=_run(2)))
        record(store, commit(TABLE, 3, 30, added=["c"], run=_run(3)))
        assert _runs(store, 3) == {0, 1, 2, 3}
        record(store, commit(TABLE, 1, 10, added=["x"], run=_run(1)))
        assert _runs(store, 3) == {1, 3}
        before = store.walk([table_version(TABLE, 3)], UP, View(4))
        assert _run(0) in dict(before.nodes)

    def test_commits_may_come_in_any_order(self, store: Store) -> None:
        """What is known of the log decides, not when it was told."""
        _commits(store, (["c"], []), first=2)
        assert _runs(store, 2) == {2}
        _commits(store, ([], ["a"]), first=1)
        assert _runs(store, 2) == {1, 2}
        _commits(store, (["a"], []), first=0)
        assert _runs(store, 2) == {2}

    def test_an_unconditional_overwrite_carries_nothing(self, store: Store) -> None:
        """REVISION_OF is not walked."""
        record(store, commit(TABLE, 0, 0, run=_run(0), files_known=False))
        record(store, commit(TABLE, 1, 9, run=_run(1), carrying=False, files_known=False))
        assert _runs(store, 1, History.ALL) == {1}

    def test_a_job_that_reads_and_writes_one_table_is_not_walked_twice(self, store: Store) -> None:
        """Its read of its own table is what it rewrote, where the removed files are known."""
        _commits(store, (["a"], []), (["b"], []), (["c"], []))
        record(store, used(table_version(TABLE, 1), _run(2), 20))
        record(store, used(table_version(TABLE, 2), _run(9), 90), generated(_run(9), MODEL, 91))
        up = dict(store.walk([MODEL], UP, HEAD).nodes)
        assert {_run(0), _run(1), _run(2)} <= up.keys()
        record(store, commit(TABLE, 3, 30, added=["d"], removed=["c"], run=_run(3)))
        record(store, used(table_version(TABLE, 2), _run(3), 30))
        walk = store.walk([_run(3)], UP, HEAD)
        assert _run(2) in dict(walk.nodes)

    def test_downstream_of_a_commit_is_who_read_its_files(self, store: Store) -> None:
        """Not those who read after the files were gone."""
        _commits(store, (["a"], []), (["b"], []), ([], ["a"]))
        for version, reader in ((0, 10), (1, 11), (2, 12)):
            record(store, used(table_version(TABLE, version), _run(reader), 50))
        down = dict(store.walk([_run(0)], DOWN, HEAD).nodes)
        assert {_run(10), _run(11)} <= down.keys()
        assert _run(12) not in down
        every = dict(store.walk([_run(0)], DOWN, HEAD, history=History.ALL).nodes)
        assert _run(12) in every

    def test_contents_are_as_of_the_valid_time_and_the_position(self, store: Store) -> None:
        """A commit from later, or not yet known, is not there."""
        _commits(store, (["a"], []), (["b"], ["a"]))
        version = [table_version(TABLE, 1)]
        assert _run(1) in dict(store.walk(version, UP, View(2, as_of=10)).nodes)
        assert dict(store.walk(version, UP, View(2, as_of=9)).nodes) == {version[0]: 0}
        assert dict(store.walk([table_version(TABLE, 0)], UP, View(1)).nodes).keys() == {
            table_version(TABLE, 0),
            _run(0),
        }

    def test_carrying_revisions_without_a_log_are_walked(self, store: Store) -> None:
        """A producer may say that a version carries another without any commit."""
        v1, v2 = with_version(TABLE, "1.aa"), with_version(TABLE, "2.bb")
        record(store, generated(_run(1), v1, 1), carries(v1, v2, 2))
        for history, wanted in ((History.ALL, True), (History.NONE, False)):
            found = dict(store.walk([v2], UP, HEAD, history=history).nodes)
            assert (_run(1) in found) is wanted
        assert _run(1) in dict(store.walk([v2], UP, HEAD).nodes)
