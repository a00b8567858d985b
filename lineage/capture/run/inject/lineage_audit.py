"""Watches a Python process by its audit events, where the preloaded library is not there.

It sees what Python code opens, not what native code does (Arrow, Delta, ``torch.save``), and no
process that is not Python: whoever reads the log says so.
"""

import os
import stat
import sys
import threading

from lineage_hook import record

_MADE, _EMPTIED, _REPLACED, _DIRECTORY = 4, 8, 1, 2
_MOST_REMEMBERED = 100_000
_PSEUDO = ("/proc/", "/sys/", "/dev/")


class _Log:
    """The log, kept open (see ``shim/report.h``, ``open_log``); checked before a write.

    A job may close or reuse descriptors.
    """

    def __init__(self, path):
        self._path = path
        self._fd = -1
        self._identity = None

    def write(self, data):
        if not self._is_ours():
            self._open()
        os.write(self._fd, data)

    def _is_ours(self):
        try:
            found = os.fstat(self._fd)
        except (OSError, OverflowError):
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def _open(self):
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0))
        try:
            import fcntl

            high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 200)
        except (ImportError, OSError):
            high = fd
        if high != fd:
            os.close(fd)
        found = os.fstat(high)
        self._fd, self._identity = high, (found.st_dev, found.st_ino)


class _Hook:
    def __init__(self, log):
        self._log = _Log(log)
        self._own = os.path.realpath(log)
        self._seen = set()
        self._busy = threading.local()

    def __call__(self, event, args):
        handle = _EVENTS.get(event)
        if handle is None or getattr(self._busy, "now", False):
            return
        self._busy.now = True
        try:
            handle(self, args)
        except Exception:  # never into the job
            pass
        finally:
            self._busy.now = False

    def _send(self, op, a, b, c, path1, path2=b""):
        self._log.write(record(op, a, b, c, path1, path2))

    def _once(self, path, a):
        """False for an open that was told already. Uses of a table's log are always told."""
        if b"/_delta_log/" in path:
            self._seen.clear()
            return True
        if len(self._seen) > _MOST_REMEMBERED:
            self._seen.clear()
        known = len(self._seen)
        self._seen.add((path, a))
        return len(self._seen) != known

    def opened(self, args):
        path, _, flags = args
        if isinstance(path, int):
            return
        if not isinstance(flags, int):
            flags = 0
        self._open(_absolute(path), flags)

    def connected(self, args):
        database = args[0]
        if database in (":memory:", "", b":memory:", b""):
            return
        text = os.fsdecode(database)
        if text.startswith("file:"):
            text = text[5:].partition("?")[0]
        self._open(_absolute(text), os.O_RDWR | os.O_CREAT)

    def _open(self, path, flags):
        access = flags & os.O_ACCMODE
        if os.fsdecode(path).startswith(_PSEUDO) and not path.startswith(b"/dev/shm/"):
            return
        try:
            found = os.stat(path)
        except OSError:
            if not flags & os.O_CREAT:
                return
            a, size, mtime = access | _MADE, 0, 0
        else:
            if not stat.S_ISREG(found.st_mode):
                return
            a = access | (_EMPTIED if flags & os.O_TRUNC else 0)
            size, mtime = found.st_size, found.st_mtime_ns
        if self._once(path, a):
            self._send("O", a, size, mtime, path)

    def renamed(self, args):
        before, after = _absolute(args[0]), _absolute(args[1])
        found = os.lstat(before)
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            return
        a = _DIRECTORY if stat.S_ISDIR(found.st_mode) else 0
        self._seen.clear()
        self._send("N", a | (_REPLACED if os.path.lexists(after) else 0), 0, 0, before, after)

    def linked(self, args):
        self._seen.clear()
        self._send("L", 0, 0, 0, _absolute(args[0]), _absolute(args[1]))

    def removed(self, args):
        path = _absolute(args[0])
        if stat.S_ISREG(os.lstat(path).st_mode):
            self._seen.clear()
            self._send("U", 0, 0, 0, path)

    def truncated(self, args):
        if not isinstance(args[0], int):
            self._send("T", 0, 0, 0, _absolute(args[0]))


_EVENTS = {
    "open": _Hook.opened,
    "sqlite3.connect": _Hook.connected,
    "os.rename": _Hook.renamed,
    "os.link": _Hook.linked,
    "os.remove": _Hook.removed,
    "os.truncate": _Hook.truncated,
}


def _absolute(path):
    return os.path.join(os.getcwdb(), os.fsencode(path))


def install(log):
    """Watch this process; there is no way to stop."""
    sys.addaudithook(_Hook(log))
