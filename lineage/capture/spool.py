"""The spool: captured changes on local disk, until somebody can record them.

One file per :meth:`Spool.put`. The file is written aside, flushed to disk and given its name, then
the folder is flushed: what ``put`` returned from survives a crash of the machine, and a name never
stands for half a file. Any number of processes may put and take at once; names sort by time.

Format, one JSON object a line: ``{"spool": 1, "items": n}``, the n items, ``{"sha256": <hex of all
bytes before>}``. A file without its right last line is damaged (a torn copy, a bad disk): it goes
to ``damaged/``, never to a store. Items that a store refuses for good go to ``refused/``.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lineage.errors import SpoolError, SpoolFullError
from lineage.model.envelope import Actor

__all__ = ["DAMAGED", "REFUSED", "Depth", "Item", "Spool"]

DAMAGED = "damaged"
REFUSED = "refused"
_SUFFIX = ".spool"
_PART = ".part"
_ABANDONED = 3600
"""Seconds after which a part is a leftover of a process that died."""
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True)
class Item:
    """A captured change: who captured it, its place there, and its bytes as they will be kept.

    ``event_at`` is UTC microseconds. With ``event_id`` it can be sent any number of times.
    ``actor`` is who sent it, where that is another than who records it.
    """

    source: str
    event_id: str
    kind: str
    v: int
    event_at: int
    body: bytes
    actor: Actor | None = None


@dataclass(frozen=True, slots=True)
class Depth:
    """How much waits: files, their bytes, and the age of the oldest in seconds (0: nothing)."""

    files: int
    bytes: int
    age: float


class Spool:
    """A folder of waiting changes. It is made when first put to."""

    def __init__(self, root: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.root = root
        self._clock = clock

    def put(self, items: Sequence[Item]) -> str:
        """Keep items together, in order; on disk when it returns the file's name.

        Raises ``SpoolError`` when they cannot be kept; then nothing of them is.
        """
        now = int(self._clock() * 1_000_000)
        name = f"{now:020d}-{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
        part = self.root / f"{name}{_PART}"
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write(part, _encode(items))
            part.rename(self.root / name)
            _flush_folder(self.root)
        except OSError as fault:
            for path in (part, self.root / name):  # the name may stand and not be durable
                with contextlib.suppress(OSError):
                    path.unlink()
            if fault.errno in _NO_SPACE:
                raise SpoolFullError(
                    f"no space left in {self.root}: {fault.strerror}",
                    hint="make room there; what was kept before is safe",
                ) from fault
            raise SpoolError(
                f"changes cannot be kept in {self.root}: {fault.strerror}",
                hint="make room there, or set LINEAGE_HOME to a folder that can be written to",
            ) from fault
        return name

    def pending(self) -> list[str]:
        """Names of waiting files, oldest first."""
        return [name for name in self._names() if name.endswith(_SUFFIX)]

    def take(self, name: str) -> list[Item] | None:
        """The items of a file, none where another process was faster, None where it is damaged.

        A damaged one is moved to ``damaged/``: nobody meets it twice. Raises ``SpoolError``.
        """
        try:
            data = (self.root / name).read_bytes()
        except FileNotFoundError:
            return []
        except OSError as fault:
            raise SpoolError(f"{self.root / name} cannot be read: {fault.strerror}") from fault
        items = _decode(data)
        if items is None:
            self._set_aside(name)
        return items

    def count(self, name: str) -> int:
        """How many items a file says to have, without reading it all; 0 where it cannot be told."""
        try:
            with (self.root / name).open("rb") as file:
                return int(json.loads(file.readline(64))["items"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def done(self, name: str) -> None:
        """Forget a file: its items are recorded."""
        (self.root / name).unlink(missing_ok=True)

    def replace(self, name: str, items: Sequence[Item]) -> None:
        """Let a waiting file hold other items. Nothing where it was done meanwhile.

        Raises ``SpoolError`` when they cannot be written; then the file is as it was.
        """
        part = self.root / f"{name}{_PART}"
        try:
            _write(part, _encode(items), new=False)
            if (self.root / name).exists():
                part.rename(self.root / name)
            part.unlink(missing_ok=True)
            _flush_folder(self.root)
        except OSError as fault:
            with contextlib.suppress(OSError):
                part.unlink()
            raise SpoolError(
                f"{self.root / name} cannot be written: {fault.strerror}", hint="make room there"
            ) from fault

    def refuse(self, item: Item, reason: dict[str, Any]) -> None:
        """Keep an item that will never be recorded as it is, with why. Raises ``SpoolError``."""
        value = {**_plain(item), "reason": reason}
        aside = self.root / REFUSED
        digest = hashlib.sha256(item.body).hexdigest()[:16]
        try:
            aside.mkdir(exist_ok=True)
            _write(aside / f"{digest}.json", json.dumps(value, indent=1).encode(), new=False)
        except OSError as fault:
            raise SpoolError(f"{aside} cannot be written: {fault.strerror}") from fault

    def depth(self) -> Depth:
        """How much waits."""
        sizes: list[int] = []
        oldest: int | None = None
        for name in self.pending():
            try:
                sizes.append((self.root / name).stat().st_size)
            except FileNotFoundError:
                continue
            oldest = oldest if oldest is not None else int(name[:20])
        age = 0.0 if oldest is None else max(self._clock() - oldest / 1_000_000, 0.0)
        return Depth(len(sizes), sum(sizes), age)

    def set_aside(self) -> dict[str, int]:
        """Numbers of files that will not be delivered: ``damaged`` and ``refused``."""
        return {
            kind: sum(1 for _ in (self.root / kind).glob("*")) if (self.root / kind).is_dir() else 0
            for kind in (DAMAGED, REFUSED)
        }

    def sweep(self) -> int:
        """Set aside what processes that died left half written; how many."""
        swept = 0
        for name in self._names():
            path = self.root / name
            try:
                if name.endswith(_PART) and self._clock() - path.stat().st_mtime > _ABANDONED:
                    self._set_aside(name)
                    swept += 1
            except FileNotFoundError:
                continue
        return swept

    def _names(self) -> list[str]:
        try:
            return sorted(path.name for path in self.root.iterdir())
        except FileNotFoundError:
            return []
        except OSError as fault:
            raise SpoolError(f"{self.root} cannot be read: {fault.strerror}") from fault

    def _set_aside(self, name: str) -> None:
        aside = self.root / DAMAGED
        try:
            aside.mkdir(exist_ok=True)
            (self.root / name).rename(aside / name)
        except FileNotFoundError:
            return
        except OSError as fault:
            raise SpoolError(f"{aside} cannot be written: {fault.strerror}") from fault


def _write(path: Path, data: bytes, *, new: bool = True) -> None:
    flags = os.O_WRONLY | os.O_CREAT | (os.O_EXCL if new else os.O_TRUNC)
    descriptor = os.open(path, flags, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _plain(item: Item) -> dict[str, Any]:
    body: Any
    try:
        body = item.body.decode("utf-8")
    except UnicodeDecodeError:
        body = {"base64": base64.b64encode(item.body).decode("ascii")}
    actor = item.actor
    return {
        "source": item.source,
        "event_id": item.event_id,
        "kind": item.kind,
        "v": item.v,
        "event_at": item.event_at,
        "body": body,
        **({"actor": [actor.id, actor.verified]} if actor else {}),
    }


def _encode(items: Sequence[Item]) -> bytes:
    lines = [{"spool": 1, "items": len(items)}, *map(_plain, items)]
    data = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
    return data + json.dumps({"sha256": hashlib.sha256(data).hexdigest()}).encode() + b"\n"


def _decode(data: bytes) -> list[Item] | None:
    """Items of a file's bytes, None where they are not what was put."""
    before, newline, last = data.removesuffix(b"\n").rpartition(b"\n")
    try:
        said = json.loads(last)["sha256"]
        if not data.endswith(b"\n") or hashlib.sha256(before + newline).hexdigest() != said:
            return None
        head, *rest = (json.loads(line) for line in before.split(b"\n"))
        if head["spool"] != 1 or head["items"] != len(rest):
            return None
        return [_item(value) for value in rest]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _item(value: dict[str, Any]) -> Item:
    body = value["body"]
    raw = body.encode() if isinstance(body, str) else base64.b64decode(body["base64"])
    actor = value.get("actor")
    return Item(
        value["source"], value["event_id"], value["kind"], value["v"], value["event_at"], raw,
        Actor(*actor) if actor else None,
    )  # fmt: skip
