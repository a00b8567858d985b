"""A job does not notice that it is watched: output, descriptors, signals, exit, environment."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lineage.capture.run.shim import shim
from tests.serving import SECONDS, until

needs_compiler = pytest.mark.needs("compiler")
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="uses /proc")


@pytest.mark.parametrize("code", [0, 1, 3, 42, 255])
def test_the_exit_code_is_the_jobs(box: Any, code: int) -> None:
    ran = box.run("sh", "-c", f"exit {code}")
    assert ran.code == code
    assert ran.finished["exit_code"] == code
    assert ran.finished["state"] == ("COMPLETE" if code == 0 else "FAIL")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGINT])
def test_death_by_a_signal_is_passed_on(box: Any, number: signal.Signals) -> None:
    ran = box.run("sh", "-c", f"kill -{number.value} $$")
    assert ran.code == -number
    assert (ran.finished["state"], ran.finished["signal"]) == ("ABORT", number)


def test_commands_that_cannot_be_run_are_as_with_env(box: Any) -> None:
    box.write("text", "no program")
    for command in (["no-such-command"], ["./text"], ["/"]):
        plain = subprocess.run(["env", *command], cwd=box.project, capture_output=True, check=False)
        ran = box.run(*command)
        assert ran.code == plain.returncode, command
        assert ran.started == {}, "what never ran is no run"


def test_a_script_without_an_interpreter_line_goes_to_the_shell(box: Any) -> None:
    box.write("script", "echo $0 $1\n").chmod(0o755)
    assert box.run("./script", "word").out == b"./script word\n"


def test_binary_output_and_input_pass_through_untouched(box: Any) -> None:
    data = os.urandom(300_000) + b"\r\n\x00"
    done = subprocess.run(
        box.command("cat", options=("--quiet", "--no-deliver")),
        cwd=box.project, env=box.environ, input=data, capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout == data
    assert done.stderr == b""


@LINUX
@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_descriptors_are_closed_for_the_job(box: Any, closed: tuple[int, ...]) -> None:
    job = "import os; open('fds', 'w').write(' '.join(sorted(os.listdir('/proc/self/fd'))))"
    box.write("job.py", job)

    def close() -> None:
        for descriptor in closed:
            os.close(descriptor)

    expected = subprocess.run(
        [sys.executable, "job.py"], cwd=box.project, env=box.environ, preexec_fn=close, check=False
    )
    plain = (box.project / "fds").read_text().split()
    done = subprocess.run(
        box.command(sys.executable, "job.py"),
        cwd=box.project, env=box.environ, preexec_fn=close, check=False,
    )  # fmt: skip
    assert done.returncode == expected.returncode
    watched = (box.project / "fds").read_text().split()
    assert [fd for fd in watched if int(fd) < 64] == plain
    recorded = box.read_spool(_empty())
    assert recorded.finished["state"] == "COMPLETE"


def test_a_job_that_closes_everything_is_watched_on(box: Any) -> None:
    box.write("in.txt", "x")
    ran = box.python(
        "import os\n"
        "os.closerange(3, 4096)\n"
        "mine = os.open('mine.txt', os.O_RDWR | os.O_CREAT)\n"
        "for fd in (900, 200, 64, 10): os.dup2(mine, fd)\n"
        "os.write(900, b'only mine')\n"
        "print(open('in.txt').read())\n"
    )
    assert ran.code == 0, ran.err
    assert (box.project / "mine.txt").read_bytes() == b"only mine"
    assert set(ran.uses()) == {"in.txt"}
    assert set(ran.outputs()) == {"mine.txt"}


def test_the_environment_is_the_same_but_for_ours(box: Any) -> None:
    environ = {k: v for k, v in box.environ.items() if not k.startswith("LC_") and k != "LANG"}
    plain = subprocess.run(
        ["env"], cwd=box.project, env=environ, capture_output=True, text=True, check=True
    )
    watched = subprocess.run(
        box.command("env"), cwd=box.project, env=environ, capture_output=True, text=True, check=True
    )
    before = dict(line.split("=", 1) for line in plain.stdout.splitlines())
    after = dict(line.split("=", 1) for line in watched.stdout.splitlines())
    added = {name for name in after if name not in before}
    assert {name: after[name] for name in before} == before
    assert added <= {
        "LD_PRELOAD", "PYTHONPATH", "LINEAGE_CAPTURE_LOG", "LINEAGE_CAPTURE_SHIM",
        "LINEAGE_RUN_ID", "LINEAGE_RUN_JOB", "LINEAGE_RUN_NAMESPACE",
    }  # fmt: skip


def test_the_jobs_own_sitecustomize_runs_and_our_folder_is_not_on_its_path(box: Any) -> None:
    box.write("site/sitecustomize.py", "import builtins\nbuiltins.MARK = 'theirs'\n")
    ran = box.python(
        "import sys, sitecustomize\nprint(MARK, sitecustomize.__file__)\n"
        "print([p for p in sys.path if 'inject' in p])\n",
        environ={"PYTHONPATH": str(box.project / "site")},
    )
    mark, place, ours = ran.out.decode().split(maxsplit=2)
    assert (mark, place) == ("theirs", str(box.project / "site" / "sitecustomize.py"))
    assert ours.strip() == "[]"


def test_a_sitecustomize_that_fails_is_reported_as_ever(box: Any) -> None:
    box.write("site/sitecustomize.py", "raise ValueError('theirs')\n")
    site = {"PYTHONPATH": str(box.project / "site")}
    ran = box.python("print('goes on')\n", environ=site)
    assert ran.out == b"goes on\n"
    assert "Error in sitecustomize" in ran.err
    assert "theirs" in ran.err


@needs_compiler
def test_a_preloaded_library_of_the_job_stays_first(box: Any, shim_cache: Path) -> None:
    source = box.write("own.c", "int lineage_test_mark(void) { return 7; }\n")
    library = box.project / "own.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    box.write("in.txt", "x")
    ran = box.python(
        "import ctypes, os\n"
        "print(ctypes.CDLL(None).lineage_test_mark(), os.environ['LD_PRELOAD'])\nopen('in.txt')\n",
        environ={"LD_PRELOAD": str(library)},
    )
    value, preload = ran.out.decode().split()
    assert value == "7"
    assert preload.startswith(f"{library}:")
    assert set(ran.uses()) >= {"in.txt"}
    assert shim([shim_cache / "lineage"]).exists()


def test_what_cannot_be_recorded_does_not_keep_a_job_from_running(box: Any) -> None:
    for environ in (
        {"LINEAGE_HOME": "/proc/no/such/place"},
        {"LINEAGE_PORT": "not a number"},
        {"LINEAGE_STORE": "nonsense"},
        {"LINEAGE_HOME": "/dev/null/x", "XDG_CACHE_HOME": "/dev/null/y"},
    ):
        ran = box.run("sh", "-c", "echo out; exit 3", environ=environ, options=())
        assert (ran.code, ran.out) == (3, b"out\n"), environ
        assert "lineage: " in ran.err, environ
        assert "Traceback" not in ran.err, environ


# --- signals


@contextlib.contextmanager
def running(box: Any, code: str, **kwargs: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A Python job that is up (it has said so)."""
    box.write("job.py", f"import os, signal, sys, time\n{code}")
    process = subprocess.Popen(
        box.command(sys.executable, "-u", "job.py"),
        cwd=box.project, env=box.environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        **kwargs,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        until(lambda: any((box.home / "spool").glob("*.spool")))
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


COUNT = (
    "got = []\n"
    "for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):\n"
    "    signal.signal(n, lambda n, f: (got.append(n), print(n, flush=True)))\n"
    "print('up')\n"
    "end = time.monotonic() + 120\n"
    "while not got and time.monotonic() < end: time.sleep(0.01)\n"
    "time.sleep(0.3)\n"
    "sys.exit(len(got))\n"
)
SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_to_us_alone_reaches_the_job_once(box: Any, number: signal.Signals) -> None:
    with running(box, COUNT) as process:
        process.send_signal(number)
        assert process.wait(SECONDS) == 1


@LINUX
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_to_the_group_reaches_the_job_once(box: Any, number: signal.Signals) -> None:
    with running(box, COUNT, start_new_session=True) as process:
        os.killpg(process.pid, number)
        assert process.wait(SECONDS) == 1


def test_a_job_that_ignores_a_signal_goes_on(box: Any) -> None:
    code = (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up')\n"
        "sys.stdin.readline()\nsys.exit(5)\n"
    )
    with running(box, code, stdin=subprocess.PIPE) as process:
        process.terminate()
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
        assert process.wait(SECONDS) == 5


def test_interrupting_at_a_terminal_reaches_the_job_once(box: Any) -> None:
    box.write("job.py", f"import os, signal, sys, time\n{COUNT}")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(box.project)
        os.execve(sys.executable, box.command(sys.executable, "-u", "job.py"), box.environ)
    seen = b""
    while b"up" not in seen:
        seen += os.read(terminal, 1024)
    until(lambda: any((box.home / "spool").glob("*.spool")))
    os.write(terminal, b"\x03")
    with contextlib.suppress(OSError):
        while chunk := os.read(terminal, 1024):
            seen += chunk
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 1, seen


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs a shell with job control")
def test_a_job_can_be_stopped_and_brought_back_at_a_terminal(box: Any) -> None:
    box.write("job.py", "import sys\nprint('u' + 'p')\nfor x in sys.stdin: print('got', x * 2)\n")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(box.project)
        os.execvpe("bash", ["bash", "--norc", "-i"], {**box.environ, "PS1": "$ ", "TERM": "dumb"})
    seen = b""

    def after(keys: str, expected: bytes) -> bytes:
        nonlocal seen
        os.write(terminal, keys.encode())
        before = len(seen)
        end = time.monotonic() + SECONDS
        while expected not in seen[before:]:
            ready, _, _ = select.select([terminal], [], [], max(0, end - time.monotonic()))
            assert ready, seen
            seen += os.read(terminal, 4096)
        return seen[before:]

    try:
        after(shlex.join(box.command(sys.executable, "-u", "job.py")) + "\n", b"up\r\n")
        for _ in range(3):
            after("\x1a", b"Stopped")
            after("fg\n", b"job.py\r\n")
            assert b"Stopped" not in after("here\n", b"got here")
        assert b"COMPLETE" in after("\x04", b"lineage: run") + after("echo e$?d\n", b"e0d")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


@LINUX
def test_stopping_and_continuing_is_mirrored(box: Any) -> None:
    code = "print('up')\nsys.stdin.readline()\nsys.exit(6)\n"
    # A group of its own with a parent outside of it: an orphaned one ignores these stops.
    with running(box, code, stdin=subprocess.PIPE, process_group=0) as process:
        until(lambda: _child(process.pid, "python"))
        os.kill(process.pid, signal.SIGTSTP)
        until(lambda: _state(process.pid) == "T")
        os.kill(process.pid, signal.SIGCONT)
        until(lambda: _state(process.pid) != "T")
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
        assert process.wait(SECONDS) == 6


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _child(pid: int, name: str) -> bool:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return any(name in Path(f"/proc/{child}/comm").read_text() for child in children)


def test_the_last_line_can_be_json_or_nothing(box: Any) -> None:
    ran = box.run("true", options=("--no-deliver", "--quiet"))
    assert ran.err == ""
    ran = box.run("true", options=("--no-deliver", "--json"))
    value = json.loads(ran.err)
    assert value["state"] == "COMPLETE"
    assert value["run_id"] == ran.started["run"]["run_id"]
    ran = box.run("true")
    assert ran.err.startswith("lineage: run ")
    assert ran.err.count("\n") == 1


def test_the_summary_can_go_to_a_descriptor_that_the_job_does_not_have(box: Any) -> None:
    read, write = os.pipe()
    ran = box.run(
        sys.executable, "-c", f"import os, sys; sys.exit(os.path.exists('/dev/fd/{write}'))",
        options=("--no-deliver", "--summary", f"fd:{write}"), pass_fds=(write,),
    )  # fmt: skip
    os.close(write)
    with os.fdopen(read) as file:
        assert json.loads(file.read())["state"] == "COMPLETE"
    assert ran.code == 0


def _empty() -> Any:
    return SimpleNamespace(started={}, finished={}, commits=[])


def test_nothing_heavy_is_loaded_before_the_job_starts(box: Any) -> None:
    code = (
        "import sys\n"
        "import lineage.cli.main\n"
        "import lineage.cli.run as run\n"
        "teller = run.Teller(summary='', as_json=False, quiet=False)\n"
        "run.prepare(['true'], teller, job='', parent='', preload=True)\n"
        "import lineage.capture.run.launch\n"
        "print(*sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=box.project, env=box.environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(done.stdout.split())
    assert "lineage.capture.run.plan" in loaded
    heavy = {"pydantic", "fastapi", "apsw", "deltalake", "rich", "asyncio", "urllib.request"}
    assert not heavy & loaded
    assert not {"lineage.model.changes", "lineage.wiring", "lineage.capture.run.watch"} & loaded
