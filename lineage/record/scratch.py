"""Scratch copies of a store: named for their process, so that what a dead one left can be told."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

__all__ = ["clear", "scratch_name"]

_NAME = re.compile(r"\.(.+)~(\d+)(~.*)?\Z", re.DOTALL)


def scratch_name(what: str) -> str:
    """The name of a scratch file of this process, or of a folder's beginning."""
    return f".{what}~{os.getpid()}"


def clear(folder: Path, *what: str) -> int:
    """Remove what processes that are gone left in a folder; how many. Raises ``OSError``."""
    found = list(folder.iterdir()) if folder.is_dir() else []
    left = [path for path in found if (m := _NAME.match(path.name)) and m[1] in what]
    dead = [path for path in left if not _runs(path)]
    for path in dead:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return len(dead)


def _runs(path: Path) -> bool:
    matched = _NAME.match(path.name)
    try:
        os.kill(int(matched[2]) if matched else 0, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
