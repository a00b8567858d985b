"""The system calls of the sandbox, by ctypes: Python 3.11 has no ``os.unshare`` and no ``mount``.

Every function raises ``OSError`` as the standard library's would. Numbers are of ``linux/*.h``;
those of system calls added since 5.0 are the same on every architecture.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import socket
import struct
from functools import cache

CLONE_NEWNS, CLONE_NEWIPC = 0x00020000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2

ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV = 1, 2, 4

PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_SECUREBITS = 1, 24, 28
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 38, 47

_SYS_MOUNT_SETATTR = 442
_SYS_KEYCTL = {"x86_64": 250, "aarch64": 219}
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_CAP_VERSION_3 = 0x20080522
_LAST_CAP = 63
# NOROOT, NO_SETUID_FIXUP and NO_CAP_AMBIENT_RAISE, each with its lock, and the lock of KEEP_CAPS:
# no id and no file gives a capability back.
_SECURE_FOREVER = 0b1110_1111
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc


def _done(result: int, what: str, path: str = "") -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}", path or None)
    return result


def syscall(what: str, number: int, *args: object) -> int:
    """A system call by its number; ``what`` names it in the error."""
    return _done(_libc().syscall(ctypes.c_long(number), *args), what)


def unshare(flags: int) -> None:
    """Leave the namespaces that ``flags`` names for new ones."""
    _done(_libc().unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount ``source`` at ``target``."""
    _done(
        _libc().mount(
            os.fsencode(source),
            os.fsencode(target),
            kind.encode() or None,
            ctypes.c_ulong(flags),
            options.encode() or None,
        ),
        f"mount {kind or 'bind'}",
        target,
    )


def pivot_root(new: str, old: str) -> None:
    """Make the mount at ``new`` the root of this namespace, and mount the former one at ``old``."""
    _done(_libc().pivot_root(os.fsencode(new), os.fsencode(old)), "pivot_root", new)


def unmount(target: str) -> None:
    """Take a mount away; what still has it open keeps it."""
    _done(_libc().umount2(os.fsencode(target), MNT_DETACH), "umount", target)


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def set_mount(path: str, *, add: int = 0, clear: int = 0, recursive: bool = False) -> None:
    """Set and clear attributes of the mount at ``path``, or at once of all mounts below it too."""
    attributes = _MountAttributes(add, clear, 0, 0)
    _done(
        _libc().syscall(
            ctypes.c_long(_SYS_MOUNT_SETATTR),
            ctypes.c_int(_AT_FDCWD),
            os.fsencode(path),
            ctypes.c_uint(_AT_RECURSIVE if recursive else 0),
            ctypes.byref(attributes),
            ctypes.c_size_t(ctypes.sizeof(attributes)),
        ),
        "mount_setattr",
        path,
    )


def prctl(option: int, *args: int) -> None:
    """An operation on this process."""
    padded = [ctypes.c_ulong(arg) for arg in (*args, 0, 0, 0, 0)[:4]]
    _done(_libc().prctl(ctypes.c_int(option), *padded), "prctl")


def new_session_keyring() -> None:
    """Give up the inherited kernel keyring, where the number of the call is known."""
    number = _SYS_KEYCTL.get(platform.machine())
    if number is not None:
        join_session_keyring = 1
        syscall("keyctl", number, ctypes.c_int(join_session_keyring), None)


def drop_privileges() -> None:
    """Give up every capability, for this process and all that it will ever run."""
    for capability in range(_LAST_CAP + 1):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # beyond the last one this kernel knows
            break
    clear_all = 4
    prctl(PR_CAP_AMBIENT, clear_all)
    prctl(PR_SET_SECUREBITS, _SECURE_FOREVER)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    header = (ctypes.c_uint32 * 2)(_CAP_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _done(_libc().capset(ctypes.byref(header), ctypes.byref(nothing)), "capset")


def raise_loopback() -> None:
    """Bring up ``lo`` of a new network namespace: the job may talk to itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14s", b"lo", 0, b"")
        flags = struct.unpack("16sH14s", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", flags | _IFF_UP, b""))


def map_ids(uid: int, gid: int) -> None:
    """Be the same user and group inside a new user namespace. Everybody else is nobody."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)
