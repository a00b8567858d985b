"""Processes that are told to stop at the worst moment stop all the same."""

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
