"""Where a path leads in a job that is redirected: a copy-on-write view, kept inside the process.

A path in a *view* (a pinned table) leads to the view's own directory. One of *files* is read where
its contents of then are. Any other is read where it is until it is written: then it leads to its
copy in the *mirror*, a directory of scratch that has every written path below it. What was removed
is noted in *gone*.

Standard library only, Python 3.8 on. Calls of ``os`` here are the originals.
"""

import hashlib
import os
import shutil
import stat

_stat, _lstat, _listdir, _makedirs = os.stat, os.lstat, os.listdir, os.makedirs
_realpath, _open, _close = os.path.realpath, os.open, os.close
_copy2, _copytree = shutil.copy2, shutil.copytree

FREE = ("/dev", "/proc", "/sys")
"""What has no contents of its own."""


def _exists(path):
    try:
        _lstat(path)
    except OSError:
        return False
    return True


def _is_directory(path):
    try:
        return stat.S_ISDIR(_stat(path).st_mode)
    except OSError:
        return False


def within(path, folder):
    """Whether ``path`` is ``folder`` or below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


class Paths:
    """The mapping of one job. All paths are absolute texts."""

    def __init__(self, scratch, views, files=None, absent=(), hidden=()):
        self.scratch = _realpath(scratch)
        self._views = sorted(views, key=lambda view: -len(view[0]))
        self._files = dict(files or {})
        self._mirror = os.path.join(self.scratch, "mirror")
        self._gone = os.path.join(self.scratch, "gone")
        for folder in (self._mirror, self._gone):
            _makedirs(folder, exist_ok=True)
        for path in (*absent, *hidden):
            self.forget(path)

    def absolute(self, path):
        """The real path of the directory that ``path`` is in, and its last part."""
        text = os.path.join(os.getcwd(), os.fsdecode(path))
        head, last = os.path.split(text.rstrip("/") or "/")
        if last in ("", ".", ".."):
            return _realpath(text)
        return os.path.join(_realpath(head), last)

    def is_free(self, path):
        """Whether a path is ours to write, or a device."""
        return any(within(path, folder) for folder in (self.scratch, *FREE))

    def reading(self, path):
        """Where to read what the job knows as ``path``."""
        path, there = self._placed(path)
        if there is None:
            return path
        if _exists(there) or self._is_gone(path):
            return there
        return self._files.get(path, path)

    def writing(self, path, keep=False):
        """Where to write it. With ``keep`` what it holds now is brought there first."""
        path, there = self._placed(path)
        if there is None:
            return path
        parent = os.path.dirname(path)
        if _is_directory(self.reading(parent)):
            _makedirs(os.path.dirname(there), exist_ok=True)
        if _exists(there):
            self._own(there, keep)
        elif keep and not self._is_gone(path) and _exists(self._files.get(path, path)):
            self._bring(self._files.get(path, path), there)
        return there

    def names(self, path):
        """Names in a directory, or None where there is none."""
        path, there = self._placed(path)
        if there is None:
            return set(_listdir(path))
        mine = set(_listdir(there)) if _is_directory(there) else None
        if self._is_gone(path) or not _is_directory(path):
            return mine
        theirs = {n for n in _listdir(path) if not self._noted(os.path.join(path, n))}
        return theirs | (mine or set())

    def exists(self, path):
        """Whether the job would find something there."""
        return _exists(self.reading(path))

    def forget(self, path):
        """Note that what really is at ``path`` is not to be seen."""
        _close(_open(self._note(self.absolute(path)), os.O_CREAT | os.O_WRONLY, 0o600))

    def real(self, path):
        """Whether something of the real file system still shows at ``path``."""
        path, there = self._placed(path)
        return there is not None and _exists(path) and not self._is_gone(path)

    # --- parts

    def _placed(self, path):
        """The absolute path, and where its copy is or would be (None: it is its own)."""
        path = self.absolute(path)
        if self.is_free(path):
            return path, None
        view = self._view_of(path)
        return path, view if view else self._mirror + path

    def _view_of(self, path):
        for origin, place in self._views:
            if within(path, origin):
                return place + path[len(origin) :]
        return None

    def _note(self, path):
        return os.path.join(self._gone, hashlib.sha256(os.fsencode(path)).hexdigest())

    def _noted(self, path):
        return _exists(self._note(path))

    def _is_gone(self, path):
        if self._view_of(path):
            return True  # a view is all there is below its path
        while path != "/":
            if self._noted(path):
                return True
            path = os.path.dirname(path)
        return False

    def _bring(self, path, there):
        if _is_directory(path):
            _makedirs(there, exist_ok=True)
        else:
            _copy2(path, there)

    def _own(self, there, keep):
        """A link to a real file gives way before it is written through."""
        target = _realpath(there)
        if not within(target, self.scratch) and os.path.islink(there):
            os.unlink(there)
            if keep:
                _copy2(target, there)

    def bring_tree(self, path):
        """Everything that shows below ``path``, copied to where it would be written."""
        there = self.writing(path, keep=True)
        for name in self.names(path) or ():
            child = os.path.join(self.absolute(path), name)
            if _is_directory(self.reading(child)):
                self.bring_tree(child)
            else:
                self.writing(child, keep=True)
        return there
