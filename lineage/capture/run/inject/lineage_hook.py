"""What is watched inside a job's Python: its environment, exact Delta versions, and its files.

The files only where the preloaded library is not there.

Standard library only, and little of it: this is imported at the start of every Python of a job. It
must work from 3.8 on, and must never raise into the job. Records have the format of
``shim/report.h`` and go to the same log.
"""

import os
import sys
import time

_HERE = os.path.dirname(os.path.abspath(__file__))
_state = {"log": ""}


def record(op, a, b, c, path1, path2=b""):
    """The bytes of one record; paths and fields are bytes."""
    head = "\x1e%s %d %d %d %d %d %d %d\n" % (
        op, os.getpid(), time.time_ns() // 1000, a, b, c, len(path1), len(path2),
    )  # fmt: skip
    return head.encode("ascii") + path1 + path2 + b"\n"


def fields(*values):
    """Texts as the path of a P or D record."""
    return b"\0".join(str(value).encode("utf-8", "surrogateescape") for value in values)


def send(data):
    """Append to the log, opened anew: these records are few, and a job may close descriptors."""
    fd = os.open(_state["log"], os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0))
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def _shim_is_loaded():
    shim = os.environ.get("LINEAGE_CAPTURE_SHIM")
    if not shim or not sys.platform.startswith("linux"):
        return False
    try:
        with open("/proc/self/maps", "rb") as maps:
            return os.fsencode(shim) in maps.read()
    except OSError:
        return False


def install():
    """Report this interpreter, then watch what has to be watched."""
    log = _state["log"] = os.environ.get("LINEAGE_CAPTURE_LOG", "")
    if not log:
        return
    version = "%d.%d.%d" % sys.version_info[:3]
    places = [entry for entry in sys.path if entry != _HERE]
    about = fields(
        sys.executable, version, sys.prefix, sys.base_prefix, sys.implementation.name, *places
    )
    send(record("P", 0, 0, 0, about))
    if not _shim_is_loaded():
        import lineage_audit

        lineage_audit.install(log)
        send(record("H", 0, 0, 0, b""))
    sys.meta_path.insert(0, _WhenImported())


def _load(name):
    """A module beside this one: its directory is off ``sys.path`` by the time it is needed."""
    import importlib.util

    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, os.path.join(_HERE, name + ".py"))
        if spec is None or spec.loader is None:
            raise ImportError(name)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]


class _WhenImported:
    """Wraps modules of deltalake after they were executed; finds nothing itself."""

    def find_spec(self, name, path=None, target=None):
        if not name.startswith("deltalake."):
            return None
        try:
            wrap = _load("lineage_delta").WRAPS.get(name)
            return None if wrap is None else self._wrapped(name, path, target, wrap)
        except Exception:  # found by the others then, unwatched
            return None

    def _wrapped(self, name, path, target, wrap):
        spec = None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find and finder is not self else None
            if spec is not None:
                break
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            try:
                wrap(module)
            except Exception:  # a version whose insides differ: its versions are inferred
                pass

        spec.loader.exec_module = exec_module
        return spec
