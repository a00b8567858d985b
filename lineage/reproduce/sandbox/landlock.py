"""The weaker confinement, for hosts that refuse namespaces: Linux's Landlock.

It changes nothing of what the job sees (redirection inside the interpreter does that), but keeps
native code too from creating, writing, truncating or removing anything outside the scratch space,
and from TCP, signals and abstract sockets of others where the kernel knows how (see ``_FS_SINCE``
and below). It does not keep a job from changing modes or times, nor from sockets that have a path.
"""

from __future__ import annotations

import ctypes
import os
import signal
import stat
import sys
import time

from lineage.reproduce.sandbox import kernel
from lineage.reproduce.sandbox.main import Teller, become
from lineage.reproduce.sandbox.spec import load

__all__ = ["confine", "main"]

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1

# linux/landlock.h: rights over files, each since a version of the interface.
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_FS_SINCE = (
    (1, _WRITE_FILE | 0b1_1111_1111_0000),  # remove and make: directories, files, links, nodes
    (2, 1 << 13),  # move or link to another directory
    (3, _TRUNCATE),
)
_OF_FILES = _WRITE_FILE | _TRUNCATE
_CONNECT_TCP, _TCP_SINCE = 1 << 1, 4
_SCOPES, _SCOPES_SINCE = 0b11, 6
_SHARED = ("/dev/null", "/dev/zero", "/dev/full", "/dev/shm")  # noqa: S108
"""What everything may write to. Without /dev/shm Python's multiprocessing has no semaphores."""


def main() -> None:
    """Become the job that standard input describes, confined as far as the kernel can."""
    tell = Teller(int(sys.argv[1]))
    started = time.monotonic()
    spec = load(sys.stdin.buffer.read())
    if sys.platform == "linux":
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    confined = confine((spec.scratch, *_SHARED), network=spec.network)
    tell(ready=time.monotonic() - started, landlock=confined)
    if confined:
        spec.env["LINEAGE_CONFINED"] = "1"
    become(spec, tell, privileged=True)


def confine(writable: tuple[str, ...], *, network: bool) -> bool:
    """Forbid this process and its children to write anywhere but beneath ``writable``.

    False where the kernel has no Landlock, or not enabled. Raises ``OSError``.
    """
    version = _version()
    if version < 1:
        return False
    rights = sum(right for since, right in _FS_SINCE if version >= since)
    tcp = _CONNECT_TCP if version >= _TCP_SINCE and not network else 0
    scopes = _SCOPES if version >= _SCOPES_SINCE and not network else 0
    rules = _create(version, rights, tcp, scopes)
    for path in writable:
        if os.path.exists(path):
            _allow(rules, path, rights)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.syscall("landlock_restrict_self", _RESTRICT, ctypes.c_int(rules), ctypes.c_uint32(0))
    os.close(rules)
    return True


def _version() -> int:
    if sys.platform != "linux":
        return 0
    try:
        return kernel.syscall(
            "landlock_create_ruleset", _CREATE, None, ctypes.c_size_t(0), _flag(_VERSION_FLAG)
        )
    except OSError:
        return 0


def _create(version: int, rights: int, tcp: int, scopes: int) -> int:
    attributes = (ctypes.c_uint64 * 3)(rights, tcp, scopes)
    known = 3 if version >= _SCOPES_SINCE else 2 if version >= _TCP_SINCE else 1
    size = ctypes.c_size_t(known * ctypes.sizeof(ctypes.c_uint64))
    return kernel.syscall(
        "landlock_create_ruleset", _CREATE, ctypes.byref(attributes), size, _flag(0)
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def _allow(rules: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH)
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _OF_FILES
        rule = _PathBeneath(rights, descriptor)
        kernel.syscall(
            "landlock_add_rule",
            _ADD,
            ctypes.c_int(rules),
            ctypes.c_int(_PATH_BENEATH),
            ctypes.byref(rule),
            _flag(0),
        )
    finally:
        os.close(descriptor)


def _flag(value: int) -> ctypes.c_uint32:
    return ctypes.c_uint32(value)
