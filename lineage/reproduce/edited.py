"""Installed files that were changed after a run, below distributions whose version stayed the same.

The recorded digest of a distribution is that of its RECORD: somebody who edits an installed file
leaves that as it is. So the files that are newer than the run are looked at, and only those: one
that still has the digest of its RECORD was merely installed again.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackagePath
from importlib.metadata import distributions as installed

__all__ = ["Edited", "edited_since"]

_CODE = frozenset({".py", ".so", ".pyd", ".dylib"})
_SEPARATORS = re.compile(r"[-_.]+")


@dataclass(frozen=True)
class Edited:
    """A distribution, and files of it that are not as they were installed (sorted)."""

    name: str
    version: str
    files: tuple[str, ...]


def edited_since(path: Iterable[str], ended_at: int, besides: Collection[str] = ()) -> list[Edited]:
    """Distributions on an interpreter's ``sys.path`` with code changed after ``ended_at`` (in us).

    ``besides`` are normalised names not to look at. Nothing is imported. What has no list of its
    files (an editable install, a package of the system) cannot be told.
    """
    found = []
    for name, one in sorted(_by_name(path).items()):
        if name not in besides and (files := sorted(_edited(one, ended_at * 1000))):
            found.append(Edited(name, one.version, tuple(files)))
    return found


def _by_name(path: Iterable[str]) -> dict[str, Distribution]:
    """The first of each name counts, as for the interpreter itself."""
    found: dict[str, Distribution] = {}
    for one in installed(path=list(path)):
        name = one.metadata["Name"]
        if name:
            found.setdefault(_SEPARATORS.sub("-", str(name)).lower(), one)
    return found


def _edited(one: Distribution, since: int) -> Iterator[str]:
    for file in one.files or ():
        if file.suffix not in _CODE:
            continue
        place = str(one.locate_file(file))
        try:
            newer = os.stat(place).st_mtime_ns > since  # noqa: PTH116  # thousands of them
        except OSError:
            continue
        if newer and not _as_installed(file, place):
            yield str(file)


def _as_installed(file: PackagePath, place: str) -> bool:
    """Whether a file has the digest that its RECORD says (none: it cannot be told, so no)."""
    if file.hash is None or file.hash.mode not in hashlib.algorithms_guaranteed:
        return False
    try:
        with open(place, "rb") as content:  # noqa: PTH123
            digest = hashlib.file_digest(content, file.hash.mode).digest()
    except (OSError, TypeError):
        return False
    return base64.urlsafe_b64encode(digest).decode().rstrip("=") == file.hash.value.rstrip("=")
