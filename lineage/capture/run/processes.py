"""Processes of a run: which of them reported nothing, and why.

A program that was started and did not report its own start has escaped the preloaded library: it is
static, it changes who it is (setuid, capabilities), its environment was cleared, or its machine is
another. What such a process read and wrote is not known: a gap, unless the program is known to read
no data.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lineage.capture.run.eventlog import Record
from lineage.capture.run.footprint import shown
from lineage.capture.run.rules import SYSTEM, below

__all__ = ["HARMLESS", "Processes", "why_unwatched"]

HARMLESS = frozenset({
    "as", "cc", "collect2", "gcc", "getconf", "hostname", "hostnamectl", "id", "ldconfig",
    "ldconfig.real", "ld", "locale", "lsb_release", "lscpu", "lspci", "nproc", "numactl",
    "nvidia-smi", "objdump", "ps", "rocm-smi", "stty", "sysctl", "tput", "tty", "uname", "which",
    "whoami",
})  # fmt: skip
"""Programs of the system that libraries start to learn about the machine
(``ctypes.util.find_library`` alone starts ldconfig, gcc and ld with a cleared environment)."""

_INTERPRETER = 3
"""Type of the ELF program header that names a dynamic loader: without it a program is static."""


@dataclass(frozen=True, slots=True)
class _Start:
    pid: int
    at: int
    program: str
    cleared: bool


@dataclass(slots=True)
class Processes:
    """Folds the records of processes."""

    started: dict[int, int] = field(default_factory=dict)
    """Process -> the last time it reported its start."""
    pythons: dict[int, int] = field(default_factory=dict)
    """Processes that run a Python by their executable, and since when."""
    hooked: set[int] = field(default_factory=set)
    lost: int = 0
    silenced: set[int] = field(default_factory=set)
    _starts: list[_Start] = field(default_factory=list)
    _known: set[tuple[str, bool]] = field(default_factory=set)

    def add(self, records: Iterable[Record]) -> None:
        """Fold further records."""
        for record in records:
            if record.op == "S":
                self.started[record.pid] = record.time
                name = os.path.basename(os.fsdecode(record.path))
                if name.startswith(("python", "pypy")):
                    self.pythons[record.pid] = record.time
            elif record.op == "E":
                self._starts.append(_start(record))
            elif record.op == "F":
                self._failed(record.pid)
            elif record.op == "P":
                self.hooked.add(record.pid)
            elif record.op == "X":
                self.lost += record.a
            elif record.op == "Q":
                self.silenced.add(record.pid)

    def _failed(self, pid: int) -> None:
        for n in range(len(self._starts) - 1, -1, -1):
            if self._starts[n].pid == pid:
                del self._starts[n]
                return

    def unwatched(self) -> list[tuple[str, str]]:
        """Programs that reported nothing: (program, why), each once, in order."""
        found: dict[tuple[str, str], None] = {}
        for start in self._starts:
            if self.started.get(start.pid, -1) < start.at:
                found[start.program, why_unwatched(start.program, cleared=start.cleared)] = None
        return list(found)

    @property
    def unhooked(self) -> int:
        """Pythons that started without the hook (``-I``, ``-S``, ``-E``)."""
        return len(set(self.pythons) - self.hooked)


def _start(record: Record) -> _Start:
    program = os.fsdecode(record.path)
    if record.other:
        folders = os.fsdecode(record.other).split(":")
        places = (os.path.join(folder or ".", program) for folder in folders)
        program = next((place for place in places if os.access(place, os.X_OK)), program)
    return _Start(record.pid, record.time, os.path.normpath(program), bool(record.a & 1))


def harmless(program: str) -> bool:
    """Whether it is a program of the system that is known to read no data."""
    return os.path.basename(program) in HARMLESS and below(program, SYSTEM)


def why_unwatched(program: str, *, cleared: bool = False) -> str:
    """The reason code of a gap for a program that reported nothing."""
    try:
        found = Path(program).stat()
        with open(program, "rb") as file:
            head = file.read(64)
            if found.st_mode & (stat.S_ISUID | stat.S_ISGID) or _has_capabilities(program):
                return "setuid-child"
            if head.startswith(b"\x7fELF") and not _names_loader(head, file.read(1 << 16)):
                return "static-child"
    except (OSError, struct.error):
        pass
    return "environment-cleared" if cleared else "unwatched-child"


def _has_capabilities(program: str) -> bool:
    try:
        return bool(os.getxattr(program, "security.capability"))
    except (OSError, AttributeError):
        return False


def _names_loader(head: bytes, rest: bytes) -> bool:
    """Whether an ELF file has a PT_INTERP header (System V ABI, chapter 5)."""
    wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
    data = head + rest
    if wide:
        (offset,) = struct.unpack_from(order + "Q", data, 32)
        size, count = struct.unpack_from(order + "HH", data, 54)
    else:
        (offset,) = struct.unpack_from(order + "I", data, 28)
        size, count = struct.unpack_from(order + "HH", data, 42)
    kinds = (struct.unpack_from(order + "I", data, offset + n * size)[0] for n in range(count))
    return _INTERPRETER in kinds


def describe(program: str) -> str:
    """A program as the detail of a gap."""
    return shown(program)[:1000]
