"""Handing over: export of a ledger, and its check by ``lineage-verify``, as processes.

BENCH_ENTRIES=1000000 python -m tests.bench.handing
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from lineage import verify
from lineage.model.changes import parse_change
from lineage.model.envelope import Actor
from lineage.model.proofs import to_line
from lineage.record.recorder import Recorder
from lineage.record.seal.proofs import prove_entry
from lineage.settings import load_settings
from lineage.wiring import open_workspace
from tests.bench.table import milliseconds, p50_p99, show
from tests.handed import LOG, note_of
from tests.serving import environment

ENTRIES = int(os.environ.get("BENCH_ENTRIES", "100000"))
BATCH = 1000  # entries between two checkpoints
ACTOR = Actor("person:bench")


def main() -> None:
    """All tables."""
    with tempfile.TemporaryDirectory() as place:
        _measure(Path(place))


def _measure(place: Path) -> None:
    home, file, proof = place / "home", place / "ledger.ndjson", place / "proof.json"
    home.mkdir()
    with open_workspace(load_settings(environment(home))) as ws:
        recorder = Recorder(ws.store, key=b"k" * 32)
        for start in range(0, ENTRIES, BATCH):
            changes = [parse_change(_run(n)) for n in range(start, start + BATCH)]
            recorder.record_changes(changes, source="bench", actor=ACTOR)
            ws.store.seal(note_of)
        proof.write_bytes(to_line(prove_entry(ws.store, ENTRIES // 3)))
    lineage = [sys.executable, "-m", "lineage"]
    alone = [sys.executable, "-I", "-S", verify.__file__]
    key = ["--key", LOG.public.text()]
    rows = [
        ("export", *_process([*lineage, "ledger", "export", str(file)], home)),
        ("lineage-verify", *_process([sys.executable, verify.__file__, str(file), *key], home)),
        ("the same, Python alone", *_process([*alone, str(file), *key], home)),
    ]
    show(
        f"{ENTRIES:,} entries, {ENTRIES // BATCH:,} checkpoints, "
        f"{file.stat().st_size / ENTRIES:.0f} bytes an entry",
        ["", "seconds", "entries/s", "MB at most"],
        [(what, f"{s:.1f}", f"{ENTRIES / s:,.0f}", f"{mb:.0f}") for what, s, mb in rows],
    )
    keys = [verify.key_of(LOG.public.text())]
    checked = milliseconds(lambda: verify.check([str(proof)], keys, set(), 0), 200)
    signature, message = LOG.sign("x" * 100), b"x" * 100
    own = milliseconds(lambda: verify.own_ed25519(keys[0].key, signature, message), 50)
    library = milliseconds(lambda: verify.library_ed25519(keys[0].key, signature, message), 200)
    show("One proof, one signature", ["", "p50 / p99 ms"], [
        (f"check of a proof of {proof.stat().st_size:,} bytes", p50_p99(checked)),
        ("a signature, own Ed25519", p50_p99(own)),
        ("a signature, cryptography", p50_p99(library)),
    ])  # fmt: skip


def _process(words: list[str], home: Path) -> tuple[float, float]:
    """Seconds and the most memory (MB) of a process."""
    began, most = time.perf_counter(), 0.0
    process = subprocess.Popen(words, env=environment(home), stdout=subprocess.DEVNULL)
    while process.poll() is None:
        # Not from wait4: that counts what the process was before it became the program.
        most = max(most, _memory(process.pid))
        time.sleep(0.02)
    assert process.returncode == 0, words
    return time.perf_counter() - began, most


def _memory(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _run(n: int) -> dict[str, object]:
    return {
        "kind": "run.started", "v": 1, "event_at": n, "command": ["python", "train.py", "x" * 100],
        "run": {"namespace": "bench", "job": f"j{n % 50}", "run_id": str(n)},
    }  # fmt: skip


if __name__ == "__main__":
    main()
