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
from pathlib import Path
from typing import Any

from lineage.capture.delta.storage import LOG_FOLDER, local_path
from lineage.errors import CannotPinError, VersionLostError
from lineage.reproduce.clone import clone_version
from lineage.reproduce.delta import (
    TableVersion,
    absent_among,
    intact_version,
    opened_version,
    recorded_version,
)
from lineage.reproduce.place import HARD_LINK, Method, flush_folder, flush_tree

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
    with _workshop(location, clock) as workshop:
        made = clone_version(path, found, workshop, copy=copy)
        pin = Pin(
            path, token, location, made.method, made.files, made.bytes, made.bytes_copied, new=True
        )
        (workshop / _FACTS).write_text(_encoded(pin), encoding="utf-8")
        flush_tree(workshop)  # engines do not flush what they write
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


@contextmanager
def _workshop(location: Path, clock: Callable[[], float]) -> Iterator[Path]:
    """A folder with a temporary name beside the pin; gone afterwards, whatever happens."""
    folder = location.parent
    workshop = folder / f"{_UNFINISHED}{location.name}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        make_folder(folder)
        _sweep(folder, clock)
        workshop.mkdir()
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
    intact_version(location, found.token)
    try:
        opened = opened_version(location).version()
    except VersionLostError:
        return  # a feature that deltalake does not know: the table does not open with it either
    if opened != found.version:
        raise CannotPinError(
            f"the pin {location} opens at version {opened}, not {found.version}",
            hint="please report this; the pin is not to be trusted",
        )
