"""The log that the preloaded library and the Python hook write (format: ``inject/shim/report.h``).

It is read while the job still writes it. A record that is not whole yet is read later; bytes that
are no record (a full disk cut one off) are skipped and counted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

__all__ = ["DIRECTORY", "EMPTIED", "MADE", "REPLACED", "EventLog", "Record"]

MADE, EMPTIED = 4, 8
"""Bits of ``a`` of an open, above the access mode (0 read, 1 write, 2 both)."""
REPLACED, DIRECTORY = 1, 2
"""Bits of ``a`` of a rename."""

_START = b"\x1e"
_FIELDS = 8
_CHUNK = 4 << 20
_LONGEST_HEAD = 192


@dataclass(frozen=True, slots=True)
class Record:
    """One record. ``time`` is UTC microseconds; what ``a``, ``b``, ``c`` mean depends on ``op``."""

    op: str
    pid: int
    time: int
    a: int = 0
    b: int = 0
    c: int = 0
    path: bytes = b""
    other: bytes = b""

    def fields(self) -> list[str]:
        """The texts of a P or D record."""
        return [os.fsdecode(part) for part in self.path.split(b"\0")]


class EventLog:
    """Reads a growing log from where it stopped."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_RDONLY)
        self._rest = b""
        self.skipped = 0
        """Stretches that were no records."""

    def read(self) -> list[Record]:
        """Up to 4 MiB of further records; none when there is nothing new."""
        data = os.read(self._file, _CHUNK)
        if not data:
            return []
        records, self._rest, skipped = parse(self._rest + data)
        self.skipped += skipped
        return records or self.read()

    def close(self) -> int:
        """Done reading; how many stretches were no records, or none that was finished.

        A log that was made readable for others has lost some: that takes no room.
        """
        marked = bool(os.fstat(self._file).st_mode & 0o044)
        os.close(self._file)
        return self.skipped + bool(self._rest) + marked


def parse(data: bytes) -> tuple[list[Record], bytes, int]:
    """Whole records at the start of ``data``, the bytes after them, and stretches skipped."""
    records: list[Record] = []
    skipped = at = 0
    while at < len(data):
        start = data.find(_START, at)
        if start != at:
            skipped += 1
            if start < 0:
                return records, b"", skipped
            at = start
        end = data.find(b"\n", at, at + _LONGEST_HEAD)
        if end < 0 and len(data) - at < _LONGEST_HEAD:
            break
        head = _head(data[at + 1 : end]) if end > 0 else None
        if head is None:
            skipped += 1
            at = _next(data, at + 1)
            continue
        record, one, two = head
        last = end + 1 + one + two
        if last >= len(data):
            break
        if data[last] != 0x0A:
            skipped += 1
            at = _next(data, at + 1)
            continue
        path, other = data[end + 1 : end + 1 + one], data[end + 1 + one : last]
        records.append(Record(*record, path, other))
        at = last + 1
    return records, data[at:], skipped


def _next(data: bytes, at: int) -> int:
    found = data.find(_START, at)
    return len(data) if found < 0 else found


def _head(line: bytes) -> tuple[tuple[str, int, int, int, int, int], int, int] | None:
    parts = line.split(b" ")
    if len(parts) != _FIELDS or len(parts[0]) != 1:
        return None
    try:
        pid, time, a, b, c, one, two = map(int, parts[1:])
    except ValueError:
        return None
    if min(one, two) < 0 or max(one, two) > _CHUNK // 4:
        return None
    return (chr(parts[0][0]), pid, time, a, b, c), one, two
