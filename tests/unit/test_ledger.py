"""Verification names the first position that does not hold; backups and rebuilds are equal."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import apsw
import pytest

from lineage.errors import ConfigError, TamperedError
from lineage.model.changes import parse_change
from lineage.model.envelope import Actor
from lineage.record.backup import backup
from lineage.record.interpret import interpret
from lineage.record.ledger import verify
from lineage.record.rebuild import rebuild
from lineage.record.recorder import Recorder
from lineage.store.blobs import DirectoryBlobs
from lineage.store.sqlite import SqliteStore

ACTOR = Actor("person:test")
RUN = {"namespace": "n", "job": "j", "run_id": "1"}


def _filled(path: Path, blobs: DirectoryBlobs, entries: int = 12) -> SqliteStore:
    store = SqliteStore(path, interpret)
    recorder = Recorder(store, key=b"k")
    digest = blobs.put(b"a diff")
    for n in range(entries):
        change: dict[str, Any] = {
            "kind": "run.started", "v": 1, "event_at": n, "run": {**RUN, "run_id": str(n)},
            "command": ["x" * 700],
            "code": {"diff": {"sha256": digest, "size": 6}},
        }  # fmt: skip
        recorder.record_changes([parse_change(change)], source="s", actor=ACTOR)
    return store


@pytest.fixture
def blobs(tmp_path: Path) -> DirectoryBlobs:
    return DirectoryBlobs(tmp_path / "blobs")


def test_a_sound_ledger_verifies(tmp_path: Path, blobs: DirectoryBlobs) -> None:
    store = _filled(tmp_path / "s.db", blobs)
    result = verify(store, blobs)
    assert (result.entries, result.blobs, result.faults) == (12, 1, [])
    assert result.root == store.head().frontier.root().hex()


TAMPERINGS = {
    "body": ("UPDATE entry SET body = x'7b7d', packed = 0 WHERE seq = 7", 7),
    "salt": ("UPDATE entry SET salt = zeroblob(16) WHERE seq = 7", 7),
    "salt gone": ("UPDATE entry SET salt = NULL WHERE seq = 7", 7),
    "commitment": ("UPDATE entry SET commitment = zeroblob(32) WHERE seq = 7", 7),
    "leaf": ("UPDATE entry SET leaf = zeroblob(32) WHERE seq = 7", 7),
    "packed body": ("UPDATE entry SET body = zeroblob(length(body)) WHERE seq = 7", 7),
    "body as text": ("UPDATE entry SET body = 'x' WHERE seq = 7", 7),
    "salt as text": ("UPDATE entry SET salt = 'x' WHERE seq = 7", 7),
    "time as text": ("UPDATE entry SET recorded_at = 'x' WHERE seq = 7", 7),
    "a word": ("UPDATE word SET text = x'ff00' WHERE id = 1", 1),
    "two unreadable": ("UPDATE entry SET body = 'x', leaf = zeroblob(32) WHERE seq IN (5, 7)", 5),
    "one before": (
        "UPDATE entry SET body = iif(seq = 7, 'x', body), leaf = iif(seq = 3, x'00', leaf)",
        3,
    ),
    "time": ("UPDATE entry SET recorded_at = recorded_at + 1 WHERE seq = 7", 7),
    "kind": ("UPDATE entry SET v = 2 WHERE seq = 7", 7),
    "event id": ("UPDATE entry SET event_id = 'other' WHERE seq = 7", 7),
    "entry gone": ("DELETE FROM entry WHERE seq = 7", 7),
    "tail gone": ("DELETE FROM entry WHERE seq > 10", 11),
    "head": ("UPDATE head SET frontier = zeroblob(40)", 0),
    "head back": ("UPDATE head SET seq = 10", 0),
    "two": ("UPDATE entry SET salt = zeroblob(16) WHERE seq IN (9, 4)", 4),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_what_was_altered_is_named(name: str, tmp_path: Path, blobs: DirectoryBlobs) -> None:
    path = tmp_path / "s.db"
    _filled(path, blobs).close()
    statement, position = TAMPERINGS[name]
    connection = apsw.Connection(str(path))
    connection.execute(statement)
    connection.close()
    result = verify(SqliteStore(path, interpret, read_only=True), blobs)
    assert result.first_bad == position, result.faults


def test_missing_and_altered_blobs_are_named(tmp_path: Path, blobs: DirectoryBlobs) -> None:
    store = _filled(tmp_path / "s.db", blobs)
    (file,) = [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    file.chmod(0o600)
    file.write_bytes(b"other")
    assert verify(store, blobs).first_bad == 1
    file.unlink()
    assert verify(store, blobs).first_bad == 1


def test_a_redacted_body_needs_its_redaction(tmp_path: Path, blobs: DirectoryBlobs) -> None:
    store = _filled(tmp_path / "s.db", blobs)
    target = next(store.entries(4, 1))
    stub = {"kind": "run.started", "v": 1, "event_at": 4, "run": {**RUN, "run_id": "4"},
            "command": ["erased"]}  # fmt: skip
    change = parse_change({
        "kind": "entry.redacted", "v": 1, "event_at": 99, "source": "s",
        "event_id": target.event_id, "stub": json.dumps(stub), "reason": "test", "by": "ann",
    })  # fmt: skip
    root_before = store.head().frontier.root()
    Recorder(store, key=b"k").record_changes([change], source="ops", actor=ACTOR)
    result = verify(store, blobs)
    assert (result.redacted, result.faults) == (1, [])
    assert store.head().frontier.root() != root_before
    again = next(store.entries(4, 1))
    assert (again.salt, again.leaf) == (None, target.leaf)
    assert json.loads(again.body) == stub
    store.close()
    connection = apsw.Connection(str(tmp_path / "s.db"))
    connection.execute("UPDATE entry SET body = x'7b7d', packed = 0 WHERE seq = 5")
    connection.close()
    tampered = verify(SqliteStore(tmp_path / "s.db", interpret, read_only=True), blobs)
    assert tampered.first_bad == 5


def test_rebuilt_equals_live_and_resumes(tmp_path: Path, blobs: DirectoryBlobs) -> None:
    live = _filled(tmp_path / "s.db", blobs)
    again = SqliteStore(tmp_path / "again.db", interpret)
    assert rebuild(live, again) == 12
    assert again.digest() == live.digest()
    extra = {"kind": "run.abandoned", "v": 1, "event_at": 99, "run": RUN}
    Recorder(live, key=b"k").record_changes([parse_change(extra)], source="s", actor=ACTOR)
    assert again.digest() != live.digest()
    assert rebuild(live, again) == 13
    assert again.digest() == live.digest()


def test_a_backup_holds_everything_and_overwrites_nothing(
    tmp_path: Path, blobs: DirectoryBlobs
) -> None:
    store = _filled(tmp_path / "s.db", blobs)
    key = tmp_path / "s.key"
    key.write_text("00" * 32)
    target = tmp_path / "copy.tar"
    made = backup(store, key, blobs, target)
    assert made.blobs == 1
    assert target.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError):
        backup(store, key, blobs, target)
    with tarfile.open(target) as tar:
        tar.extractall(tmp_path / "restored", filter="data")
    restored = SqliteStore(tmp_path / "restored" / "store.db", interpret)
    assert restored.digest() == store.digest()
    assert not verify(restored, DirectoryBlobs(tmp_path / "restored" / "store.blobs")).faults
    assert (tmp_path / "restored" / "store.key").read_text() == "00" * 32
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".copy")]


def test_a_root_kept_elsewhere_tells_a_cut_or_rewritten_ledger(
    tmp_path: Path, blobs: DirectoryBlobs
) -> None:
    store = _filled(tmp_path / "s.db", blobs)
    kept = {7: bytes.fromhex(verify(_filled(tmp_path / "7.db", blobs, 7)).root)}
    assert verify(store, expect={12: store.head().frontier.root()}).faults == []
    assert verify(store, expect=kept).first_bad == 7, "another ledger: other salts and times"
    assert verify(store, expect={13: b"x" * 32}).first_bad == 13


def test_a_body_that_was_altered_stops_a_rebuild_with_its_position(
    tmp_path: Path, blobs: DirectoryBlobs
) -> None:
    _filled(tmp_path / "s.db", blobs).close()
    connection = apsw.Connection(str(tmp_path / "s.db"))
    connection.execute("UPDATE entry SET body = x'7b7d', packed = 0 WHERE seq = 5")
    connection.close()
    store = SqliteStore(tmp_path / "s.db", interpret, read_only=True)
    with pytest.raises(TamperedError) as found:
        rebuild(store, SqliteStore(tmp_path / "again.db", interpret))
    assert found.value.where["position"] == 5
