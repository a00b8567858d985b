"""What the job sees: a mirror of what is there, overlays where it may write, nothing that talks.

The order matters. First everything that is there becomes read-only at once, with devices and
set-uid off; then its mirror becomes the root, and whatever is added after that is ours. Last, what
is real goes out of sight. Sources are opened before anything covers them and are named
``/proc/self/fd/N``, so that a mount never sees an earlier one, and no character of a path has a
meaning.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable

from lineage.reproduce.sandbox import kernel
from lineage.reproduce.sandbox.devices import mount_devices
from lineage.reproduce.sandbox.kernel import ATTR_NODEV, ATTR_NOSUID, ATTR_RDONLY, MS_BIND, MS_REC
from lineage.reproduce.sandbox.mirror import Mirror
from lineage.reproduce.sandbox.places import Shadow, contains, hold, make_place, mount_overlay
from lineage.reproduce.sandbox.spec import Overlay, Spec

__all__ = ["Scratch", "build", "listening_sockets", "mount_points"]
_SEALED = ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV


class Scratch:
    """The one place that can be written while the sandbox is built, and its memory."""

    def __init__(self, root: str) -> None:
        kernel.mount(root, root, flags=MS_BIND)
        kernel.set_mount(root, clear=ATTR_RDONLY)
        self._root = hold(root)
        self._folders = 0
        self._in_memory: list[tuple[str, str]] = []
        empty = os.path.join(self._root, "empty")
        os.close(os.open(empty, os.O_CREAT | os.O_WRONLY, 0o444))
        self._empty = hold(empty)

    def folder(self) -> str:
        """A new, empty directory."""
        self._folders += 1
        path = os.path.join(self._root, f"sandbox-{self._folders}")
        os.mkdir(path)
        return path

    def cover(self, path: str) -> None:
        """An empty file stands over the file or socket at ``path``."""
        _bind(self._empty, path)

    def memory(self, upper: str) -> str:
        """A directory like ``upper`` in memory, for disks that an overlay cannot write to."""
        memory = os.path.join(self._root, "memory")
        if not self._in_memory:
            os.makedirs(memory, exist_ok=True)
            kernel.mount("tmpfs", memory, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV)
        place = os.path.join(memory, str(len(self._in_memory)))
        for part in ("data", "work"):
            os.makedirs(os.path.join(place, part))
        os.chmod(os.path.join(place, "data"), os.stat(os.path.join(upper, "data")).st_mode)
        self._in_memory.append((hold(place), upper))
        return place

    @property
    def used_memory(self) -> bool:
        """Whether anything that the job writes is kept in memory until it ends."""
        return bool(self._in_memory)

    def leave(self) -> None:
        """Take it out of the job's sight. What this process holds open can still be written."""
        kernel.unmount(self._root)

    def save(self) -> None:
        """Copy what the job wrote to memory to the disk."""
        for memory, upper in self._in_memory:
            shutil.copytree(
                os.path.join(memory, "data"), os.path.join(upper, "data"),
                symlinks=True, dirs_exist_ok=True, ignore=_special,
            )  # fmt: skip


def build(spec: Spec, sockets: Iterable[str]) -> tuple[Scratch, list[str]]:
    """Make the private mount namespace of this process what ``spec`` says. Raises ``OSError``.

    Also returns the paths whose inodes the job shares with everybody: ``Mirror.shared``.
    """
    inherited = mount_points()
    hidden = spec.hidden if spec.network else (*spec.hidden, os.path.realpath("/run"))
    kernel.mount("none", "/", flags=MS_REC | kernel.MS_PRIVATE)
    kernel.set_mount("/", add=_SEALED, recursive=True)
    scratch = Scratch(spec.scratch)
    held = [
        Overlay(one.target, tuple(map(hold, one.lowers)), hold(one.upper)) for one in spec.overlays
    ]
    contents = [(hold(source), target) for source, target in spec.files]
    mirror = _mirror(spec, sockets, scratch, inherited)
    for overlay, named in zip(held, spec.overlays, strict=True):
        os.makedirs(overlay.target, exist_ok=True)
        if any(contains(lower, inherited) for lower in named.lowers):
            Shadow(spec, inherited, mirror.show).cast(overlay)
        else:
            _overlay(overlay, scratch)
    _arrange(spec, contents)
    for path in hidden:
        _hide(path, spec.kept, scratch)
    scratch.leave()
    mount_devices()
    mirror.leave()
    seen = (path for path in mirror.shared if not _is_hidden(path, hidden, spec.kept))
    return scratch, sorted(seen)


def _mirror(
    spec: Spec, sockets: Iterable[str], scratch: Scratch, mount_points: Iterable[str]
) -> Mirror:
    """Enter the mirror. Servers that listen now can be reached where the network is allowed."""
    servers: list[tuple[str, str]] = []
    for path in sockets:
        with contextlib.suppress(FileNotFoundError):  # nobody listens any more
            servers.append((hold(path), path))

    def cover(place: str, target: str) -> None:
        for _, path in () if spec.network else servers:
            if contains(place, [path]):
                with contextlib.suppress(FileNotFoundError):  # it has gone meanwhile
                    scratch.cover(os.path.join(target, os.path.relpath(path, place)))

    targets = [one.target for one in spec.overlays]
    mirror = Mirror(scratch.folder(), scratch.folder(), mount_points, targets, cover)
    mirror.enter()
    for server, path in servers if spec.network else ():
        with contextlib.suppress(FileNotFoundError):  # removed meanwhile
            if os.path.exists(path):  # not below what another overlay is going to stand on
                _bind(server, path)
    return mirror


def _arrange(spec: Spec, contents: Iterable[tuple[str, str]]) -> None:
    """What is to be there, and what is not, when the job starts."""
    for folder in spec.folders:
        os.makedirs(folder, exist_ok=True)
    for source, target in contents:
        make_place(target, directory=False)
        _bind(source, target)
    for path in spec.absent:
        _remove(path)


def _is_hidden(path: str, hidden: Iterable[str], kept: Iterable[str]) -> bool:
    """Whether nothing below a path is left for the job to see."""
    inside = any(contains(place, [path]) or place == path for place in hidden)
    left = any(path == one or contains(one, [path]) or contains(path, [one]) for one in kept)
    return inside and not left


def listening_sockets() -> list[str]:
    """Sockets of this host that have a path: a read-only mount does not keep anyone from them."""
    with open("/proc/net/unix", "rb") as table:
        named = {line.rstrip(b"\n").split(b" ")[-1] for line in table if b" /" in line}
    paths = (os.fsdecode(name) for name in named)
    return sorted(path for path in paths if _is_socket(path))


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:  # of another mount namespace, or not ours to see
        return False


def mount_points() -> list[str]:
    """Where anything is mounted, as this process sees it."""
    with open("/proc/self/mountinfo", "rb") as table:
        fields = [line.split(b" ")[4] for line in table]
    # The kernel writes space, tab, newline and backslash as octal escapes.
    return [
        os.fsdecode(field.decode("unicode_escape").encode("latin-1") if b"\\" in field else field)
        for field in fields
    ]


def _bind(source: str, target: str) -> None:
    kernel.mount(source, target, flags=MS_BIND)
    kernel.set_mount(target, add=_SEALED)


def _overlay(overlay: Overlay, scratch: Scratch) -> None:
    """Mount an overlay; on a disk that it cannot write to (another overlay, NFS), in memory."""
    try:
        mount_overlay(overlay.target, overlay.lowers, overlay.upper)
    except OSError:
        mount_overlay(overlay.target, overlay.lowers, scratch.memory(overlay.upper))


def _remove(path: str) -> None:
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        pass


def _hide(path: str, kept: Iterable[str], scratch: Scratch) -> None:
    """Nothing is at ``path`` but what is kept."""
    if not os.path.isdir(path):
        with contextlib.suppress(FileNotFoundError):
            scratch.cover(os.path.realpath(path))
        return
    inside: list[tuple[str, str]] = []
    for name in kept:
        with contextlib.suppress(FileNotFoundError):
            inside += [(name, hold(name))] if contains(path, [name]) else []
    kernel.mount("tmpfs", path, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=0755")
    for name, source in inside:
        make_place(name, directory=os.path.isdir(source))
        kernel.mount(source, name, flags=MS_BIND | MS_REC)
    kernel.set_mount(path, add=_SEALED)


def _special(directory: str, names: list[str]) -> set[str]:
    """Whiteouts and the like, which say what was removed, are not copied."""
    return {
        name
        for name in names
        if stat.S_IFMT(os.lstat(os.path.join(directory, name)).st_mode)
        not in {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}
    }
