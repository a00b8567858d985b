"""Files of Delta tables become tables at versions.

What the Python hook reported is exact. What it did not is inferred from the files that were opened,
per process and per burst of log reads, by this rule (it held in every case that was tried):

1. ``highest``, the highest version whose log entry was opened, if all data files that were opened
   are live at it. (A filter may have pruned files, so a subset is enough.)
2. Else the one version whose live files are exactly those that were opened: an older version that
   was loaded after the newest one had been looked at.
3. Else no version: every version at which all those files are live is a candidate.

An inferred version never stands beside an exact report that explains the same files.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lineage.capture.run.eventlog import DIRECTORY, MADE, Record
from lineage.capture.run.footprint import Places, real_path

__all__ = ["Burst", "Inferred", "Report", "TableTrace", "Tables", "infer"]

LOG_FOLDER = "_delta_log"
_LOG_FILE = re.compile(r"_delta_log/([0-9]{20})\.(json|checkpoint.*)\Z")
_MOST_CANDIDATES = 1000


@dataclass(frozen=True, slots=True)
class Report:
    """What the Python hook said: ``op`` is read, rewrite or write."""

    op: str
    method: str
    table_id: str
    version: int
    pid: int
    at: int


@dataclass(slots=True)
class Burst:
    """Log files opened, then data files, by one process."""

    pid: int
    at: int
    highest: int | None = None
    files: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Inferred:
    """What a burst says was read: a version, or candidates."""

    at: int
    version: int | None
    candidates: tuple[int, ...]
    files: frozenset[str]


@dataclass(slots=True)
class TableTrace:
    """What happened to one table. ``commits`` are versions whose log entry this run made."""

    bursts: list[Burst] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    commits: dict[int, int] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    removed_at: int = 0

    def read(self, pid: int, at: int, relative: str) -> None:
        """A file of the table was opened for reading."""
        entry = _LOG_FILE.match(relative)
        if relative.startswith(f"{LOG_FOLDER}/") and entry is None:
            return
        if entry is None and (not relative.endswith(".parquet") or relative in self.made):
            return
        burst = next((b for b in reversed(self.bursts) if b.pid == pid), None)
        if burst is None or (entry and burst.files):
            burst = Burst(pid, at)
            self.bursts.append(burst)
        if entry is None:
            burst.files.add(relative)
        else:
            burst.highest = max(burst.highest or 0, int(entry[1]))

    def wrote(self, at: int, relative: str) -> None:
        """A name appeared in the table."""
        self.made.add(relative)
        entry = _LOG_FILE.match(relative)
        if entry and entry[2] == "json":
            self.commits.setdefault(int(entry[1]), at)

    @property
    def data_files(self) -> set[str]:
        """Every data file that was read."""
        return {name for burst in self.bursts for name in burst.files}


class Tables:
    """Sorts records by table. A table is a folder with ``_delta_log`` in it, or a reported URI."""

    def __init__(self, places: Places, is_folder: Callable[[str], bool] = os.path.isdir) -> None:
        self.traces: dict[str, TableTrace] = defaultdict(TableTrace)
        self._places = places
        self._is_folder = is_folder
        self._roots: dict[str, str] = {}

    def root_of(self, path: str) -> str:
        """The table that a real path lies in, or empty. Only what was found is remembered."""
        if f"/{LOG_FOLDER}/" in path or path.endswith(f"/{LOG_FOLDER}"):
            root = path[: path.index(f"/{LOG_FOLDER}")]
            self._roots[root] = root
            return root
        folder, passed = os.path.dirname(path), list[str]()
        while len(folder) > 1:
            root = self._roots.get(folder, "")
            if root or self._is_folder(f"{folder}/{LOG_FOLDER}"):
                root = root or folder
                self._roots.update(dict.fromkeys([*passed, folder], root))
                return root
            passed.append(folder)
            folder = os.path.dirname(folder)
        return ""

    def add(self, records: Iterable[Record]) -> list[Record]:
        """Fold records of tables; returns the others."""
        return [record for record in records if not self._take(record)]

    def _take(self, record: Record) -> bool:
        if record.op == "D":
            self._reported(record)
            return True
        if record.op not in {"O", "N", "L", "U"} or (record.a & DIRECTORY and record.op == "N"):
            return False
        path = self._places.real(record.other if record.op in {"N", "L"} else record.path)
        root = self.root_of(path)
        if not root:
            return False
        relative = path[len(root) + 1 :]
        trace = self.traces[root]
        if record.op == "U":
            trace.removed_at = record.time
        elif record.op in {"N", "L"} or record.a & MADE:
            trace.wrote(record.time, relative)
        elif record.a & 3 == 0:
            trace.read(record.pid, record.time, relative)
        return True

    def _reported(self, record: Record) -> None:
        op, method, uri, table_id = (*record.fields(), "", "", "", "")[:4]
        path = uri
        if uri.startswith(("file:", "/")):
            from urllib.parse import unquote

            local = unquote(uri[5:]) if uri.startswith("file:") else uri
            path = real_path("/" + local.lstrip("/"))
            self._roots[path] = path
        self.traces[path].reports.append(
            Report(op, method, table_id, record.a, record.pid, record.time)
        )


def infer(
    bursts: Sequence[Burst], live: Mapping[int, frozenset[str]], explained: Iterable[int] = ()
) -> list[Inferred]:
    """What the bursts of a table say, where ``live`` is the data files at each version.

    Bursts whose files are all live at a version in ``explained`` (exact reports) say nothing more.
    A process that opened data but no log (a worker of one that did) is taken together with what
    others had opened before.
    """
    known = [live[version] for version in explained if version in live]
    found: list[Inferred] = []
    for burst in bursts:
        files = frozenset(burst.files)
        if not files or any(files <= at_version for at_version in known):
            continue
        opened = {burst.highest} if burst.highest is not None else {
            other.highest for other in bursts if other.highest is not None and other.at <= burst.at
        }  # fmt: skip
        found.append(_infer_one(burst.at, files, opened, live))
    return found


def _infer_one(
    at: int, files: frozenset[str], opened: set[int], live: Mapping[int, frozenset[str]]
) -> Inferred:
    candidates = [version for version, there in live.items() if files <= there]
    by_log = opened.intersection(candidates)
    if len(by_log) == 1:
        return Inferred(at, by_log.pop(), (), files)
    exact = [version for version in candidates if live[version] == files]
    if len(exact) == 1:
        return Inferred(at, exact[0], (), files)
    return Inferred(at, None, tuple(sorted(candidates)[-_MOST_CANDIDATES:]), files)
