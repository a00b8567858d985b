"""Reads of tables' logs: which commits a version as read comes from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from lineage.store.sqlite.reading import KNOWN, Reading

__all__ = ["Commit", "Log", "Logs"]


@dataclass(slots=True)
class Commit:
    """One commit as every visible entry together tells it; files by number."""

    version: int
    number: int
    at: int
    known: bool
    carries: bool
    added: set[int] = field(default_factory=set)
    removed: set[int] = field(default_factory=set)


class Log:
    """A table's log as it shows at one view."""

    def __init__(self, commits: dict[int, Commit]) -> None:
        self.commits = commits
        self.complete = 0
        """All commits below this number are recorded with their files."""
        while self.complete in commits and commits[self.complete].known:
            self.complete += 1
        self._adders: dict[int, list[int]] = defaultdict(list)
        for number in range(self.complete):
            for file in commits[number].added:
                self._adders[file].append(number)
        self._read: dict[int, frozenset[int]] = {}

    def read(self, number: int) -> frozenset[int]:
        """Commits that what was read at ``number`` comes from, beside itself."""
        if number not in self._read:
            live: set[int] = set()
            for n in range(number + 1):
                live -= self.commits[n].removed
                live |= self.commits[n].added
            found = {n for file in live for n in self._adders[file] if n <= number}
            if number in found:
                found |= self.rewritten(number)
            self._read[number] = frozenset(found - {number})
        return self._read[number]

    def rewritten(self, number: int) -> set[int]:
        """Earlier commits that had added what commit ``number`` removed, and carried on."""
        if not self.commits[number].carries:
            return set()
        removed = self.commits[number].removed
        return {n for file in removed for n in self._adders[file] if n < number}

    def readers(self, number: int) -> set[int]:
        """Later commits whose contents, as read, come from ``number`` too."""
        return {n for n in range(number + 1, self.complete) if number in self.read(n)}

    def rewriters(self, number: int) -> set[int]:
        """Later commits that removed what ``number`` added."""
        return {n for n in range(number + 1, self.complete) if number in self.rewritten(n)}


_COMMITS = f"""SELECT e.number, e.ver, e.at, e.known, e.carries, e.rf, e.n FROM tcommit e
WHERE e.tlog = :log AND {KNOWN} AND e.at <= :T ORDER BY e.number"""
_CHANGES = (
    "SELECT gone, file FROM tchange WHERE tlog = :log AND number = :number AND rf = :rf AND n = :n"
)
_LOGS = f"""SELECT DISTINCT e.ver, e.tlog, e.number FROM json_each(:ids) j
CROSS JOIN tcommit e ON e.ver = j.value WHERE {KNOWN} AND e.at <= :T"""


class Logs:
    """The logs that one walk meets."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._logs: dict[int, Log] = {}
        self._places: dict[int, tuple[Log, int] | None] = {}

    def places(self, versions: Iterable[int]) -> dict[int, tuple[Log, int]]:
        """Those versions that are walked by their files: their log, and their number in it."""
        unseen = [version for version in versions if version not in self._places]
        if unseen:
            self._places.update(dict.fromkeys(unseen))
            for version, log, number in self._reading.rows(_LOGS, ids=str(unseen)):
                found = self._log(log)
                if number < found.complete:
                    self._places[version] = (found, number)
        return {
            version: place for version in versions
            if (place := self._places[version]) is not None
        }  # fmt: skip

    def _log(self, log: int) -> Log:
        if log not in self._logs:
            commits: dict[int, Commit] = {}
            for number, version, at, known, carries, rf, n in self._reading.rows(_COMMITS, log=log):
                told = Commit(version, number, at, bool(known), bool(carries))
                commit = commits.setdefault(number, told)
                commit.at = min(commit.at, at)
                commit.known, commit.carries = (
                    commit.known or told.known,
                    commit.carries or told.carries,
                )
                files = self._reading.query(_CHANGES, log=log, number=number, rf=rf, n=n)
                for gone, file in files:
                    (commit.removed if gone else commit.added).add(file)
            self._logs[log] = Log(commits)
        return self._logs[log]
