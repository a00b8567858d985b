"""Calls of ``os`` and ``io`` with their paths led elsewhere.

A descriptor passes as it is; a path beside a ``dir_fd`` is made whole first.
"""

import builtins
import errno
import functools
import io
import os
import shutil

from lineage_paths import within

_READS = (
    "stat", "lstat", "access", "readlink", "statvfs", "pathconf", "chdir", "getxattr", "listxattr",
)  # fmt: skip
_CHANGES = ("chmod", "chown", "lchown", "utime", "truncate", "setxattr", "removexattr")
_MAKES = ("mkfifo", "mknod")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def install(paths):
    """Replace them for the whole process."""
    calls = _Calls(paths)
    for name in _READS:
        _replace(name, calls.around(paths.reading))
    for name in _CHANGES:
        _replace(name, calls.around(lambda path: paths.writing(path, keep=True)))
    for name in _MAKES:
        _replace(name, calls.around(paths.writing))
    for name in ("listdir", "scandir", "mkdir", "rmdir", "link", "symlink"):
        _replace(name, getattr(calls, name))
    _replace("open", calls.open_descriptor)
    for name in ("remove", "unlink"):
        _replace(name, calls.remove)
    for name in ("rename", "replace"):
        _replace(name, calls.rename)
    opened = functools.wraps(io.open)(calls.open_file(io.open))
    builtins.open = io.open = opened
    # The variant of rmtree that works on descriptors would not come by here.
    vars(shutil)["_use_fd_functions"] = False


def _replace(name, make):
    original = getattr(os, name, None)
    if original is not None:
        setattr(os, name, functools.wraps(original)(make(original)))


def _is_path(path):
    return not isinstance(path, int) and path is not None


def _whole(path, dir_fd):
    """A path relative to a descriptor, as a path."""
    if dir_fd is None or not _is_path(path) or os.path.isabs(os.fsdecode(path)):
        return path
    try:
        folder = os.readlink("/proc/self/fd/%d" % dir_fd)
    except OSError:
        folder = _folder_of(dir_fd)
    return os.path.join(folder, os.fsdecode(path))


def _folder_of(descriptor):
    """As above where there is no /proc (macOS)."""
    import fcntl

    name = fcntl.fcntl(descriptor, getattr(fcntl, "F_GETPATH", 50), b"\0" * 1024)
    return os.fsdecode(name.rstrip(b"\0"))


def _fault(number, path):
    return OSError(number, os.strerror(number), os.fsdecode(path))


class _Calls:
    def __init__(self, paths):
        self._paths = paths

    def around(self, lead):
        """A call whose first argument is a path."""

        def make(original):
            def call(path, *args, dir_fd=None, **options):
                if not _is_path(path):
                    return original(path, *args, **options)
                return original(lead(_whole(path, dir_fd)), *args, **options)

            return call

        return make

    def open_descriptor(self, original):
        def call(path, flags, mode=0o777, *, dir_fd=None):
            return original(self._for(_whole(path, dir_fd), flags), flags, mode)

        return call

    def _for(self, path, flags):
        if not flags & _WRITING:
            return self._paths.reading(path)
        if flags & os.O_CREAT and flags & os.O_EXCL and self._paths.exists(path):
            raise _fault(errno.EEXIST, path)
        return self._paths.writing(path, keep=not flags & os.O_TRUNC)

    def open_file(self, original):
        def call(file, mode="r", *args, **options):
            if not _is_path(file):
                return original(file, mode, *args, **options)
            opener = options.get("opener") or (args[5] if len(args) > 5 else None)
            if "x" in mode and opener is None and self._paths.exists(file):
                raise _fault(errno.EEXIST, file)
            if set(mode) & set("wax+"):
                place = self._paths.writing(file, keep="w" not in mode)
            else:
                place = self._paths.reading(file)
            return original(place, mode, *args, **options)

        return call

    def listdir(self, original):
        def call(path="."):
            if not _is_path(path):
                return original(path)
            names = self._paths.names(path)
            if names is None:
                return original(self._paths.reading(path))
            found = sorted(names)
            return [os.fsencode(name) for name in found] if isinstance(path, bytes) else found

        return call

    def scandir(self, original):
        def call(path="."):
            if not _is_path(path) or isinstance(path, bytes):
                return original(path)
            names = self._paths.names(path)
            if names is None:
                return original(self._paths.reading(path))
            return _Listing(_Entry(os.fspath(path), name) for name in sorted(names))

        return call

    def mkdir(self, original):
        def call(path, mode=0o777, *, dir_fd=None):
            path = _whole(path, dir_fd)
            if self._paths.exists(path):
                raise _fault(errno.EEXIST, path)
            original(self._paths.writing(path), mode)

        return call

    def rmdir(self, original):
        def call(path, *, dir_fd=None):
            path = _whole(path, dir_fd)
            if self._paths.names(path):
                raise _fault(errno.ENOTEMPTY, path)
            self._take_away(original, path)

        return call

    def remove(self, original):
        def call(path, *, dir_fd=None):
            self._take_away(original, _whole(path, dir_fd))

        return call

    def _take_away(self, original, path):
        place = self._paths.writing(path)
        real = self._paths.real(path)
        if os.path.lexists(place) or not real:
            original(place)
        if real:
            self._paths.forget(path)

    def rename(self, original):
        def call(src, dst, *, src_dir_fd=None, dst_dir_fd=None):
            src, dst = _whole(src, src_dir_fd), _whole(dst, dst_dir_fd)
            if not self._paths.exists(src):
                raise _fault(errno.ENOENT, src)
            real = self._paths.real(src)
            place = self._paths.bring_tree(src)
            original(place, self._paths.writing(dst))
            if real:
                self._paths.forget(src)

        return call

    def link(self, original):
        def call(src, dst, *, src_dir_fd=None, dst_dir_fd=None, **options):
            src, dst = _whole(src, src_dir_fd), _whole(dst, dst_dir_fd)
            if self._paths.exists(dst):
                raise _fault(errno.EEXIST, dst)
            # A link to something real would let it be written to.
            original(self._paths.writing(src, keep=True), self._paths.writing(dst), **options)

        return call

    def symlink(self, original):
        def call(src, dst, *args, dir_fd=None, **options):
            dst = _whole(dst, dir_fd)
            if self._paths.exists(dst):
                raise _fault(errno.EEXIST, dst)
            folder = os.path.dirname(self._paths.absolute(dst))
            target = os.path.join(folder, os.fsdecode(src))
            inside = within(self._paths.writing(target), self._paths.scratch)
            lead = self._paths.writing(target, keep=True) if inside else src
            original(lead, self._paths.writing(dst), *args, **options)

        return call


class _Listing:
    """What ``os.scandir`` returns: an iterator that can be closed."""

    def __init__(self, entries):
        self._entries = entries

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._entries)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self._entries.close()


class _Entry:
    """What stands for ``os.DirEntry``, which cannot be made."""

    def __init__(self, folder, name):
        self.name = name
        self.path = os.path.join(folder, name)

    def __fspath__(self):
        return self.path

    def inode(self):
        return os.lstat(self.path).st_ino

    def stat(self, *, follow_symlinks=True):
        return os.stat(self.path) if follow_symlinks else os.lstat(self.path)

    def is_symlink(self):
        return os.path.islink(self.path)

    def is_dir(self, *, follow_symlinks=True):
        return os.path.isdir(self.path) and (follow_symlinks or not self.is_symlink())

    def is_file(self, *, follow_symlinks=True):
        return os.path.isfile(self.path) and (follow_symlinks or not self.is_symlink())
