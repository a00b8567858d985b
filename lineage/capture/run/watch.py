"""Beside the running job: say that it started, follow its records, say how it ended.

1. The start is put into the spool at once: a wrapper that is killed leaves a started run.
2. In a thread: git state, then the records as they come; inputs are digested and environments
   listed while the job runs, so that little is left to do when it ends. (Not at a low priority: a
   thread cannot raise it again for the end, when somebody waits.)
3. At the end everything is folded into one finished entry, which goes to the spool with the
   commits of tables.

Whatever fails is a warning and a gap of the run; the finished entry is written all the same.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lineage.capture.run.conclusion import Conclusion
from lineage.capture.run.eventlog import EventLog
from lineage.capture.run.gitstate import read_git
from lineage.capture.run.launch import Ended, Job
from lineage.capture.run.machine import hardware
from lineage.capture.run.plan import Plan
from lineage.capture.run.report import Facts, finished_item, keep_source, started_item
from lineage.capture.run.sightings import Sightings
from lineage.capture.spool import Item, Spool
from lineage.errors import LineageError

__all__ = ["Outcome", "Watch", "WatchSettings"]

T = TypeVar("T")

_POLL = (0.05, 0.5)
"""Seconds between looks at the log: at first, and later."""


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """What watching needs to know. ``ours`` are paths that are never part of a run."""

    spool: Spool
    log: str
    shim: str
    put_blob: Callable[[bytes], str]
    person: Callable[[], tuple[str, str]]
    ours: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    hash_limit: int = 1 << 30
    gaps: tuple[tuple[str, str], ...] = ()
    """Known before the start: (reason, detail)."""
    prepare: Callable[[], None] = lambda: None
    """Run in the thread while the job runs: imports for the end and the delivery."""


@dataclass(slots=True)
class Outcome:
    """What came of it, for the summary."""

    state: str = ""
    inputs: int = 0
    outputs: int = 0
    commits: int = 0
    gaps: list[tuple[str, str]] = field(default_factory=list)
    kept: bool = False
    warnings: list[str] = field(default_factory=list)


class Watch:
    """Watches one run. :meth:`begin`, then :meth:`end`; ``outcome`` when :attr:`done`."""

    def __init__(self, plan: Plan, settings: WatchSettings) -> None:
        self.plan = plan
        self.outcome = Outcome()
        self.done = False
        self._settings = settings
        self._facts = Facts()
        self._seen = Sightings(
            plan, ours=settings.ours, exclude=settings.exclude, hash_limit=settings.hash_limit
        )
        self._ended: tuple[Ended, int] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="lineage-watch", daemon=True)
        self._waiting = self._pid = 0

    # --- from the main thread

    def begin(self, job: Job) -> None:
        """Say that the run started, and start to follow it."""
        self._pid = job.pid
        self._waiting = threading.get_ident()
        for reason, detail in self._settings.gaps:
            self._facts.gap(reason, detail)
        try:
            self._settings.spool.put([self._started()])
        except LineageError as fault:
            self._warn(fault.message)
        try:
            self._thread.start()
        except RuntimeError as fault:  # a limit on processes or memory
            self._warn(f"the job is not followed while it runs: {fault}")

    def end(self, ended: Ended, job: Job) -> None:
        """The job has ended: finish, while signals can still be waited for by ``job``."""
        self._ended = ended, max(time.time_ns() // 1000, self.plan.started_at)
        self._over.set()
        if self._thread.ident is None:
            self._work()  # there was no thread to be had: now it is our own
            return
        job.finish(lambda: self.done, self._seen.hurry)
        self._thread.join()

    def _started(self) -> Item:
        person = self._try("who runs it", self._settings.person)
        return started_item(
            self.plan,
            person=person,
            hardware=self._try("hardware", hardware) or {},
            allowed=self._settings.variables,
        )

    # --- in the thread

    def _work(self) -> None:
        try:
            self._try("following the job", self._follow)
            ended, at = self._end_of_job()
            self._try("finishing", lambda: self._finish(at))
            self._keep(ended, at)
        finally:
            self.done = True
            Job.wake(self._waiting)

    def _follow(self) -> None:
        log = EventLog(self._settings.log)
        try:
            self._take(log)
            self._try("git", self._read_git)
            self._take(log)
            if not self._over.is_set():
                self._try("preparing", self._settings.prepare, is_gap=False)
            pause = _POLL[0]
            while not self._over.wait(pause):
                pause = min(pause * 1.5, _POLL[1])
                while self._take(log):
                    pass
            while self._take(log):
                pass
        finally:
            self._facts.capture["skipped"] = log.close()

    def _take(self, log: EventLog) -> bool:
        """What the log has next, and whether it had any. What fails on it ends no following."""
        records = log.read()
        if records:
            self._try("what the job did", lambda: self._seen.take(records))
        return bool(records)

    def _read_git(self) -> None:
        if self.plan.root:
            started = self.plan.started_at * 1000
            self._facts.git = read_git(
                self.plan.root, before_ns=started, ours=self._seen.rules.ignored
            )
            for fault in self._facts.git.faults:
                self._facts.gap("git-unreadable", fault)
        elif self._seen.rules.script:
            keep_source(self.plan, self._facts, self._seen.rules.script)

    # --- at the end

    def _end_of_job(self) -> tuple[Ended, int]:
        """How and when the job ended: waited for, wherever following it came to an end."""
        self._over.wait()
        if self._ended is None:
            raise AssertionError("it is over, and nobody said how")
        return self._ended

    def _finish(self, at: int) -> None:
        conclusion = Conclusion(
            self.plan,
            self._seen,
            self._facts,
            put_blob=self._settings.put_blob,
            pid=self._pid,
            preloaded=bool(self._settings.shim),
            ended_at=at,
        )
        for what, part in conclusion.parts():
            self._try(what, part)
        commits = conclusion.commits
        if commits:
            kept = self._try("commits of tables", lambda: self._settings.spool.put(commits))
            self.outcome.commits = len(commits) if kept else 0
        self.outcome.inputs = sum(1 for use in self._facts.uses if not _is_setting(use))
        self.outcome.outputs = sum(1 for out in self._facts.outputs if out["operation"] != "TMP")

    def _keep(self, ended: Ended, at: int) -> None:
        self.outcome.state = ended.state
        self.outcome.gaps = self._facts.gaps
        try:
            self._settings.spool.put([finished_item(self.plan, ended, at, self._facts)])
            self.outcome.kept = True
        except LineageError as fault:
            self._warn(fault.message)

    def _try(self, what: str, do: Callable[[], T], *, is_gap: bool = True) -> T | None:
        """A part that may fail without taking the rest with it: then it is a gap."""
        try:
            return do()
        except Exception as fault:
            said = f"{type(fault).__name__}: {fault}"
            if is_gap:
                self._facts.gap("capture-failed", f"{what}: {said}"[:500])
            self._warn(f"{what}: {said}")
            return None

    def _warn(self, text: str) -> None:
        if text[:500] not in self.outcome.warnings:
            self.outcome.warnings.append(text[:500])


def _is_setting(use: dict[str, Any]) -> bool:
    return use["artifact_kind"] in {"code", "environment"}
