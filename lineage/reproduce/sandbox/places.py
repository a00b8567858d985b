"""Directories that the job may write to: an overlay, or where that is impossible its shadow."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator

from lineage.reproduce.sandbox import kernel
from lineage.reproduce.sandbox.kernel import MS_BIND
from lineage.reproduce.sandbox.spec import Overlay, Spec

__all__ = [
    "MOST_ENTRIES",
    "Shadow",
    "contains",
    "hold",
    "make_place",
    "mount_overlay",
    "unless_gone",
]

MOST_ENTRIES = 4096
"""How many entries a directory with mounts below it may have."""


def contains(directory: str, paths: Iterable[str]) -> bool:
    """Whether any of the paths is below a directory."""
    prefix = directory.rstrip("/") + "/"
    return any(path.startswith(prefix) for path in paths)


def hold(path: str) -> str:
    """A name for what is at ``path`` now, whatever will cover it."""
    return f"/proc/self/fd/{os.open(path, os.O_PATH)}"


def make_place(path: str, *, directory: bool) -> None:
    """Something of the right kind to mount over."""
    os.makedirs(path if directory else os.path.dirname(path), exist_ok=True)
    if not directory and not os.path.lexists(path):
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))


@contextlib.contextmanager
def unless_gone(place: str) -> Iterator[None]:
    """What others removed or replaced while it was being shown is not there, nor its place."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        with contextlib.suppress(FileNotFoundError):
            (os.rmdir if stat.S_ISDIR(os.lstat(place).st_mode) else os.unlink)(place)


def mount_overlay(
    target: str, lowers: tuple[str, ...], upper: str, data: str = "", work: str = ""
) -> None:
    """Mount an overlay at ``target`` that is written to ``data``, by default that of ``upper``."""
    # volatile: nobody needs the scratch after a crash, so the job's fsync costs nothing.
    options = (
        f"lowerdir={':'.join(lowers)},upperdir={data or upper + '/data'}"
        f",workdir={work or upper + '/work'},userxattr,volatile"
    )
    kernel.mount("overlay", target, "overlay", kernel.MS_NOSUID | kernel.MS_NODEV, options)


class Shadow:
    """The scratch directory itself, with every entry of the real one shown in it, read-only.

    For directories that have mounts below them, which an overlay of another user's namespace may
    not uncover. New entries can be made; the existing ones cannot be replaced, but for outputs,
    which are copies. What was brought there before (the code as it was) stays on top.
    """

    def __init__(
        self, spec: Spec, mount_points: Iterable[str], show: Callable[[str, str, str], None]
    ) -> None:
        self._absent = frozenset(spec.absent)
        self._written = frozenset(spec.written)
        self._mount_points = tuple(mount_points)
        self._show = show
        self._works = 0

    def cast(self, overlay: Overlay) -> None:
        """Make ``overlay.target`` the shadow of its lowers. Raises ``OSError``."""
        entries: dict[str, str] = {}
        for lower in reversed(overlay.lowers):
            entries.update((name, os.path.join(lower, name)) for name in os.listdir(lower))
        if len(entries) > MOST_ENTRIES:
            raise OSError(0, f"more than {MOST_ENTRIES} entries beside a mount", overlay.target)
        self._cast(overlay.target, entries, os.path.join(overlay.upper, "data"), overlay.upper)

    def _cast(self, target: str, entries: dict[str, str], data: str, upper: str) -> None:
        bound: list[tuple[str, str]] = []
        merged: list[tuple[str, str, str]] = []
        for name, source in sorted(entries.items()):
            place, shown = os.path.join(data, name), os.path.join(target, name)
            if shown in self._absent:
                continue
            if not os.path.lexists(place):
                with unless_gone(place):
                    if self._placed(source, place, shown):
                        bound.append((source, shown))
            elif os.path.isdir(place):
                with contextlib.suppress(FileNotFoundError):
                    if stat.S_ISDIR(os.lstat(source).st_mode):
                        merged.append((shown, hold(source), hold(place)))
        kernel.mount(data, target, flags=MS_BIND)
        for source, shown in bound:
            with unless_gone(shown):
                self._show(source, shown, shown)
        for shown, source, place in merged:
            self._merge(shown, source, place, upper)

    def _placed(self, source: str, place: str, shown: str) -> bool:
        """Whether there is now a place at which ``source`` is to be shown."""
        mode = os.lstat(source).st_mode
        if stat.S_ISLNK(mode):
            os.symlink(os.readlink(source), place)
        elif stat.S_ISREG(mode) and shown in self._written:
            shutil.copy2(source, place)
        elif stat.S_ISDIR(mode) or stat.S_ISREG(mode):
            make_place(place, directory=stat.S_ISDIR(mode))
            return True
        return False

    def _merge(self, target: str, source: str, data: str, upper: str) -> None:
        """A directory that both sides have: what was brought there lies over the real one."""
        if contains(target, self._mount_points) or target in self._mount_points:
            entries = {name: os.path.join(source, name) for name in os.listdir(source)}
            self._cast(target, entries, data, upper)
            return
        self._works += 1
        work = os.path.join(upper, f"work-{self._works}")
        os.mkdir(work)
        mount_overlay(target, (source,), upper, data, work)
