"""What is re-read while others record and redact holds as it would by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from typing_extensions import override

from lineage.errors import StoreBusyError, UnknownNameError
from lineage.model.changes import parse_change
from lineage.model.envelope import Actor
from lineage.record.interpret import interpret
from lineage.record.ledger import verify
from lineage.record.rebuild import compare
from lineage.record.recorder import Recorder
from lineage.store.contract import Head, Store, StoredEntry
from lineage.store.readings import ReadingStore
from lineage.store.sqlite import SqliteStore

ACTOR = Actor("person:test")
BLOB = "ab" * 32
_numbers = count()


def _record(store: Store) -> None:
    """One run more, that names a blob."""
    change = {
        "kind": "run.started", "v": 1, "event_at": next(_numbers),
        "run": {"namespace": "n", "job": "j", "run_id": str(next(_numbers))},
        "command": ["x"],
        "code": {"diff": {"sha256": BLOB, "size": 6}},
    }  # fmt: skip
    Recorder(store, key=b"k").record_changes([parse_change(change)], source="s", actor=ACTOR)


def _redact(store: Store, seq: int) -> None:
    """Leave of an entry no more than of which run it is, and since when. The last one stands."""
    (target,) = store.entries(seq - 1, 1)
    number = f"{next(_numbers):06d}"
    body = {**json.loads(target.body), "command": [number]}
    stub = {key: body[key] for key in ("kind", "v", "event_at", "run", "command")}
    change = parse_change({
        "kind": "entry.redacted", "v": 1, "event_at": next(_numbers), "source": target.source,
        "event_id": target.event_id, "stub": json.dumps(stub), "reason": "test", "by": "ann",
    })  # fmt: skip
    recorder = Recorder(store, key=b"k")
    recorder.record_changes([change], source="ops", actor=ACTOR, event_ids=[number])


class InUse(SqliteStore):
    """A store that others use once, or ``always``, when its head or its digest was read."""

    others: Callable[[], None] | None = None
    always = False

    @override
    def head(self) -> Head:
        head = super().head()
        self._use()
        return head

    @override
    def digest(self, *, recorded: bool = True) -> str:
        digest = super().digest(recorded=recorded)
        self._use()
        return digest

    @override
    def digest_at_head(self, *, recorded: bool = True) -> tuple[Head, str]:
        found = super().digest_at_head(recorded=recorded)
        self._use()
        return found

    def _use(self) -> None:
        others, self.others = self.others, None
        if others is not None:
            others()
            self.others = others if self.always else None


class WithoutSnapshots(InUse):
    digest_at_head = ReadingStore.digest_at_head


@pytest.fixture(params=[InUse, WithoutSnapshots])
def live(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[InUse]:
    store: InUse = request.param(tmp_path / "live.db", interpret)
    for _ in range(6):
        _record(store)
    yield store
    store.close()


@pytest.fixture
def built(live: InUse, tmp_path: Path) -> Iterator[SqliteStore]:
    store = type(live)(tmp_path / "built.db", interpret)
    yield store
    store.close()


def test_a_redaction_behind_the_head_explains_a_stub_before_it(live: InUse) -> None:
    live.others = lambda: _redact(live, 5)
    result = verify(live)
    assert (result.entries, result.redacted, result.faults) == (7, 1, [])


def test_an_entry_that_is_redacted_again_after_it_was_read_holds(live: InUse) -> None:
    _redact(live, 5)
    live.others = lambda: _redact(live, 4)
    result = verify(live, progress=lambda at: _redact(live, 5) if at == 5 else None)
    assert (result.entries, result.redacted, result.faults) == (9, 2, [])


def test_a_stub_that_nobody_committed_to_does_not_hold_in_a_store_in_use(live: InUse) -> None:
    _redact(live, 5)
    with live._writable() as connection:
        connection.execute("UPDATE entry SET body = x'7b7d', packed = 0 WHERE seq = 5")
    live.others = lambda: _record(live)
    assert verify(live).first_bad == 5


def test_a_blob_may_go_with_all_that_name_it(live: InUse) -> None:
    class Blobs:
        def get(self, sha256: str) -> bytes:
            for seq in range(1, 7):
                _redact(live, seq)
            raise UnknownNameError(f"no blob {sha256}")

    assert verify(live, Blobs()).faults == []


def test_graphs_are_compared_at_one_position(live: InUse, built: SqliteStore) -> None:
    live.others = lambda: _record(live)
    compared = compare(live, built)
    assert compared.equal
    assert compared.position == built.head().seq
    assert compared.live == compared.rebuilt


def test_what_is_redacted_before_it_is_copied_is_compared_again(
    live: InUse, built: SqliteStore
) -> None:
    def late() -> Iterator[StoredEntry]:
        # Recorded when all was copied, and redacted after the digest.
        yield from SqliteStore.entries(live)
        _record(live)
        live.others = lambda: _redact(live, 7)

    copying = [late()]
    live.entries = (  # type: ignore[method-assign]
        lambda after=0, limit=None: (
            copying.pop() if copying else SqliteStore.entries(live, after, limit)
        )
    )
    compared = compare(live, built)
    assert compared.equal
    assert compared.position == 8


def test_an_altered_graph_differs_in_a_store_in_use(live: InUse, built: SqliteStore) -> None:
    with live._writable() as connection:
        connection.execute("DELETE FROM node WHERE id = (SELECT max(id) FROM node)")
    live.others = lambda: _record(live)
    assert not compare(live, built).equal


def test_without_snapshots_a_store_that_never_rests_is_busy(
    live: InUse, built: SqliteStore
) -> None:
    live.others, live.always = lambda: _record(live), True
    if isinstance(live, WithoutSnapshots):
        with pytest.raises(StoreBusyError):
            compare(live, built)
    else:
        assert compare(live, built).equal
