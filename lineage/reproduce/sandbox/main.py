"""The processes of the sandbox.

::

    outer    unshares its namespaces, builds the mounts, waits; saves what was written to memory
    init     process 1 of a new process namespace: mounts /proc, reaps; when it ends, all end
    job      without capabilities, in a session of its own

The spec arrives on standard input; what happens is told as JSON lines on the descriptor named on
the command line: ``{"failed": ...}`` before the job ran, ``{"ready": ...}``, ``{"ended": ...}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from typing import Any, NoReturn

from lineage.reproduce.sandbox import kernel
from lineage.reproduce.sandbox.mounts import build, listening_sockets
from lineage.reproduce.sandbox.spec import Spec, load

__all__ = ["Teller", "become", "main"]

_NOT_FOUND = 127
_MOST_TOLD = 20
"""Paths in one fact: the caller reads them when all is over, and a pipe holds 64 KiB."""


class Teller:
    """Writes JSON lines to the descriptor that the caller reads."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        self._descriptor = descriptor

    def __call__(self, **facts: Any) -> None:
        """Write one line."""
        os.write(self._descriptor, json.dumps(facts).encode() + b"\n")


def main() -> None:
    """Run the job that standard input describes."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    tell = Teller(int(sys.argv[1]))
    started = time.monotonic()
    spec = load(sys.stdin.buffer.read())
    try:
        sockets = listening_sockets()
        _enter(network=spec.network)
        scratch, shared = build(spec, sockets)
    except OSError as fault:
        tell(failed=str(fault.strerror or fault), path=fault.filename, errno=fault.errno)
        raise SystemExit(1) from fault
    ready = time.monotonic() - started
    # Told to stop amid the fork, it would leave a job that nobody holds.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    init = os.fork()
    if init == 0:
        told = {"ready": ready, "memory": scratch.used_memory, "shared": shared[:_MOST_TOLD]}
        _init(spec, tell, told)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(init, signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    os.waitid(os.P_PID, init, os.WEXITED | os.WNOWAIT)  # not reaped: its number stays its own
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    scratch.save()


def _enter(*, network: bool) -> None:
    uid, gid = os.geteuid(), os.getegid()
    kinds = kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC
    kernel.unshare(kinds if network else kinds | kernel.CLONE_NEWNET)
    kernel.map_ids(uid, gid)
    # No namespace inside this one: fewer ways to ask the kernel for trouble.
    with (
        contextlib.suppress(OSError),
        open("/proc/sys/user/max_user_namespaces", "w", encoding="ascii") as limit,
    ):
        limit.write("0")
    if not network:
        kernel.raise_loopback()


def _init(spec: Spec, tell: Teller, ready: dict[str, Any]) -> NoReturn:
    try:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        _mount_proc()
        tell(**ready)
        if spec.argv:
            tell(ended=_run(spec, tell))
    except BaseException as fault:
        tell(failed=str(fault))
        raise
    finally:
        os._exit(0)


def _run(spec: Spec, tell: Teller) -> int:
    """Exit code of the job, or minus the signal that ended it. Orphans are reaped on the way."""
    job = os.fork()
    if job == 0:
        become(spec, tell)
    child, status = 0, 0
    while child != job:
        child, status = os.wait()
    return os.waitstatus_to_exitcode(status)


def _mount_proc() -> None:
    """A ``/proc`` of the new process namespace, read-only: root may write to much of it.

    In a mount namespace of its own, so that the outer process keeps its view. Where parts of the
    host's ``/proc`` are masked (a container) the kernel refuses: then the host's stays, read-only,
    and user and process namespace keep the job from its processes.
    """
    kernel.unshare(kernel.CLONE_NEWNS)
    flags = kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    with contextlib.suppress(PermissionError):
        kernel.mount("proc", "/proc", "proc", flags)


def become(spec: Spec, tell: Teller, *, privileged: bool = False) -> NoReturn:
    """Turn this process into the job, in its directory and with nothing it could misuse.

    ``privileged`` leaves it the capabilities it has: outside of a user namespace of ours they are
    the host's to give, and few may take them away.
    """
    try:
        if os.getpid() != os.getsid(0):
            os.setsid()
        os.dup2(os.open(spec.stdin or os.devnull, os.O_RDONLY), 0)
        os.chdir(spec.cwd)
        if not privileged:
            with contextlib.suppress(OSError):  # where it is forbidden, keyrings are to the job too
                kernel.new_session_keyring()
            kernel.drop_privileges()
        for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.execvpe(spec.argv[0], spec.argv, spec.env)
    except OSError as fault:
        tell(not_started=fault.strerror, path=fault.filename or spec.argv[0])
    os._exit(_NOT_FOUND)
