"""What goes wrong beside a running job ends neither the job nor the record of it."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.serving import until

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="uses /proc")
ODD_RECORD = """
import os, sys, time
log = os.environ["LINEAGE_CAPTURE_LOG"]
with open(log, "ab") as file:
    file.write(b"\\x1eP 1 1 0 0 0 3 0\\nodd\\n")  # an interpreter of one field
descriptors = f"/proc/{os.getppid()}/fd"
def was_read():
    for number in os.listdir(descriptors):
        if os.path.realpath(f"{descriptors}/{number}") == os.path.realpath(log):
            with open(f"{descriptors}info/{number}") as info:
                return int(info.readline().split()[1]) >= size
size = os.stat(log).st_size
end = time.monotonic() + 60
while not was_read() and time.monotonic() < end: time.sleep(0.01)
open("in.txt").read()
open("late.txt", "w").write("x")
sys.exit(3)
"""


@LINUX
def test_a_fault_while_a_job_is_followed_is_a_gap_and_it_is_followed_on(box: Any) -> None:
    box.write("in.txt", "x")
    ran = box.python(ODD_RECORD)
    assert ran.code == 3
    assert (ran.finished["state"], ran.finished["exit_code"]) == ("FAIL", 3)
    assert "capture-failed" in ran.gaps
    assert set(ran.uses()) == {"in.txt"}
    assert set(ran.outputs()) == {"late.txt"}


@LINUX
def test_a_job_beside_which_no_thread_can_run_is_recorded_when_it_has_ended(box: Any) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_STACK)
    if most != resource.RLIM_INFINITY:
        pytest.skip("the stack of a thread cannot be made too large for the memory")
    box.write("in.txt", "x")
    ran = box.run(
        sys.executable, "-c", "import sys; open('in.txt').read(); sys.exit(3)",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (1 << 46, most)),
    )  # fmt: skip
    assert ran.code == 3
    assert "is not followed while it runs" in ran.err
    assert (ran.finished["state"], ran.finished["exit_code"]) == ("FAIL", 3)
    assert set(ran.uses()) == {"in.txt"}
    assert ran.gaps == {}


# --- while the end is prepared

ENDS_MEANWHILE = """
import os, sys
log, look = {log!r}, os.stat
def stat(path, **kwargs):
    found = look(path, **kwargs)
    if os.fspath(path) == log:
        os.unlink(log)
    return found
if "lineage" in sys.orig_argv:
    os.stat = stat
"""
WAIT = "[ ${n:=0} -lt 3000 ]; do sleep 0.02; n=$((n + 1)); done"
GONE, THERE = f'while [ -e "$0" ] && {WAIT}', f'while [ ! -e "$0" ] && {WAIT}'
"""Jobs that wait for a minute at most."""


def test_a_run_beside_this_one_that_ends_is_no_gap_of_this_one(box: Any) -> None:
    log = box.home / "runs" / "another" / "log"
    log.parent.mkdir(parents=True)
    log.touch()
    box.write("site/sitecustomize.py", ENDS_MEANWHILE.format(log=str(log)))
    site = {"PYTHONPATH": str(box.project / "site")}
    ran = box.run("sh", "-c", GONE, str(log), environ=site)
    assert ran.code == 0
    assert "preparing" not in ran.err
    assert "capture-failed" not in ran.gaps


def test_an_end_that_cannot_be_prepared_is_told_and_no_gap(box: Any) -> None:
    tried = box.root / "tried"
    box.write("site/apsw.py", f"open({str(tried)!r}, 'w').close()\nraise ImportError('no store')\n")
    site = {"PYTHONPATH": str(box.project / "site")}
    ran = box.run("sh", "-c", THERE, str(tried), options=(), environ=site)
    assert ran.code == 0
    assert "no store" in ran.err
    assert "capture-failed" not in ran.gaps


# --- beside the job


@LINUX
def test_a_witness_that_was_stopped_is_not_waited_for(box: Any) -> None:
    job = subprocess.Popen(
        box.command("sh", "-c", "read line; exit 6"),
        cwd=box.project, env=box.environ, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        witness = until(lambda: _witness_of(job.pid))
        os.kill(witness, signal.SIGSTOP)
        until(
            lambda: Path(f"/proc/{witness}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        )
        job.communicate(b"go\n", timeout=60)
    finally:
        job.kill()
        job.wait()
    assert job.returncode == 6


def _witness_of(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for child in children:
        with contextlib.suppress(OSError):  # another that ended meanwhile
            if Path(f"/proc/{child}/comm").read_text() == "cat\n":
                return int(child)
    return 0
