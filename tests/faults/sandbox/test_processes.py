"""What runs in the sandbox tries to get out. It can touch nothing real: processes."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import textwrap
import uuid

from lineage.reproduce.sandbox.spec import dump
from tests.faults.sandbox.jobs import REPOSITORY, World
from tests.serving import processes_with, until

DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", "{marker}"])
    os._exit(0)
"""


def test_what_a_job_leaves_running_ends_with_it(world: World) -> None:
    marker = str(uuid.uuid4())
    ended, said = world.run(DAEMON.format(marker=marker))
    assert ended.ok, said
    assert until(lambda: not processes_with(marker))


def test_a_job_that_takes_too_long_is_ended_with_its_children(world: World) -> None:
    marker = str(uuid.uuid4())
    world.timeout = 1.0
    ended, _ = world.run(DAEMON.format(marker=marker) + "\nimport time\ntime.sleep(600)")
    assert ended.timed_out
    assert not ended.ok
    assert until(lambda: not processes_with(marker))


def test_killing_the_launcher_ends_the_job(world: World) -> None:
    marker = str(uuid.uuid4())
    spec = world.spec(f"import time; time.sleep(600)  # {marker}")
    launcher = textwrap.dedent(f"""
        import sys; sys.path.insert(0, {REPOSITORY!r})
        from pathlib import Path
        from lineage.reproduce.isolation import NAMESPACES, run
        from lineage.reproduce.sandbox.spec import load
        spec = load(sys.stdin.buffer.read())
        run(NAMESPACES, spec, stdout=Path("/dev/null"), stderr=Path("/dev/null"))
    """)
    with subprocess.Popen([sys.executable, "-c", launcher], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(dump(spec))
        process.stdin.close()
        assert until(lambda: len(processes_with(marker)) > 0)
        process.send_signal(signal.SIGKILL)
    assert until(lambda: not processes_with(marker))


def test_a_signal_and_an_exit_code_come_back(world: World) -> None:
    ended, _ = world.run("sys.exit(7)")
    assert (ended.exit_code, ended.signal) == (7, None)
    for entry in world.scratch.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    ended, _ = world.run("os.kill(os.getpid(), signal.SIGUSR1)")
    assert (ended.exit_code, ended.signal) == (None, signal.SIGUSR1)
