"""kill -9 of `lineage run` at any moment: the job goes on, what was kept is recorded, once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lineage.capture.spool import Spool
from lineage.model.canonical import parse_json
from lineage.record.ledger import verify
from lineage.settings import load_settings
from lineage.wiring import open_workspace
from tests.serving import until

ROUNDS = 20
JOB = """
import os, sys, time
end = time.monotonic() + 0.4
while time.monotonic() < end or os.path.exists('wait'): pass
open(f'done-{sys.argv[1]}', 'w').write('x')
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LINEAGE_")}
    return {**kept, "LINEAGE_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}


def start(tmp_path: Path, environ: dict[str, str], n: int) -> subprocess.Popen[bytes]:
    (tmp_path / "job.py").write_text(JOB)
    return subprocess.Popen(
        [sys.executable, "-m", "lineage", "run", "-q", "--", sys.executable, "job.py", str(n)],
        cwd=tmp_path, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.slow
def test_nothing_that_was_kept_is_lost_or_doubled(tmp_path: Path, environ: dict[str, str]) -> None:
    dice = random.Random(7)
    spool = Spool(tmp_path / "home" / "spool")
    kept: set[str] = set()
    killed = 0
    for n in range(ROUNDS):
        process = start(tmp_path, environ, n)
        before = len(kept)
        if n % 2:
            until(lambda p=process: spool.pending() or p.poll() is not None)
        time.sleep(dice.uniform(0, 0.9))
        killed += process.poll() is None
        process.kill()
        process.wait()
        for name in spool.pending():
            kept |= {item.event_id for item in spool.take(name) or []}
        if len(kept) > before:
            until(lambda n=n: (tmp_path / f"done-{n}").exists())
    assert killed > ROUNDS // 2, "the rounds are to be cut off, most of them"
    assert kept, "some starts were kept"

    done = subprocess.run(
        [sys.executable, "-m", "lineage", "spool", "deliver"],
        env=environ, cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert spool.pending() == []
    with open_workspace(load_settings(environ), read_only=True) as workspace:
        recorded = [entry.event_id for entry in workspace.store.entries()]
        assert kept <= set(recorded)
        assert len(recorded) == len(set(recorded))
        assert verify(workspace.store).faults == []
        for entry in workspace.store.entries():
            assert parse_json(entry.body)["run"]["run_id"] in entry.event_id


def test_a_started_run_survives_its_wrapper(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / "wait").touch()
    process = start(tmp_path, environ, 0)
    spool = Spool(tmp_path / "home" / "spool")
    until(spool.pending)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (tmp_path / "wait").unlink()
    until((tmp_path / "done-0").exists)
    (name,) = spool.pending()
    (item,) = spool.take(name) or []
    assert item.kind == "run.started"
    again = start(tmp_path, environ, 1)
    assert again.wait(60) == 0
    assert spool.pending() == [], "the next run delivers what the last one could not"
    with open_workspace(load_settings(environ), read_only=True) as workspace:
        kinds = [entry.kind for entry in workspace.store.entries()]
        assert kinds == ["run.started", "run.started", "run.finished"]
