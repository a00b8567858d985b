"""Ingest with sealing on and off, interleaved; proofs of a large ledger from a cold process.

``BENCH_ENTRIES`` is how many entries the large ledger has (default 100,000).
"""

from __future__ import annotations

import os
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from lineage.model.claims import Claims
from lineage.model.envelope import Actor
from lineage.model.proofs import to_line
from lineage.record.dead_letters import DeadLetters
from lineage.record.intake import Intake
from lineage.record.interpret import interpret
from lineage.record.recorder import Recorder
from lineage.record.seal.changing import make_key
from lineage.record.seal.folder import FolderPlace
from lineage.record.seal.guard import SealGuard
from lineage.record.seal.keyfile import KeyFile
from lineage.record.seal.proofs import prove_consistency, prove_entry
from lineage.record.seal.schedule import Schedule, Sealing
from lineage.record.seal.sealer import Sealer
from lineage.store.contract import NewEntry
from lineage.store.sqlite import SqliteStore
from tests.bench.events import ingest_events
from tests.bench.table import p50_p99, show

ACTOR = Actor("person:bench")
EVERY_SECONDS, EVERY_ENTRIES = 5, 10_000
"""By time more often than the default (60 s): to see anything."""


def now() -> int:
    return time.time_ns() // 1000


def sealer_of(store: SqliteStore, place: Path) -> Sealer:
    published = place / "published"
    published.mkdir(exist_ok=True)
    key_file, places = KeyFile(place / "key"), [FolderPlace(published)]
    guard = SealGuard(store, key_file, place / "checkpoint", places)
    store.guard(guard)
    return Sealer(store, key_file, guard, place / "checkpoint", places)


@contextmanager
def taking(place: Path, *, sealed: bool) -> Iterator[Intake]:
    """An intake over a store of its own, which is sealed meanwhile or not."""
    place.mkdir()
    with closing(SqliteStore(place / "b.db", interpret)) as store:
        recorder = Recorder(store, key=b"k" * 32)
        sealing = None
        if sealed:
            sealer = sealer_of(store, place)
            make_key(sealer, recorder, ACTOR, now=now())
            sealing = Sealing(sealer, Schedule(EVERY_SECONDS, EVERY_ENTRIES), now)
        yield Intake(recorder.record, DeadLetters(place / "dlq"), max_event=1 << 22)
        if sealing is not None:
            sealing.close()
            made = len(list(store.checkpoints()))
            print(f"{made} checkpoints were made while {store.head().seq:,} entries came")


def ingest(rounds: int = 15) -> None:
    """The same events into both, turn by turn, each round the other one first."""
    rates: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=".") as folder, ExitStack() as stack:
        sides = {
            "off": stack.enter_context(taking(Path(folder, "off"), sealed=False)),
            "on": stack.enter_context(taking(Path(folder, "on"), sealed=True)),
        }
        at = 0
        for number in range(rounds):
            for per, count in ((1, 500), (100, 3000), (1000, 5000)):
                bodies = [
                    b"[" + b",".join(ingest_events(per, start)) + b"]"
                    for start in range(at, at + count, per)
                ]
                at += count
                for name in sorted(sides, reverse=bool(number % 2)):
                    began = time.perf_counter()
                    for body in bodies:
                        sides[name].take_openlineage(body, ACTOR)
                    rate = count / (time.perf_counter() - began)
                    rates.setdefault((name, per), []).append(rate)
    rows = []
    for per in (1, 100, 1000):
        pairs = list(zip(rates["on", per], rates["off", per], strict=True))
        off, on = (statistics.median(rates[name, per]) for name in ("off", "on"))
        change = statistics.median(one / other for one, other in pairs) - 1
        rows.append((per, f"{off:,.0f}", f"{on:,.0f}", f"{change:+.1%}"))
    show(
        f"Ingest without and with sealing every {EVERY_SECONDS} s or {EVERY_ENTRIES:,} entries, "
        f"published to a directory ({rounds} rounds, turn by turn)",
        ("events per commit", "off, events/s", "on, events/s", "median of pairs"),
        rows,
    )


def proofs(entries: int) -> None:
    """Time and size of proofs, each from a store that was opened for it alone."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=".") as folder:
        place = Path(folder)
        with closing(SqliteStore(place / "b.db", interpret)) as store:
            sealer = sealer_of(store, place)
            make_key(sealer, Recorder(store, key=b"k" * 32), ACTOR, now=now())
            seals: list[float] = []
            began = time.perf_counter()
            for start in range(0, entries, 1000):
                store.append([
                    NewEntry("foreign", 1, "bench", str(n), ACTOR, b"x" * 200, Claims())
                    for n in range(start, start + 1000)
                ])  # fmt: skip
                if (start + 1000) % EVERY_ENTRIES == 0:
                    sealing = time.perf_counter()
                    sealer.seal()
                    seals.append(time.perf_counter() - sealing)
            filled = time.perf_counter() - began - sum(seals)
        times: dict[str, list[float]] = {"entry": [], "consistency": [], "seal": seals}
        sizes: dict[str, list[int]] = {"entry": [], "consistency": [], "seal": []}
        for _ in range(100):
            with closing(SqliteStore(place / "b.db", interpret, read_only=True)) as store:
                began = time.perf_counter()
                bundle = prove_entry(store, random.randrange(1, entries))
                times["entry"].append(time.perf_counter() - began)
                sizes["entry"].append(len(to_line(bundle)))
            with closing(SqliteStore(place / "b.db", interpret, read_only=True)) as store:
                every = list(store.checkpoints())
                old, new = random.choice(every[:-1]), every[-1]
                began = time.perf_counter()
                bundle = prove_consistency(store, old, new)
                times["consistency"].append(time.perf_counter() - began)
                sizes["consistency"].append(len(to_line(bundle)))
    rows = [
        (what, p50_p99(sorted(1e3 * t for t in taken)), max(sizes[what], default=0) or "-")
        for what, taken in times.items()
    ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    show(
        f"Sealing and proving {entries:,} entries (filled in {filled:.0f} s; peak memory "
        f"{peak:.0f} MB)",
        ("what", "p50 / p99, ms", "bytes, most"),
        rows,
    )


def main() -> None:
    """Both."""
    ingest()
    proofs(int(os.environ.get("BENCH_ENTRIES", "100000")))


if __name__ == "__main__":
    main()
