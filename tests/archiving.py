"""Stores to archive: ledgers of every sort of entry, sealed, with blobs; and what archives hold."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from lineage.model.changes import Change, parse_change
from lineage.model.checkpoint import Checkpoint
from lineage.model.envelope import Actor
from lineage.model.notes import SigningKey, sign_note
from lineage.record.archive.loose import read_loose
from lineage.record.archive.rows import BLOBS, ENTRIES
from lineage.record.interpret import interpret
from lineage.record.recorder import Incoming, Recorder
from lineage.store.blobs import BlobStore
from lineage.store.contract import Store, StoredCheckpoint, StoredEntry
from lineage.store.sqlite import SqliteStore

ACTOR = Actor("person:test", "test")
T0 = 1_790_000_000_000_000
RUN = {"namespace": "n", "job": "j"}


def new_store(place: Path, name: str = "store") -> SqliteStore:
    """An empty store in a file, where it is 2026: archives have a table for each year."""
    place.mkdir(parents=True, exist_ok=True)
    times = count(T0)
    return SqliteStore(place / f"{name}.db", interpret, clock=lambda: next(times))


def fill(store: Store, blobs: BlobStore, count: int, *, note: str = "secret") -> None:
    """Append ``count`` entries: runs with a diff, tables, OpenLineage events, owners, gaps."""
    recorder = Recorder(store, key=b"k" * 32)
    first = store.head().seq
    for n in range(first, first + count):
        if n % 4 == 3:
            recorder.record([_openlineage(n, note)], ACTOR)
        else:
            recorder.record_changes([_change(n, blobs, note)], source=f"s{n % 2}", actor=ACTOR)


def _change(n: int, blobs: BlobStore, note: str) -> Change:
    run = {**RUN, "run_id": str(n)}
    if n % 4 == 0:
        diff = f"a diff of {n % 12}".encode()
        return parse_change({
            "kind": "run.started", "v": 1, "event_at": T0 + n, "run": run,
            "command": ["train", f"{note}-{n}"],
            "code": {"diff": {"sha256": blobs.put(diff), "size": len(diff)}},
        })  # fmt: skip
    if n % 4 == 1:
        return parse_change({
            "kind": "table.committed", "v": 1, "event_at": T0 + n, "namespace": "file",
            "name": "/lake/t", "table_id": "tt", "version": n // 4, "carries": True, "run": run,
            "added": [{"path": f"{n}.parquet", "size": 1}],
        })  # fmt: skip
    return parse_change({
        "kind": "owner.claimed", "v": 1, "event_at": T0 + n, "target": f"artifact:file,/m{n % 3}",
        "team": "team:risk",
    })  # fmt: skip


def _openlineage(n: int, note: str) -> Incoming:
    event = {
        "eventTime": "2026-11-21T08:00:00Z", "eventType": "COMPLETE",
        "run": {"runId": f"r{n}"}, "job": {"namespace": "etl", "name": note},
        "inputs": [{"namespace": "s3://lake", "name": "raw"}],
        "outputs": [{"namespace": "s3://lake", "name": f"out-{n}"}],
        "producer": "https://example.test", "schemaURL": "https://example.test/#/$defs/RunEvent",
    }  # fmt: skip
    return Incoming(
        "openlineage.run", 1, "ol", json.dumps(event, indent=1).encode(), T0 + n, f"ol-{n}"
    )


def seal(store: Store, key: SigningKey) -> StoredCheckpoint:
    """Sign the head."""
    return store.seal(
        lambda head: sign_note(
            Checkpoint("example.test/log", head.seq, head.frontier.root()).text(), [key]
        )
    )


def redact(store: Store, seq: int, *, event_id: str | None = None) -> StoredEntry:
    """Redact a run's start; the stub as the store has it now."""
    entry = next(store.entries(seq - 1, 1))
    body = json.loads(entry.body)
    stub = {**body, "command": ["erased"]}
    stub.pop("code", None)
    change = parse_change({
        "kind": "entry.redacted", "v": 1, "event_at": T0, "source": entry.source,
        "event_id": entry.event_id, "stub": json.dumps(stub), "reason": "test", "by": "ann",
    })  # fmt: skip
    recorder = Recorder(store, key=b"k" * 32)
    recorder.record_changes(
        [change], source="ops", actor=ACTOR, event_ids=[event_id] if event_id else None
    )
    return next(store.entries(seq - 1, 1))


def rows_on_disk(archive: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every row of every Parquet file below, whether its table still reads it or not."""
    for file in sorted(archive.rglob("*")):
        if not file.is_file() or "_delta_log" in file.parts or file.parts[-2] == "heads":
            continue
        columns = BLOBS if file.parent.name == "blobs" else ENTRIES
        with tempfile.TemporaryDirectory() as scratch:
            Path(scratch, "rows.parquet").symlink_to(file)
            rows = read_loose(Path(scratch), columns)
        assert rows is not None, f"{file} is no whole file"
        for row in rows:
            yield f"{file.parent.name}/{file.name}", row


def on_disk(archive: Path, needle: bytes) -> list[str]:
    """Files that hold some bytes, in a row or as they are."""
    found = [
        name
        for name, row in rows_on_disk(archive)
        if any(isinstance(value, bytes) and needle in value for value in row.values())
    ]
    found += [
        str(path) for path in archive.rglob("*") if path.is_file() and needle in path.read_bytes()
    ]
    return found
