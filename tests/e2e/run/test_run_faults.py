"""What goes wrong beside a running job ends neither the job nor the record of it."""

from __future__ import annotations

import sys
from typing import Any

import pytest

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
