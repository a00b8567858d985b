"""A ``/dev`` with what a computation needs: no disks, no terminals, no shared memory of others."""

from __future__ import annotations

import contextlib
import glob
import os
import stat

from lineage.reproduce.sandbox import kernel

__all__ = ["mount_devices"]

_DEVICES = ("null", "zero", "full", "random", "urandom")
_SHM = "/dev/shm"  # noqa: S108  # a mount point, not a temporary file
_ACCELERATORS = ("nvidia*", "dri", "kfd")
_LINKS = {
    "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx",
}  # fmt: skip


def mount_devices() -> None:
    """Mount it over the host's ``/dev``. A read-only mount would not keep anyone from a disk."""
    held = [(path, os.open(path, os.O_PATH)) for path in _wanted()]
    plain = kernel.MS_NOSUID | kernel.MS_NOEXEC
    kernel.mount("tmpfs", "/dev", "tmpfs", plain, "mode=0755")
    for path, source in held:
        _place(path, directory=stat.S_ISDIR(os.stat(source).st_mode))
        kernel.mount(f"/proc/self/fd/{source}", path, flags=kernel.MS_BIND | kernel.MS_REC)
        kernel.set_mount(path, clear=kernel.ATTR_NODEV, recursive=True)
    for name, target in _LINKS.items():
        os.symlink(target, f"/dev/{name}")
    os.mkdir(_SHM)
    kernel.mount("tmpfs", _SHM, "tmpfs", plain | kernel.MS_NODEV, "mode=1777")
    os.mkdir("/dev/pts")
    # Few jobs open a terminal; a host that refuses a new instance need not refuse them all.
    with contextlib.suppress(OSError):
        kernel.mount("devpts", "/dev/pts", "devpts", plain, "newinstance,ptmxmode=0666,mode=0620")
    kernel.set_mount("/dev", add=kernel.ATTR_RDONLY)


def _wanted() -> list[str]:
    there = [f"/dev/{name}" for name in _DEVICES if os.path.exists(f"/dev/{name}")]
    return there + [path for name in _ACCELERATORS for path in sorted(glob.glob(f"/dev/{name}"))]


def _place(path: str, *, directory: bool) -> None:
    if directory:
        os.mkdir(path)
    else:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o666))
