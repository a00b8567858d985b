"""Keeping a table's log while deltalake writes to the table.

deltalake deletes expired commits and checkpoints after a commit of its own, ``vacuum`` too, and
1.6.6 does so whatever ``PostCommitHookProperties`` say. A version whose log is gone cannot be
opened, even if all its files are there. So the log's files get second names first, and those that
were taken away are put back.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lineage.capture.delta.storage import LOG_FOLDER
from lineage.reproduce.place import put

__all__ = ["log_kept"]


@contextmanager
def log_kept(table: Path, beside: Path) -> Iterator[None]:
    """Whatever is done inside, no file leaves the log. ``beside`` is a folder on the same mount.

    Nothing is put back when another table stands there meanwhile. Raises ``OSError``.
    """
    log = table / LOG_FOLDER
    aside = beside / f".tmp-log-{secrets.token_hex(4)}"
    aside.mkdir(parents=True)
    try:
        names = [path.relative_to(log) for path in sorted(log.rglob("*")) if path.is_file()]
        for name in names:
            (aside / name).parent.mkdir(exist_ok=True)
            try:
                put(log / name, aside / name, copy=True)
            except FileNotFoundError:
                continue  # somebody else's clean-up
        commits = [name for name in names if name.suffix == ".json"]
        witness = max(commits, default=None)
        seen = (log / witness).stat().st_ino if witness else 0
        try:
            yield
        finally:
            if witness and _inode(log / witness) == seen:
                _put_back(log, aside)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def _put_back(log: Path, aside: Path) -> None:
    for path in sorted(aside.rglob("*"), reverse=True):  # the newest first: no hole on the way
        name = path.relative_to(aside)
        if path.is_file() and not (log / name).exists():
            put(path, log / name, copy=True)
