"""Reads of tables' logs: which commits a version as read comes from.

Of a regular log this was worked out as it was recorded (:mod:`lineage.store.sqlite.commits`); the
commits of any other are read and applied here, once a walk.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from lineage.store.sqlite.reading import KNOWN, Reading

__all__ = ["Logs", "Place"]


class Place(NamedTuple):
    """Where a version is in its log; ``log`` is None for a regular one."""

    log: Log | None
    number: int
    at: int
    rewrites: bool


_READY = "{v}.ready_rf <= :P AND {v}.ready_at <= :T"
_PLACES = f"""SELECT v.ver, v.number, v.at, v.rewrites FROM json_each(:ids) j
CROSS JOIN tversion v ON v.ver = j.value CROSS JOIN tlog l ON l.id = v.tlog AND l.regular
WHERE {_READY.format(v="v")}"""
_LIVING = """SELECT DISTINCT v.ver, a.ver FROM json_each(:ids) j
CROSS JOIN tversion v ON v.ver = j.value
CROSS JOIN life f ON f.tlog = v.tlog AND f.dead > v.number AND f.born <= v.number
CROSS JOIN tversion a ON a.tlog = f.tlog AND a.number = f.adder WHERE a.ver <> v.ver"""
_REWRITTEN = """SELECT DISTINCT v.ver, a.ver FROM json_each(:ids) j
CROSS JOIN tversion v ON v.ver = j.value AND v.rewrites
CROSS JOIN tchange r ON r.tlog = v.tlog AND r.number = v.number AND r.gone = 1
CROSS JOIN tchange c ON c.tlog = r.tlog AND c.file = r.file AND c.gone = 0 AND c.number < r.number
CROSS JOIN tversion a ON a.tlog = c.tlog AND a.number = c.number"""
_READERS = f"""SELECT DISTINCT v.ver, m.ver FROM json_each(:ids) j
CROSS JOIN tversion v ON v.ver = j.value
CROSS JOIN life f ON f.tlog = v.tlog AND f.adder = v.number
CROSS JOIN tversion m ON m.tlog = v.tlog AND m.number > v.number
  AND m.number >= f.born AND m.number < f.dead
WHERE {_READY.format(v="m")}"""
_REWRITERS = f"""SELECT DISTINCT v.ver, m.ver FROM json_each(:ids) j
CROSS JOIN tversion v ON v.ver = j.value
CROSS JOIN tchange c ON c.tlog = v.tlog AND c.number = v.number AND c.gone = 0
CROSS JOIN tchange r ON r.tlog = c.tlog AND r.file = c.file AND r.gone = 1 AND r.number > c.number
CROSS JOIN tversion m ON m.tlog = r.tlog AND m.number = r.number AND m.rewrites AND m.adds
WHERE {_READY.format(v="m")}"""
_READ = f"""SELECT v.ver FROM json_each(:ids) j CROSS JOIN tversion v ON v.ver = j.value
WHERE EXISTS(SELECT 1 FROM life f CROSS JOIN tversion m
    ON m.tlog = f.tlog AND m.number = max(v.number + 1, f.born)
  WHERE f.tlog = v.tlog AND f.adder = v.number AND m.number < f.dead AND {_READY.format(v="m")})"""
_IRREGULAR = f"""SELECT DISTINCT e.ver, e.tlog, e.number FROM json_each(:ids) j
CROSS JOIN tcommit e ON e.ver = j.value CROSS JOIN tlog l ON l.id = e.tlog AND NOT l.regular
WHERE {KNOWN} AND e.at <= :T"""
_COMMITS = f"""SELECT e.number, e.ver, e.at, e.known, e.carries, e.rf, e.n FROM tcommit e
WHERE e.tlog = :log AND {KNOWN} AND e.at <= :T ORDER BY e.number"""
_CHANGES = """SELECT gone, file FROM tchange
WHERE tlog = :log AND number = :number AND rf = :rf AND n = :n"""


class Logs:
    """The logs that one walk meets."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._any_irregular = bool(reading.rows("SELECT 1 FROM tlog WHERE NOT regular LIMIT 1"))
        self._logs: dict[int, Log] = {}
        self._places: dict[int, Place | None] = {}

    def places(self, versions: Iterable[int]) -> dict[int, Place]:
        """Those versions that are walked by their files."""
        wanted = list(versions)
        unseen = [version for version in wanted if version not in self._places]
        if unseen:
            self._places.update(dict.fromkeys(unseen))
            ids = str(unseen)
            for version, number, at, rewrites in self._reading.query(_PLACES, ids=ids):
                self._places[version] = Place(None, number, at, bool(rewrites))
            if self._any_irregular:
                self._look_up(ids)
        return {v: place for v in wanted if (place := self._places[v]) is not None}

    def _look_up(self, ids: str) -> None:
        for version, number_of_log, number in self._reading.rows(_IRREGULAR, ids=ids):
            log = self._log(number_of_log)
            if number < log.complete:
                commit = log.commits[number]
                rewrites = commit.carries and bool(commit.removed)
                self._places[version] = Place(log, number, commit.at, rewrites)

    def _pairs(self, sql: str, versions: Iterable[int]) -> dict[int, set[int]]:
        """Versions that a statement finds for those of regular logs."""
        regular = [v for v in versions if (place := self._places[v]) and place.log is None]
        found: dict[int, set[int]] = defaultdict(set)
        if regular:
            for version, other in self._reading.query(sql, ids=str(regular)):
                found[version].add(other)
        return found

    def _irregular(self, versions: Iterable[int]) -> Iterator[tuple[int, Log, int]]:
        for version in versions:
            place = self._places[version]
            if place is not None and place.log is not None:
                yield version, place.log, place.number

    # What follows is asked of versions that have a place.

    def contents(self, versions: Iterable[int]) -> dict[int, set[int]]:
        """The other commits that what was read at each version comes from."""
        wanted = list(versions)
        found = self._pairs(_LIVING, wanted)
        adding = [v for v in wanted if (place := self._places[v]) and place.rewrites]
        for version, others in self._pairs(_CONTENTS_REWRITTEN, adding).items():
            found[version] |= others
        for version, log, number in self._irregular(wanted):
            found[version] = log.versions(log.read(number))
        return found

    def rewritten(self, versions: Iterable[int]) -> dict[int, set[int]]:
        """Earlier commits that had added what each removed, if it carried on."""
        wanted = [v for v in versions if (place := self._places[v]) and place.rewrites]
        found = self._pairs(_REWRITTEN, wanted)
        for version, log, number in self._irregular(wanted):
            found[version] = log.versions(log.rewritten(number))
        return found

    def readers(self, versions: Iterable[int]) -> dict[int, set[int]]:
        """Later versions whose contents come from each."""
        wanted = list(versions)
        found = self._pairs(_READERS, wanted)
        for version, others in self._pairs(_REWRITERS, wanted).items():
            found[version] |= others
        for version, log, number in self._irregular(wanted):
            found[version] = log.versions(log.readers(number))
        return found

    def rewriters(self, versions: Iterable[int]) -> dict[int, set[int]]:
        """Later commits that added something and removed what each had added, carrying on."""
        wanted = list(versions)
        found = self._pairs(_REWRITERS, wanted)
        for version, log, number in self._irregular(wanted):
            found[version] = log.versions(log.rewriters(number))
        return found

    def read(self, versions: Iterable[int]) -> set[int]:
        """Those that some later version's contents come from."""
        wanted = list(versions)
        regular = [v for v in wanted if (place := self._places[v]) and place.log is None]
        found = (
            {row[0] for row in self._reading.query(_READ, ids=str(regular))} if regular else set()
        )
        left = [version for version in regular if version not in found]
        found |= self._pairs(_REWRITERS, left).keys()
        return found | {v for v, log, number in self._irregular(wanted) if log.readers(number)}

    # --- irregular logs

    def _log(self, number: int) -> Log:
        if number not in self._logs:
            commits: dict[int, Commit] = {}
            for place, version, at, known, carries, rf, n in self._reading.rows(
                _COMMITS, log=number
            ):
                told = Commit(version, at, bool(known), bool(carries))
                for gone, file in self._reading.query(
                    _CHANGES, log=number, number=place, rf=rf, n=n
                ):
                    (told.removed if gone else told.added).add(file)
                commits[place] = told.merged(commits.get(place))
            self._logs[number] = Log(commits)
        return self._logs[number]


_CONTENTS_REWRITTEN = _REWRITTEN.replace("AND v.rewrites", "AND v.rewrites AND v.adds")


@dataclass(slots=True)
class Commit:
    """One commit as every visible entry together tells it; files by number."""

    version: int
    at: int
    known: bool
    carries: bool
    added: set[int] = field(default_factory=set)
    removed: set[int] = field(default_factory=set)

    def merged(self, had: Commit | None) -> Commit:
        """What two entries together tell."""
        if had is None:
            return self
        return Commit(
            had.version, min(had.at, self.at), had.known or self.known,
            had.carries or self.carries, had.added | self.added, had.removed | self.removed,
        )  # fmt: skip


class Log:
    """A table's log as it shows at one view, by the numbers of its commits."""

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

    def versions(self, numbers: Iterable[int]) -> set[int]:
        """The versions of commits."""
        return {self.commits[number].version for number in numbers}

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
        """Later commits that removed what ``number`` added, and added something themselves."""
        return {
            n for n in range(number + 1, self.complete)
            if self.commits[n].added and number in self.rewritten(n)
        }  # fmt: skip
