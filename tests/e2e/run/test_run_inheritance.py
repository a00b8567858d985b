"""What a job inherits is what it would inherit alone: signals, limits, session, terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="uses /proc")

CHANGING = (
    "Pid", "Tgid", "PPid", "NS", "Vm", "Rss", "Huge", "voluntary", "nonvoluntary", "SigQ", "FDSize",
)  # fmt: skip
"""Beginnings of lines of /proc/self/status that any two processes differ in (``SigQ`` counts the
signals of a user), and the room for descriptors: that of our log stands high
(``inject/shim/report.h``)."""

REPORT = """
import json, os, resource, sys
limits = {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource)
          if name.startswith("RLIMIT_")}
stat = open("/proc/self/stat").read().rpartition(")")[2].split()
def foreground():
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError as fault:
        return fault.errno
print(json.dumps({
    "cwd": os.getcwd(), "pwd": os.environ.get("PWD"), "umask": os.umask(0),
    "nice": os.getpriority(os.PRIO_PROCESS, 0), "policy": os.sched_getscheduler(0),
    "cpus": sorted(os.sched_getaffinity(0)), "limits": limits,
    "group": os.getpgrp(), "session": os.getsid(0), "terminal": stat[4],
    "leads": os.getpgrp() == os.getsid(0), "foreground": foreground(),
    "oom": open("/proc/self/oom_score_adj").read(),
    "personality": open("/proc/self/personality").read(),
}))
"""


def both(box: Any, command: list[str], **kwargs: Any) -> tuple[bytes, bytes]:
    """What a command prints alone, and under `lineage run`."""
    said = [
        subprocess.run(
            words, cwd=box.project, env=box.environ, check=True,
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **kwargs},
        ).stdout
        for words in (command, box.command(*command, options=("--no-deliver", "--quiet")))
    ]  # fmt: skip
    return said[0], said[1]


def status(text: bytes) -> dict[str, str]:
    lines = (line.split(":", 1) for line in text.decode().splitlines())
    return {name: value.strip() for name, value in lines if not name.startswith(CHANGING)}


def odd_state() -> None:
    """As a scheduler, a shell script or a supervisor may leave it."""
    for number in (signal.SIGHUP, signal.SIGCHLD, signal.SIGINT, signal.SIGTSTP, signal.SIGRTMIN):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM, signal.SIGVTALRM, signal.SIGRTMAX}
    )
    os.umask(0o027)
    os.nice(3)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for name, limit in (("NOFILE", 512), ("CORE", 0), ("STACK", 4 << 20), ("FSIZE", 1 << 30)):
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limit, limit))


@pytest.mark.parametrize("before", [lambda: None, odd_state])
def test_signals_and_rights_are_those_of_the_job_alone(
    box: Any, before: Callable[[], None]
) -> None:
    program = shutil.which("cat")
    assert program is not None
    alone, watched = both(box, [program, "/proc/self/status"], preexec_fn=before)
    assert status(watched) == status(alone)
    assert {"SigIgn", "SigBlk", "SigCgt", "SigPnd", "ShdPnd", "CapEff", "Seccomp"} <= set(
        status(alone)
    )


@pytest.mark.parametrize("before", [lambda: None, odd_state])
def test_limits_place_and_session_are_those_of_the_job_alone(
    box: Any, before: Callable[[], None]
) -> None:
    box.write("report.py", REPORT)
    alone, watched = both(box, [sys.executable, "report.py"], preexec_fn=before)
    assert json.loads(watched) == json.loads(alone)


def test_what_the_jobs_children_inherit_is_the_same_too(box: Any) -> None:
    box.write("job.py", "import subprocess\nsubprocess.run(['cat', '/proc/self/status'])\n")
    alone, watched = both(box, [sys.executable, "job.py"])
    assert status(watched) == status(alone)


def test_a_terminal_is_the_jobs_as_it_is_without_us(box: Any) -> None:
    box.write("report.py", REPORT)
    command = [sys.executable, "report.py"]
    told = []
    for words in (command, box.command(*command, options=("--no-deliver", "--quiet"))):
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(box.project)
            os.execve(words[0], words, box.environ)
        seen = b""
        with contextlib.suppress(OSError):  # the last one closed it
            while chunk := os.read(terminal, 4096):
                seen += chunk
        os.close(terminal)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, seen
        found = json.loads(seen)
        # The session's leader was the job, and is the wrapper: it is theirs in the same way.
        assert found.pop("group") == found.pop("session") == pid
        assert found["terminal"] != "0"
        assert found["foreground"] is True
        told.append({**found, "terminal": "some"})
    assert told[0] == told[1]
