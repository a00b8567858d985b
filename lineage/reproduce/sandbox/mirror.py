"""The real file system behind other inodes: read-only overlays, which become the job's root.

A read-only mount keeps a job from changing files, but not from what is no matter of a disk: to
connect to a socket, to write to a pipe, to hold a lock. An overlay shows the same names, contents
and inode numbers by inodes of its own, and these have sockets, pipes and locks of their own.

No overlay may reach what a mount covers: one over ``/`` is refused. So there is one for each
largest directory without mounts in it, and those above them are made anew in memory.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator

from lineage.reproduce.sandbox import kernel
from lineage.reproduce.sandbox.kernel import MS_BIND, MS_NODEV, MS_NOSUID, MS_REC
from lineage.reproduce.sandbox.places import (
    MOST_ENTRIES,
    contains,
    hold,
    make_place,
    unless_gone,
)

__all__ = ["Mirror"]

_SEALED = kernel.ATTR_RDONLY | kernel.ATTR_NOSUID | kernel.ATTR_NODEV
_OF_THE_KERNEL = ("/dev", "/proc", "/sys")
"""Not of disks. The job gets a ``/dev`` and a ``/proc`` of its own."""
_ROOM = 16 << 20
"""Bytes of files beside mounts that are copied. An overlay shows directories, not a file."""


class Mirror:
    """What a job sees of the real file system, but for ``left_out``, where other overlays will be.

    ``memory`` and ``void`` are empty directories in scratch. One layer is too few for an overlay,
    so there is a void below each, of which programs notice least if its disk is the same. Where it
    lies inside of what is mirrored it has to be one in memory.
    """

    def __init__(
        self,
        memory: str,
        void: str,
        mount_points: Iterable[str],
        left_out: Iterable[str],
        cover_sockets: Callable[[str, str], None],
    ) -> None:
        self.shared: list[str] = []
        """Where the job sees the real inodes, read-only: no overlay can stand on them."""
        self._cover_sockets = cover_sockets
        """Told the real name of such a place, and where it stands."""
        self._mount_points = tuple(mount_points)
        self._left_out = frozenset(left_out)
        self._room = _ROOM
        self._made = 0
        kernel.mount("tmpfs", memory, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
        self._memory = hold(memory)
        self._voids = hold(void), hold(self._new_folder()) + ",xino=on"  # one device for all files
        self._old_root = False

    def enter(self) -> None:
        """Make it the root. If it cannot be, everything stays as it is. Raises nothing."""
        root = self._new_folder()
        try:
            kernel.mount(root, root, flags=MS_BIND)
            self._fill("/", "/", root)
            os.chdir(root)
            kernel.pivot_root(".", ".")
            self._old_root = True
        except OSError:
            self.shared = ["/"]
            self._cover_sockets("/", "/")
        os.chdir("/")

    def leave(self) -> None:
        """Take the real file system out of sight: the last step. Overlays keep what is theirs."""
        if self._old_root:
            kernel.unmount(".")  # it lies upon the root, where no path leads to

    def show(self, source: str, path: str, target: str) -> None:
        """Have what is at ``source``, really named ``path``, at ``target``. Raises ``OSError``."""
        if path in self._left_out:
            return
        if path in _OF_THE_KERNEL:
            kernel.mount(source, target, flags=MS_BIND | MS_REC)
            return
        directory = os.path.isdir(source)
        try:
            if not directory:
                self._copy(source, target)
            elif contains(path, self._mount_points):
                self._beside_mounts(source, path, target)
            else:
                self._overlay(source, target)
        except OSError:
            kernel.mount(source, target, flags=MS_BIND | MS_REC)
            kernel.set_mount(target, add=_SEALED, recursive=True)
            if os.access(source, os.X_OK if directory else os.R_OK):
                self.shared.append(path)
                self._cover_sockets(path, target)

    def _new(self) -> str:
        self._made += 1
        return os.path.join(self._memory, str(self._made))

    def _new_folder(self) -> str:
        path = self._new()
        os.mkdir(path)
        return path

    def _overlay(self, source: str, target: str) -> None:
        with _held(source) as lower:
            ours, in_memory = (f"userxattr,lowerdir={lower}:{void}" for void in self._voids)
            try:
                kernel.mount("overlay", target, "overlay", MS_NOSUID | MS_NODEV, ours)
            except OSError:
                kernel.mount("overlay", target, "overlay", MS_NOSUID | MS_NODEV, in_memory)

    def _copy(self, source: str, target: str) -> None:
        size = os.stat(source).st_size
        if size > self._room:
            raise OSError(0, "too large to be copied", source)
        self._room -= size
        copy = self._new()
        shutil.copy2(source, copy)
        kernel.mount(copy, target, flags=MS_BIND)
        kernel.set_mount(target, add=_SEALED)

    def _beside_mounts(self, source: str, path: str, target: str) -> None:
        place = self._new_folder()
        kernel.mount(place, target, flags=MS_BIND)
        try:
            self._fill(source, path, target)
        except OSError:
            kernel.unmount(target)
            raise

    def _fill(self, source: str, path: str, target: str) -> None:
        names = os.listdir(source)
        if len(names) > MOST_ENTRIES:
            raise OSError(0, f"more than {MOST_ENTRIES} entries beside a mount", path)
        for name in names:
            entry = [os.path.join(folder, name) for folder in (source, path, target)]
            with unless_gone(entry[-1]):
                self._entry(*entry)
        shutil.copystat(source, target)
        kernel.set_mount(target, add=_SEALED)

    def _entry(self, source: str, path: str, target: str) -> None:
        try:
            mode = os.lstat(source).st_mode
        except OSError:  # a dead mount: the job could not look at it either
            return
        if stat.S_ISLNK(mode):
            os.symlink(os.readlink(source), target)
        elif stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            os.mknod(target, mode)
        elif stat.S_ISDIR(mode) or stat.S_ISREG(mode):
            make_place(target, directory=stat.S_ISDIR(mode))
            self.show(source, path, target)


@contextlib.contextmanager
def _held(path: str) -> Iterator[str]:
    """Options separate paths by colons and commas; a descriptor has none."""
    descriptor = os.open(path, os.O_PATH)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
