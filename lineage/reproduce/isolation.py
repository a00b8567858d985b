"""Where a job runs: which isolation this host gives, and running a spec in it.

``namespaces`` is the whole of it. Where a host refuses them (Docker's default seccomp profile,
Ubuntu 24.04, macOS) Python programs get ``in-process``: redirection inside the interpreter, with
Landlock around it where the kernel has that (``in-process+landlock``).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lineage.errors import ConfigError, IsolationError
from lineage.reproduce.sandbox.spec import Overlay, Spec, dump

__all__ = ["IN_PROCESS", "MODES", "NAMESPACES", "Ended", "choose", "probe", "run"]

NAMESPACES, IN_PROCESS, AUTO = "namespaces", "in-process", "auto"
MODES = (AUTO, NAMESPACES, IN_PROCESS)

_PACKAGE_ROOT = Path(__file__).parents[2]
# The interpreter sees nothing but the standard library and, by this line, our own package.
_BOOT = (
    "import sys; sys.path.insert(0, {root!r})\nfrom lineage.reproduce.sandbox.{module} import main"
    "\nmain()"
)
_MODULES = {NAMESPACES: "main", IN_PROCESS: "landlock"}
_MORE = {"landlock": "landlock", "shared": "shared-inodes"}
"""What a sandbox tells of itself that its name has to say."""
_PATIENCE = 10.0
"""Seconds that a sandbox gets to save what it holds in memory after it was told to stop."""


@dataclass(frozen=True)
class Ended:
    """How a job ended, and in which isolation it ran. Times in seconds."""

    isolation: str
    exit_code: int | None = None
    signal: int | None = None
    timed_out: bool = False
    not_started: str = ""
    in_memory: bool = False
    shared: tuple[str, ...] = ()
    """Where it saw real inodes, read-only, since no overlay could stand there; the first ones."""
    setup: float = 0.0
    took: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the job ran and said so."""
        return self.exit_code == 0 and not self.timed_out


@dataclass
class _Told:
    """What the sandbox told on its descriptor, line by line."""

    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: bytes) -> _Told:
        told = cls()
        for line in text.splitlines():
            told.facts.update(json.loads(line))
        return told


def choose(wanted: str, *, python: bool, scratch: Path) -> str:
    """The isolation to use: ``namespaces`` or ``in-process``.

    ``python`` says whether the job is a Python program that the hook can be loaded into. Raises
    ``ConfigError`` for a word that is none of ``MODES``, ``IsolationError`` where the host refuses
    what was asked for, or everything.
    """
    if wanted not in MODES:
        raise ConfigError(
            f"no such isolation: {wanted!r}", hint=f"LINEAGE_ISOLATION is one of {', '.join(MODES)}"
        )
    if wanted != IN_PROCESS:
        try:
            probe(scratch)
            return NAMESPACES
        except IsolationError:
            if wanted == NAMESPACES or not python:
                raise
    if not python:
        raise IsolationError(
            "the job is not a Python program, and nothing but namespaces can isolate others",
            hint="run it where user namespaces are allowed, with --isolation namespaces",
        )
    return IN_PROCESS


def probe(scratch: Path) -> None:
    """Try what a sandbox needs, without a job. Raises ``IsolationError``."""
    if sys.platform != "linux":
        raise IsolationError(
            f"{sys.platform} has no namespaces", hint="Python programs can use in-process isolation"
        )
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="probe-") as folder:
        root = Path(folder).resolve()
        for name in ("seen", "data", "work"):
            (root / name).mkdir()
        over = Overlay(str(root / "seen"), (str(root / "seen"),), str(root))
        _launch(NAMESPACES, Spec(str(root), (), "/", {}, (over,)), None, None)


def run(
    mode: str, spec: Spec, *, stdout: Path, stderr: Path, timeout: float | None = None
) -> Ended:
    """Run a job to its end. Raises ``IsolationError`` where its sandbox could not be built."""
    return _launch(mode, spec, (stdout, stderr), timeout)


def _launch(mode: str, spec: Spec, logs: tuple[Path, Path] | None, timeout: float | None) -> Ended:
    boot = _BOOT.format(root=str(_PACKAGE_ROOT), module=_MODULES[mode])
    reading, writing = os.pipe()
    out, err = (_log(path) for path in logs) if logs else (subprocess.DEVNULL, subprocess.DEVNULL)
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", boot, str(writing)],
            stdin=subprocess.PIPE, stdout=out, stderr=err,
            pass_fds=(writing,), start_new_session=True, env={},
        )  # fmt: skip
    finally:
        os.close(writing)
        for descriptor in (out, err):
            if descriptor != subprocess.DEVNULL:
                os.close(descriptor)
    with os.fdopen(reading, "rb") as told, process:
        timed_out = _wait(process, spec, mode, timeout)
        facts = _Told.parse(told.read()).facts
    return _ended(
        mode, facts, process.returncode, time.monotonic() - started,
        timed_out=timed_out, probed=logs is not None,
    )  # fmt: skip


def _log(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)


def _wait(process: subprocess.Popen[bytes], spec: Spec, mode: str, timeout: float | None) -> bool:
    """Wait for the end; whatever interrupts it ends the job too. Whether time ran out."""
    ended = False
    try:
        process.communicate(dump(spec), timeout=timeout)
        ended = True
    except subprocess.TimeoutExpired:
        return True
    finally:
        if not ended:
            _stop(process, mode)
        elif mode == IN_PROCESS:  # as the namespace of the other does
            _end_group(process.pid)
    return False


def _stop(process: subprocess.Popen[bytes], mode: str) -> None:
    """End the job with all its children: the sandbox does it by a namespace, or its group is."""
    if mode == IN_PROCESS:
        _end_group(process.pid)
    else:
        process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _end_group(leader: int) -> None:
    """End what a job left running in its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def _ended(
    mode: str,
    told: dict[str, Any],
    returned: int,
    took: float,
    *,
    timed_out: bool,
    probed: bool,
) -> Ended:
    if "failed" in told or ("ready" not in told and not timed_out):
        raise _refused(told, probed=probed)
    code = told.get("ended", returned if mode == IN_PROCESS else -signal.SIGKILL)
    return Ended(
        isolation="+".join([mode, *(word for fact, word in _MORE.items() if told.get(fact))]),
        exit_code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        timed_out=timed_out,
        not_started=told.get("not_started", ""),
        in_memory=bool(told.get("memory")),
        shared=tuple(told.get("shared", ())),
        setup=told.get("ready", 0.0),
        took=took,
    )


def _refused(told: dict[str, Any], *, probed: bool) -> IsolationError:
    """The host's own refusal, or (once it was ``probed``) what of this job's sandbox failed."""
    path = told.get("path")
    what = (told.get("failed") or "it ended without a word") + (f" ({path})" if path else "")
    if probed:
        return IsolationError(
            f"the sandbox of this job could not be built: {what}",
            hint="the path may lie on a file system that an overlay cannot stand on: move it, or "
            "set LINEAGE_HOME to another disk",
        )
    return IsolationError(
        f"this host refuses the sandbox: {what}",
        hint="user namespaces may be off: in Docker use --security-opt seccomp=unconfined, on "
        "Ubuntu 24.04 sysctl kernel.apparmor_restrict_unprivileged_userns=0; Python programs can "
        "use --isolation in-process",
    )
