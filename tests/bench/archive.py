"""Archiving and restoring: rates, memory and size, each as the command that a person runs.

``BENCH_ENTRIES`` is how many entries the store holds (default 20,000; the figure to tell is at
1,000,000). Bodies are the OpenLineage events of the other benchmarks, about 2 KB each.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lineage.model.envelope import Actor
from lineage.record.interpret import interpret
from lineage.record.recorder import Incoming, Recorder
from lineage.store.sqlite import SqliteStore
from tests.bench.events import START, ingest_events
from tests.bench.table import show

ENTRIES = int(os.environ.get("BENCH_ENTRIES", "20000"))
ROOT = Path(__file__).parents[2]


def _fill(path: Path) -> float:
    """Entries per second, interpreted and appended 1,000 a commit: what a restore has to do too."""
    path.parent.mkdir(parents=True, mode=0o700)
    store = SqliteStore(path, interpret)
    recorder = Recorder(store, key=b"k" * 32)
    began = time.perf_counter()
    for start in range(0, ENTRIES, 1000):
        bodies = ingest_events(min(1000, ENTRIES - start), start)
        recorder.record(
            [
                Incoming("openlineage.run", 1, "ol:bench", body, START + start + n)
                for n, body in enumerate(bodies)
            ],
            Actor("person:bench"),
        )
    took = time.perf_counter() - began
    store.close()
    return ENTRIES / took


def _run(home: Path, *words: str) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and most memory (MiB) of a command."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "lineage", *words],
        env={**os.environ, "LINEAGE_HOME": str(home), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"lineage {' '.join(words)} failed")
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Fill, archive, archive nothing new, compact, verify, restore."""
    rows: list[tuple[object, ...]] = []
    size = 0.0
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=".") as scratch:
        home, place = Path(scratch, "home").absolute(), Path(scratch, "archive").absolute()
        rate = _fill(home / "store.db")
        rows.append(("recorded, 1,000 a commit (to compare)", f"{rate:,.0f}", "", "", ""))
        for name, words in (
            ("archive", ["archive", str(place), "--unsealed"]),
            ("archive, nothing new", ["archive", str(place), "--unsealed"]),
            ("archive --compact", ["archive", str(place), "--unsealed", "--compact"]),
            ("archive --verify", ["archive", str(place), "--verify"]),
            ("restore", ["restore", "--from", str(place)]),
        ):
            before = _size(place)
            where = Path(scratch, "again").absolute() if name == "restore" else home
            wall, cpu, memory = _run(where, *words)
            rows.append(
                (name, f"{ENTRIES / wall:,.0f}", f"{wall:.1f}", f"{cpu:.1f}", f"{memory:,.0f}")
            )
            if name == "archive":
                size = (_size(place) - before) / ENTRIES
        stored = _size(home) / ENTRIES
        body = len(ingest_events(1, 0)[0])
    title = (
        f"Archive and restore of {ENTRIES:,} entries: bodies of {body:,} bytes, {stored:,.0f} an "
        f"entry in the store, {size:,.0f} in the archive"
    )
    show(title, ("command", "entries/s", "s", "CPU s", "most memory, MiB"), rows)


if __name__ == "__main__":
    main()
