"""Where a path leads in a job that is redirected: a copy-on-write view, kept inside the process.

A path in a *view* (a pinned table) leads to the view's own directory. One of *files* is read where
its contents of then are. Any other is read where it is until it is written: then it leads to its
copy in the *mirror*, a directory of scratch that has every written path below it. What was removed
is noted in *gone*.

Standard library only, Python 3.8 on. Calls of ``os`` here are the originals.
"""

import errno
import hashlib
import os
import stat

# The originals: by the time these are called, the names in `os` are wrapped.
_stat, _lstat, _listdir, _mkdir, _unlink = os.stat, os.lstat, os.listdir, os.mkdir, os.unlink
_readlink, _open, _close, _chmod, _utime = os.readlink, os.open, os.close, os.chmod, os.utime
_open_file = open
_CHUNK = 1 << 20
_MOST_LINKS = 40

FREE = ("/dev", "/proc", "/sys")
"""What has no contents of its own."""


def _exists(path):
    try:
        _lstat(path)
    except OSError:
        return False
    return True


def _is_link(path):
    try:
        return stat.S_ISLNK(_lstat(path).st_mode)
    except OSError:
        return False


def _is_directory(path):
    try:
        return stat.S_ISDIR(_stat(path).st_mode)
    except OSError:
        return False


def resolve(path):
    """The real path of an absolute one; what is not there stays as it is."""
    done, todo, links = "/", path.split("/")[::-1], 0
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        if part == "..":
            done = os.path.dirname(done)
            continue
        place = os.path.join(done, part)
        try:
            target = _readlink(place) if stat.S_ISLNK(_lstat(place).st_mode) else None
        except OSError:
            target = None
        if target is None:
            done = place
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        if target.startswith("/"):
            done = "/"
        todo += target.split("/")[::-1]
    return done


def _make_folders(path):
    if not _is_directory(path):
        _make_folders(os.path.dirname(path))
        try:  # noqa: SIM105  # imports as little as can be
            _mkdir(path)
        except FileExistsError:  # by a child
            pass


def _copy(source, target):
    with _open_file(source, "rb") as one, _open_file(target, "wb") as other:
        for chunk in iter(lambda: one.read(_CHUNK), b""):
            other.write(chunk)
    found = _stat(source)
    _chmod(target, stat.S_IMODE(found.st_mode) | stat.S_IWUSR)
    _utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def within(path, folder):
    """Whether ``path`` is ``folder`` or below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


class Paths:
    """The mapping of one job. All paths are absolute texts."""

    def __init__(self, scratch, views, files=None, absent=(), hidden=()):
        self.scratch = resolve(scratch)
        self._views = sorted(views, key=lambda view: -len(view[0]))
        self._files = dict(files or {})
        self._mirror = os.path.join(self.scratch, "mirror")
        self._gone = os.path.join(self.scratch, "gone")
        for folder in (self._mirror, self._gone):
            _make_folders(folder)
        for path in (*absent, *hidden):
            self.forget(path)

    def absolute(self, path):
        """The real path of the directory that ``path`` is in, and its last part."""
        text = os.path.join(os.getcwd(), os.fsdecode(path))
        head, last = os.path.split(text.rstrip("/") or "/")
        if last in ("", ".", ".."):
            return resolve(text)
        return os.path.join(resolve(head), last)

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
            _make_folders(os.path.dirname(there))
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
            _make_folders(there)
        else:
            _copy(path, there)

    def _own(self, there, keep):
        """A link to a real file gives way before it is written through."""
        target = resolve(there)
        if not within(target, self.scratch) and _is_link(there):
            _unlink(there)
            if keep:
                _copy(target, there)

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
