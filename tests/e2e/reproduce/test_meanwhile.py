"""What goes on beside a reproduction, while it is made."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from lineage.cli.reproducing import find, surroundings
from lineage.errors import ReproduceError
from lineage.reproduce.differences import compare
from lineage.reproduce.rerun import Options, Reproduction, reproduce
from lineage.settings import load_settings
from lineage.wiring import open_workspace
from tests.e2e.reproduce.workshop import COUNT, Workshop
from tests.serving import processes_with, until

LEFT_RUNNING = """
    import contextlib, os, subprocess, sys, time

    if len(sys.argv) > 1:
        print("up", flush=True)
        scratch = os.environ.get("LINEAGE_REDIRECT", "")
        while not scratch:
            time.sleep(1)
        while True:
            with contextlib.suppress(OSError):
                open(scratch + ".busy", "w").close()
                os.remove(scratch + ".busy")
    with open("models/one.txt", "w") as file:
        file.write("1")
    left = subprocess.Popen(
        [sys.executable, __file__, "MARKER"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    left.stdout.readline()
"""


def test_what_a_job_leaves_running_takes_no_verdict_away(isolated: Workshop) -> None:
    marker = str(uuid.uuid4())
    isolated.write("job.py", LEFT_RUNNING.replace("MARKER", marker))
    isolated.commit()
    isolated.run()
    until(lambda: processes_with(marker))
    for process in processes_with(marker):
        os.kill(process, signal.SIGKILL)
    assert isolated.reproduce("models/one.txt")["verdict"] == "IDENTICAL"
    until(lambda: not processes_with(marker))
    assert not list((isolated.root / ".lineage" / "reproductions").iterdir())


def while_at(workshop: Workshop, step: str, then: Callable[[], object]) -> Reproduction:
    """Make the model again; at a step of it something happens."""

    def tell(what: str) -> None:
        if what.startswith(step):
            then()

    with open_workspace(load_settings(workshop.environment)) as ws:
        run = find(ws, str(workshop.root / "models/fraud.json"))
        return reproduce(run, surroundings(ws, tell), Options())


def test_a_file_that_is_taken_away_is_named(workshop: Workshop) -> None:
    """Not called a disk that is full, and the way out is told."""
    workshop.run()
    (taken, *_) = sorted(workshop.table.glob("*.parquet"))
    with pytest.raises(ReproduceError, match=f"{taken.name} was removed while") as fault:
        while_at(workshop, "setting the scene", taken.unlink)
    assert "pin" in fault.value.hint


def test_a_model_that_is_written_meanwhile_is_not_what_was_recorded(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.write("job.py", COUNT.replace("sum(", "__import__('time').time_ns() + sum("))
    workshop.commit()
    workshop.run()
    model = workshop.root / "models/fraud.json"

    def written(recorded: Path, *more: Path | str | float) -> object:
        model.write_text("{}")
        return compare(recorded, *more)  # type: ignore[arg-type]

    monkeypatch.setattr("lineage.reproduce.outcomes.compare", written)
    done = while_at(workshop, "comparing", workshop.real)
    assert done.outputs[0].detail.startswith("what was recorded is no longer there")
