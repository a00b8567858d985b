"""Pins: a table version that outlives what is done to the table.

A pin is a clone of the table as of one version: its log up to that version and exactly its files,
as hard links, so that it costs no space and opens at the SAME version number. It stands beside the
table, ``<parent>/.lineage-pins/<table>/<version token>``: on the same mount, which links need; not
inside the table, where ``vacuum`` of some engines deletes what it does not know; and hidden, so
that nobody who lists tables finds it.

How one is made; it is not visible before it is whole and on disk:

1. the version is the recorded one, and every file of it is there;
2. its files and its log are put into a folder with a temporary name;
3. the clone says the same as the table, and a checkpoint is written into it, so that it opens
   without reading a long log;
4. everything is flushed, the folder gets its name, and the clone is opened once more.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from lineage.capture.delta.names import commit_name, read_listing
from lineage.capture.delta.storage import LOG_FOLDER, LocalLog, local_path
from lineage.errors import CannotPinError, PinNeedsCopyError, VersionLostError
from lineage.reproduce.delta import (
    TableVersion,
    absent_among,
    files_lost,
    intact_version,
    opened_version,
    recorded_version,
    table_version,
    write_checkpoint,
)
from lineage.reproduce.place import COPY, HARD_LINK, REFLINK, Method, flush, flush_folder, put

__all__ = [
    "PINS",
    "Pin",
    "available_at",
    "find_pin",
    "make_folder",
    "pin_of",
    "pin_version",
    "pins_folder",
    "pins_of",
    "remove_pin",
]

PINS = ".lineage-pins"
_FACTS = ".lineage-pin.json"
_SIDECARS = "_sidecars"
_UNFINISHED = ".tmp-"
_REMOVED = ".removed-"
_ABANDONED = 3600.0
"""Seconds after which an unfinished pin is what a process that died left behind."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A pin as it stands. ``bytes_copied`` is what it costs; ``new`` False: it was there before."""

    table: Path
    token: str
    location: Path
    method: Method
    files: int
    bytes: int
    bytes_copied: int
    new: bool = False


def pins_folder(table: Path) -> Path:
    """Where the pins of a table are."""
    return table.parent / PINS / table.name


def find_pin(table: str | Path, token: str) -> Path | None:
    """The pin of a version, or None. It may have been damaged since: see :func:`available_at`."""
    location = pins_folder(local_path(table)) / token
    return location if _is_token(token) and (location / LOG_FOLDER).is_dir() else None


def available_at(table: str | Path, token: str) -> Path:
    """Where a recorded version can be read: its pin if that is whole, else the table itself.

    Raises ``VersionLostError`` where neither has all its files: of the pin if there is one.
    """
    pin = find_pin(table, token)
    if pin is None:
        intact_version(table, token)
        return local_path(table)
    try:
        intact_version(pin, token)
    except VersionLostError as fault:
        try:
            intact_version(table, token)
        except VersionLostError:
            raise fault from None
        return local_path(table)
    return pin


def pin_of(location: Path) -> Pin | None:
    """The facts that a pin keeps about itself, or None where they cannot be read."""
    try:
        value: dict[str, Any] = json.loads((location / _FACTS).read_bytes())
        value["table"] = Path(value["table"])
        return Pin(**{**value, "location": location})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def pins_of(table: str | Path) -> list[Path]:
    """Every pin of a table, by version."""
    folder = pins_folder(local_path(table))
    if not folder.is_dir():
        return []
    return sorted(
        (path for path in folder.iterdir() if _is_token(path.name)),
        key=lambda path: (int(path.name.partition(".")[0]), path.name),
    )


def pin_version(
    table: str | Path,
    token: str,
    *,
    copy: bool = False,
    clock: Callable[[], float] = time.time,
) -> Pin:
    """Pin a recorded version; one that is pinned and whole is left as it is.

    Raises ``VersionLostError`` when files are gone (also while it is made), ``PinNeedsCopyError``
    when neither links nor reflinks are possible and ``copy`` is not given, ``CannotPinError``.
    """
    path = local_path(table)
    location = pins_folder(path) / token
    had = _whole(path, location, token)
    if had is not None:
        return had
    found = intact_version(path, token)
    _refuse_outside(path, found)
    with _workshop(location, clock) as workshop:
        maker = _Maker(path, workshop, copy=copy)
        maker.put_files(found)
        maker.put_log(found.version)
        _agree(found, table_version(workshop, found.version), path)
        _add_checkpoint(workshop, found)
        pin = maker.facts(token, location, found)
        (workshop / _FACTS).write_text(_encoded(pin), encoding="utf-8")
        _flush_all(workshop)
        _give_name(workshop, location, token)
    _prove(location, found)
    return pin


def remove_pin(table: str | Path, token: str) -> bool:
    """Give a pin up: at once invisible, then deleted. False where there was none."""
    location = find_pin(table, token)
    if location is None:
        return False
    aside = location.with_name(f"{_REMOVED}{token}-{secrets.token_hex(4)}")
    location.rename(aside)
    shutil.rmtree(aside)
    return True


# --- parts


def _is_token(name: str) -> bool:
    number, dot, digest = name.partition(".")
    return bool(dot) and number.isdigit() and digest.isalnum()


def _encoded(pin: Pin) -> str:
    facts = {name: value for name, value in asdict(pin).items() if name != "new"}
    return json.dumps(facts, default=str, indent=1)


def _whole(table: Path, location: Path, token: str) -> Pin | None:
    """The pin at a location if nothing of it is missing."""
    if not (location / LOG_FOLDER).is_dir():
        return None
    try:
        found = recorded_version(location, token)
    except VersionLostError:
        return None
    if absent_among(location, found):
        return None
    total = sum(size for size, _ in found.needed().values())
    unknown = Pin(table, token, location, HARD_LINK, len(found.needed()), total, 0)
    return pin_of(location) or unknown


def _refuse_outside(table: Path, found: TableVersion) -> None:
    """A pin holds what is in the table's own folder; a shallow clone's files are elsewhere."""
    for name in found.needed():
        place = PurePosixPath(name)
        if place.is_absolute() or ".." in place.parts or "://" in name:
            raise CannotPinError(
                f"version {found.version} of {table} has files outside of the table: {name}",
                hint="it is a shallow clone: pin the table it was cloned from",
                table=str(table),
            )


@contextmanager
def _workshop(location: Path, clock: Callable[[], float]) -> Iterator[Path]:
    """A folder with a temporary name beside the pin; gone afterwards, whatever happens."""
    folder = location.parent
    workshop = folder / f"{_UNFINISHED}{location.name}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        make_folder(folder)
        _sweep(folder, clock)
        (workshop / LOG_FOLDER).mkdir(parents=True)
        yield workshop
    except OSError as fault:
        what = "there is no space left" if fault.errno == errno.ENOSPC else fault.strerror
        raise CannotPinError(
            f"no pin can be made in {folder}: {what}",
            hint=f"pins stand beside the table: make {folder.parent} writable for who pins",
            place=str(folder),
        ) from fault
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def make_folder(folder: Path) -> None:
    """Make the folder of a table's pins, of which version control need not know."""
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder.parent / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="ascii")


def _sweep(folder: Path, clock: Callable[[], float]) -> None:
    for path in folder.iterdir():
        if path.name.startswith((_UNFINISHED, _REMOVED)):
            try:
                old = clock() - path.stat().st_mtime > _ABANDONED
            except FileNotFoundError:
                continue
            if old:
                shutil.rmtree(path, ignore_errors=True)


class _Maker:
    """Puts a version's files and log into a folder, and counts how."""

    def __init__(self, table: Path, workshop: Path, *, copy: bool) -> None:
        self._table = table
        self._workshop = workshop
        self._copy = copy
        self._methods: set[Method] = set()
        self._copied = 0

    def put_files(self, found: TableVersion) -> None:
        """Every file of the version. Raises ``VersionLostError`` when one goes meanwhile."""
        refused = 0
        for name in found.needed():
            target = self._workshop / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                if not self._put(self._table / name, target):
                    refused += (self._table / name).stat().st_size
            except FileNotFoundError:
                missing = absent_among(self._table, found) or [name]
                raise files_lost(self._table, found, missing) from None
        if refused:
            raise PinNeedsCopyError(
                f"{self._workshop.parent} cannot hold links to {self._table}: a copy would need "
                f"{refused:,} bytes",
                hint="say --copy to copy them; links need one file system and, where the system "
                "protects links, write access to the files",
                bytes=refused,
                files=len(found.needed()),
            )

    def put_log(self, version: int) -> None:
        """The log up to a version. A file that log retention takes meanwhile is left out."""
        log = LocalLog(self._table)
        listing = read_listing(log.names() or ())
        names = [commit_name(number) for number in listing.commits if number <= version]
        for checkpoint in listing.checkpoints_upto(version):
            names += checkpoint.files
        if any(c.v2 for c in listing.checkpoints_upto(version)):
            names += self._sidecars()
        for name in names:
            target = self._workshop / LOG_FOLDER / name
            target.parent.mkdir(exist_ok=True)
            try:
                # The log is small beside the data: it is copied where it cannot be linked.
                if not self._put(self._table / LOG_FOLDER / name, target):
                    shutil.copy2(self._table / LOG_FOLDER / name, target)
            except FileNotFoundError:
                continue

    def _sidecars(self) -> list[str]:
        folder = self._table / LOG_FOLDER / _SIDECARS
        return [f"{_SIDECARS}/{path.name}" for path in folder.glob("*.parquet")]

    def _put(self, source: Path, target: Path) -> bool:
        method = put(source, target, copy=self._copy)
        if method is None:
            return False
        self._methods.add(method)
        if method == COPY:
            self._copied += target.stat().st_size
        return True

    def facts(self, token: str, location: Path, found: TableVersion) -> Pin:
        """What was made."""
        method: Method = HARD_LINK
        if self._methods & {REFLINK, COPY}:
            method = COPY if COPY in self._methods else REFLINK
        sizes = [(self._workshop / name).stat().st_size for name in found.needed()]
        return Pin(
            self._table, token, location, method, len(sizes), sum(sizes), self._copied, new=True
        )


def _agree(wanted: TableVersion, made: TableVersion, table: Path) -> None:
    same = (wanted.token, wanted.needed()) == (made.token, made.needed())
    if not same:
        raise VersionLostError(
            f"the log of {table} changed while version {wanted.version} was pinned",
            hint="log retention ran at the same time: try again",
            table=str(table),
        )


def _add_checkpoint(workshop: Path, found: TableVersion) -> None:
    """Make the clone open cheaply. One that deltalake cannot write, or not rightly, is left out."""
    listing = read_listing(LocalLog(workshop).names() or ())
    if any(c.version == found.version for c in listing.checkpoints):
        return
    log = workshop / LOG_FOLDER
    before = {path.name for path in log.iterdir()}
    try:
        write_checkpoint(workshop, found.version)
        _agree(found, table_version(workshop, found.version), workshop)
    except VersionLostError:
        for path in log.iterdir():
            if path.name not in before:
                path.unlink()


def _flush_all(workshop: Path) -> None:
    """Engines do not flush what they write: a pin has to outlive a power failure."""
    for folder, _, names in os.walk(workshop, topdown=False):
        for name in names:
            flush(Path(folder, name))
        flush_folder(Path(folder))


def _give_name(workshop: Path, location: Path, token: str) -> None:
    try:
        workshop.rename(location)
    except OSError as fault:
        if fault.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        if _whole(location, location, token) is None:
            # A damaged one stands there: ours is whole and takes its place.
            aside = location.with_name(f"{_REMOVED}{token}-{secrets.token_hex(4)}")
            location.rename(aside)
            workshop.rename(location)
            shutil.rmtree(aside, ignore_errors=True)
    flush_folder(location.parent)


def _prove(location: Path, found: TableVersion) -> None:
    """The pin opens at the same version number, with every file."""
    made = intact_version(location, found.token)
    _agree(found, made, location)
    try:
        opened = opened_version(location).version()
    except VersionLostError:
        return  # a feature that deltalake does not know: the table does not open with it either
    if opened != found.version:
        raise CannotPinError(
            f"the pin {location} opens at version {opened}, not {found.version}",
            hint="please report this; the pin is not to be trusted",
        )
