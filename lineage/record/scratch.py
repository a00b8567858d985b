"""Scratch copies of a store: each is locked by its owner, so what a dead one left can be told.

The lock ends with its process however it ends. Containers that share a volume see it, where the id
of a process says nothing.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

__all__ = ["clear", "scratch"]

_NAME = re.compile(r"\.(.+)~\d+(~.*)?\Z", re.DOTALL)
_USED = "a running command works with this copy: once it has ended, `lineage redactions finish`"


@contextmanager
def scratch(what: str, folder: Path | None) -> Iterator[Path]:
    """A scratch folder, gone at the end; None: where the system has its own. Raises ``OSError``."""
    made, lock = _make(f".{what}~{os.getpid()}~", folder)
    with ExitStack() as stack:
        stack.callback(os.close, lock)  # last: it is ours until it is gone
        stack.callback(made.cleanup)
        yield Path(made.name)


def _make(prefix: str, folder: Path | None) -> tuple[tempfile.TemporaryDirectory[str], int]:
    """A new folder, and the descriptor that holds its lock."""
    while True:
        made = tempfile.TemporaryDirectory(prefix=prefix, dir=folder)
        with suppress(FileNotFoundError):
            lock = os.open(made.name, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if Path(made.name).is_dir():
                return made, lock
            os.close(lock)
        made.cleanup()  # it was cleared away before it was locked


def clear(folder: Path, *what: str) -> dict[str, str]:
    """Remove what nobody uses any more; by path why something stays. Raises ``OSError``."""
    found = list(folder.iterdir()) if folder.is_dir() else []
    why: dict[str, str] = {}
    for path in found:
        if not (matched := _NAME.match(path.name)) or matched[1] not in what:
            continue
        try:
            _remove(path)
        except FileNotFoundError:
            continue  # its owner was about to end
        except BlockingIOError:
            why[str(path)] = _USED
        except OSError as fault:
            why[str(path)] = f"a copy of the store that cannot be removed ({fault}): delete it"
    return why


def _remove(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink()  # earlier versions left files, too
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path)
    finally:
        os.close(descriptor)
