"""Table versions as they were: what is left of one, and a directory that shows it alone.

A version is whole when its log reaches it, the table still has the id that was recorded, and every
live file is there in its full size: in a pin, or else in the table itself. A *view* is a directory
with the log up to that version and the files live at it, and nothing newer; the data in it are
links, never copies.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lineage.capture.delta.actions import parse_actions
from lineage.capture.delta.names import commit_name
from lineage.capture.delta.snapshot import listing_of
from lineage.capture.delta.storage import LOG_FOLDER, LocalLog
from lineage.errors import CaptureError, ReproduceError, VersionLostError
from lineage.model.canonical import iso
from lineage.model.ids import number_of_token
from lineage.reproduce.delta import intact_version, live_files

__all__ = ["FindPin", "TableSeen", "View", "look", "make_view"]

FindPin = Callable[[Path, str], Path | None]
"""The directory of a table's pin by its version token, or None."""

_NAMED = 20
"""How many missing files are named."""
_MOST_READ = 1000
"""How many commits are searched for vacuums."""
_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EACCES, errno.ENOTSUP})


@dataclass(frozen=True)
class TableSeen:
    """What is left of a table version. It is whole where ``source`` has a directory."""

    id: str
    path: str
    token: str
    source: Path | None = None
    pinned: bool = False
    latest: int | None = None
    """The version that the table is at now."""
    missing: tuple[str, ...] = ()
    """Some of the files that are gone; none where the log itself does not tell."""
    missing_count: int = 0
    fault: str = ""
    vacuumed: tuple[str, ...] = ()
    """Vacuums that the table's log tells of since: when, and at which version."""

    @property
    def number(self) -> int:
        """The number of the version."""
        return int(number_of_token(self.token) or 0)


@dataclass(frozen=True)
class View:
    """Directories whose union shows a table as it was, the topmost first.

    ``hidden`` are paths in it that were not there then (only where links were impossible).
    """

    folders: tuple[Path, ...]
    hidden: tuple[str, ...] = ()


def look(artifact: str, path: str, token: str, find_pin: FindPin) -> TableSeen:
    """What is left of version ``token`` of the table at ``path``, which has the id ``artifact``."""
    table = Path(path)
    latest = _latest(table)
    pin = find_pin(table, token)
    if pin is not None:
        pinned = _inspect(artifact, path, token, pin, latest)
        if pinned.source is not None:
            return pinned
    return _inspect(artifact, path, token, table, latest)


def _latest(table: Path) -> int | None:
    try:
        return listing_of(LocalLog(table)).latest
    except CaptureError:
        return None


def _inspect(artifact: str, path: str, token: str, folder: Path, latest: int | None) -> TableSeen:
    pinned = folder != Path(path)
    try:
        intact_version(folder, token)
    except VersionLostError as fault:
        files = list(map(str, fault.where.get("files", ())))
        return TableSeen(
            artifact, path, token, latest=latest, fault=fault.message, pinned=pinned,
            missing=tuple(files[:_NAMED]), missing_count=len(files),
            vacuumed=tuple(_vacuums(Path(path), int(number_of_token(token) or 0))),
        )  # fmt: skip
    except CaptureError as fault:
        return TableSeen(artifact, path, token, latest=latest, fault=fault.message, pinned=pinned)
    return TableSeen(artifact, path, token, source=folder, latest=latest, pinned=pinned)


def _vacuums(table: Path, number: int) -> Iterator[str]:
    """Vacuums after a version; the log does not say which files they took."""
    log = LocalLog(table)
    try:
        for version in listing_of(log).commits_after(number)[-_MOST_READ:]:
            raw = log.read(commit_name(version))
            info = parse_actions(version, raw).info if raw else {}
            if str(info.get("operation", "")).startswith("VACUUM END"):
                at = info.get("timestamp")
                when = iso(at * 1000) if isinstance(at, int) else "at an unknown time"
                yield f"{when} (version {version})"
    except CaptureError:
        return


def make_view(seen: Sequence[TableSeen], place: Path, *, symbolic: bool = False) -> View:
    """Show one or several versions of one table at ``place``, a new directory of the scratch.

    A pinned version needs none: it is shown as it is pinned. Links are hard ones, so that a vacuum
    meanwhile takes nothing away; ``symbolic`` ones where the job could write through them; and
    where neither is possible the table itself, below a log that ends at the version. Raises
    ``ReproduceError`` where even that is not.
    """
    newest = max(seen, key=lambda one: one.number)
    if not symbolic and len(seen) == 1 and newest.pinned:
        return View((_source(newest),))
    place.mkdir(parents=True)
    log = place / LOG_FOLDER
    for name in _log_files(_source(newest), newest.number):
        (log / name).parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # log retention took it meanwhile
            shutil.copyfile(_source(newest) / LOG_FOLDER / name, log / name)
    wanted = {
        name: _source(one)
        for one in seen
        for name in _names(one)
        if not name.startswith(("/", "file:"))
    }
    try:
        for name, source in wanted.items():
            target = place / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source / name) if symbolic else target.hardlink_to(source / name)
    except OSError as fault:
        if symbolic or fault.errno not in _NO_LINK:
            raise
        return _covered(seen, place, wanted)
    return View((place,))


def _names(seen: TableSeen) -> Iterator[str]:
    source = _source(seen)
    yield from (name for name, _ in live_files(source, seen.number))
    for path in sorted((source / "_change_data").rglob("*.parquet")):
        yield str(path.relative_to(source))


def _log_files(source: Path, number: int) -> list[str]:
    """The log up to a version. ``_last_checkpoint`` is left out: it is a hint, and may say more."""
    log = source / LOG_FOLDER
    listing = listing_of(LocalLog(source))
    checkpoints = listing.checkpoints_upto(number)
    names = [commit_name(n) for n in listing.commits if n <= number]
    names += [name for checkpoint in checkpoints for name in checkpoint.files]
    if any(checkpoint.v2 for checkpoint in checkpoints):
        names += [str(path.relative_to(log)) for path in (log / "_sidecars").glob("*.parquet")]
    return names


def _covered(seen: Sequence[TableSeen], place: Path, wanted: Iterable[str]) -> View:
    """The log as it was, opaque, over the directories that hold the files."""
    for entry in place.iterdir():
        if entry.name != LOG_FOLDER:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    try:
        os.setxattr(place / LOG_FOLDER, "user.overlay.opaque", b"y")
    except OSError as fault:
        raise ReproduceError(
            f"{seen[0].path} cannot be linked to from the scratch space, which cannot hold "
            f"attributes either: {fault.strerror}",
            hint="pin the version (`lineage pin`), or set LINEAGE_HOME to a directory on the same "
            "file system as the table",
        ) from fault
    sources = tuple(dict.fromkeys(_source(one) for one in seen))
    known = set(wanted)
    hidden = [
        str(Path(seen[0].path) / name)
        for source in sources
        for name in _data_files(source)
        if name not in known
    ]
    return View((place, *sources), tuple(hidden))


def _data_files(source: Path) -> Iterator[str]:
    for path in source.rglob("*"):
        name = str(path.relative_to(source))
        if path.is_file() and not name.startswith(f"{LOG_FOLDER}/"):
            yield name


def _source(seen: TableSeen) -> Path:
    if seen.source is None:
        raise ReproduceError(f"{seen.id} is not whole: {seen.fault}")
    return seen.source
