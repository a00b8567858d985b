"""What deltalake raises, as our errors: in one place, since it says most things by text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from lineage.errors import (
    ArchiveBusyError,
    ArchiveDamagedError,
    ArchiveError,
    ArchiveFullError,
    ArchiveUnavailableError,
    LineageError,
)

__all__ = ["reading", "refuse_outside", "writing"]

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_FULL = ("no space left", "quota exceeded", "file too large", "storagefull", "entitytoolarge")
_AWAY = (
    "generic s3 error", "generic gcs error", "generic microsoftazure error", "permission denied",
    "error sending request", "timed out", "connection refused", "dns error", "unauthenticated",
    "accessdenied", "nosuchbucket", "read-only file system", "not allowed",
)  # fmt: skip
_BROKEN = ("parquet error", "arrow error", "invalid checkpoint", "failed to parse")


@contextmanager
def reading(table: str, **where: Any) -> Iterator[None]:
    """Reads of a table: what is not the place's fault is the table's."""
    try:
        yield
    except BaseException as fault:
        if not _is_deltas(fault):
            raise
        raise _away_or(ArchiveDamagedError, "cannot be read", table, fault, where) from fault


@contextmanager
def writing(table: str, **where: Any) -> Iterator[None]:
    """Writes to a table. What others committed first is ``ArchiveBusyError``."""
    from deltalake.exceptions import CommitFailedError

    try:
        yield
    except CommitFailedError as fault:
        if _says(fault, _FULL + _AWAY):
            raise _away_or(ArchiveError, "cannot be written", table, fault, where) from fault
        raise ArchiveBusyError(
            f"{table}: {_first_line(fault)}", hint="try again; others write to it", table=table
        ) from fault
    except BaseException as fault:
        if not _is_deltas(fault):
            raise
        raise _away_or(ArchiveError, "cannot be written", table, fault, where) from fault


def refuse_outside(table: str, paths: Iterable[str]) -> None:
    """Raise ``ArchiveDamagedError`` for a path that leaves the table: a reader would follow it."""
    for path in map(unquote, paths):  # once more than a reader may do
        if path.startswith("/") or _ADDRESS.match(path) or ".." in path.split("/"):
            raise ArchiveDamagedError(
                f"{table}: its log names a file outside of it: {path!r}",
                hint="bring the table back from a copy, or archive to a new place", table=table,
            )  # fmt: skip


def _says(fault: BaseException, words: tuple[str, ...]) -> bool:
    text = str(fault).lower()
    return any(word in text for word in words)


def _is_deltas(fault: BaseException) -> bool:
    if isinstance(fault, LineageError | KeyboardInterrupt | SystemExit | GeneratorExit):
        return False
    # A damaged file can make the reader panic, which is no Exception; streams raise a bare one.
    return isinstance(fault, Exception) or type(fault).__name__ == "PanicException"


def _away_or(
    otherwise: type[ArchiveError],
    what: str,
    table: str,
    fault: BaseException,
    where: dict[str, Any],
) -> ArchiveError:
    said = f"{table} {what}: {_first_line(fault)}"
    if _says(fault, _FULL):
        return ArchiveFullError(said, hint="make room and repeat the command; it goes on", **where)
    broken = _says(fault, _BROKEN)
    if not broken and _says(fault, _AWAY):
        return ArchiveUnavailableError(
            said, hint="check the place, its credentials and permissions; then try again", **where
        )
    if broken or otherwise is ArchiveDamagedError:
        return ArchiveDamagedError(
            said, hint="bring the table back from a copy, or archive to a new place",
            table=table, **where,
        )  # fmt: skip
    return otherwise(said, hint="the message is that of the storage", table=table, **where)


def _first_line(fault: BaseException) -> str:
    return next((line for line in str(fault).splitlines() if line.strip()), type(fault).__name__)
