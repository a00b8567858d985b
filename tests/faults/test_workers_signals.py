"""Processes that are told to stop at the worst moment stop; nothing else ends them."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

STARTED = """
import os, signal, sys, time
from lineage.cli.workers import Workers

def told_to_stop():
    os.kill({whom}, signal.SIGTERM)

def work(ready):
    ready()
    time.sleep(600)

os.register_at_fork({when}=told_to_stop)
sys.exit(Workers(2, work, lambda pid: None, as_json=True).run(lambda: None))
"""


@pytest.mark.parametrize(
    ("when", "whom"),
    [
        ("after_in_child", "os.getpid()"),
        ("after_in_child", "os.getppid()"),
        ("after_in_parent", "os.getpid()"),
        ("before", "os.getpid()"),
    ],
)
def test_a_signal_amid_a_fork_is_not_forgotten(when: str, whom: str) -> None:
    """What is run around a fork heeds no exception, and what comes there would be lost."""
    program = textwrap.dedent(STARTED.format(when=when, whom=whom))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode in {0, 1, -signal.SIGTERM}, done.stderr
    assert "Traceback" not in done.stderr


CROWDED = """
import ctypes, os, signal, sys, time
from lineage.cli.workers import Workers

ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: as process 1 of a container
forked, parent, fork = [], os.getpid(), os.fork

def refused_once():
    forked.append(1)
    if len(forked) == 2:
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return fork()

def work(ready):
    ready()
    if len(forked) == 1:  # the first: it leaves an orphan, and dies
        if fork() == 0:
            time.sleep(0.5)
            os._exit(0)
        sys.exit(3)
    time.sleep(2)
    os.kill(parent, signal.SIGTERM)
    time.sleep(600)

os.fork = refused_once
status = Workers(1, work, lambda pid: None, as_json=True).run(lambda: None)
print(status, len(forked))
"""


def test_neither_an_orphan_of_others_nor_a_crowded_machine_ends_a_service() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CROWDED], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "0 3\n", done.stderr
    assert "Resource temporarily unavailable" in done.stderr
