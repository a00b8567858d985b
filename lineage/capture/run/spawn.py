"""Starting the job: by fork, with all that it would inherit without us."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

__all__ = ["Inherited", "spawn"]

_IGNORED_BY_PYTHON = [
    number
    for name in ("SIGPIPE", "SIGXFZ", "SIGXFSZ")
    if (number := getattr(signal, name, None)) is not None
]


@dataclass(frozen=True, slots=True)
class Inherited:
    """What the job inherits although we had to change it for ourselves."""

    mask: frozenset[signal.Signals | int]
    children_ignored: bool

    def restore(self) -> None:
        """In the child, before it becomes the job."""
        for number in _IGNORED_BY_PYTHON:
            signal.signal(number, signal.SIG_DFL)
        if self.children_ignored:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # one that waits is the job's by now
        signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)


def spawn(command: list[str], environ: Mapping[str, str], inherited: Inherited) -> int:
    """Like ``execvp``: along the PATH, and a text without ``#!`` goes to the shell.

    By fork, while we have one thread: the ``posix_spawn`` of glibc leaves signals of its own (32,
    33) ignored in the child, and so in all that it starts.
    """
    read, write = os.pipe()  # an exec that succeeds closes it
    try:
        pid = os.fork()
        if pid == 0:
            _become(command, environ, inherited, write)
    finally:
        os.close(write)
    with open(read, "rb") as told:
        refused = told.read()
    if refused:
        os.waitpid(pid, 0)
        raise OSError(int(refused), os.strerror(int(refused)))
    return pid


def _become(
    command: list[str], environ: Mapping[str, str], inherited: Inherited, tell: int
) -> NoReturn:
    """In the child: be the command, or tell the parent why not."""
    fault = errno.ENOEXEC
    try:
        inherited.restore()
        _execute(command, environ)
    except OSError as refused:
        fault = refused.errno or fault
    finally:
        os.write(tell, b"%d" % fault)
        os._exit(127)


def _execute(command: list[str], environ: Mapping[str, str]) -> NoReturn:
    if not command[0]:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    try:
        os.execvpe(command[0], command, environ)  # noqa: S606  # the user's command
    except OSError as fault:
        if fault.errno != errno.ENOEXEC:
            raise
    import shutil

    script = shutil.which(command[0]) or command[0]
    os.execve("/bin/sh", ["/bin/sh", script, *command[1:]], environ)  # noqa: S606
