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

import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from lineage.capture.run.digests import Digests
from lineage.capture.run.environment import Interpreter, distributions, find_lock
from lineage.capture.run.eventlog import EventLog, Record
from lineage.capture.run.files import describe_files, use_of_code
from lineage.capture.run.footprint import FileState, Footprint, Places, Suspect, shown
from lineage.capture.run.gitstate import read_git
from lineage.capture.run.launch import Ended, Job
from lineage.capture.run.machine import gpus, hardware
from lineage.capture.run.plan import Plan
from lineage.capture.run.processes import Processes, harmless, why_unwatched
from lineage.capture.run.report import (
    Facts,
    describe_code,
    describe_environment,
    finished_item,
    keep_source,
    started_item,
)
from lineage.capture.run.rules import SYSTEM, Kind, Rules, below
from lineage.capture.run.sources import keep_settings
from lineage.capture.run.tables import Tables
from lineage.capture.spool import Item, Spool
from lineage.errors import LineageError

__all__ = ["Outcome", "Watch", "WatchSettings"]

T = TypeVar("T")

_POLL = (0.05, 0.5)
"""Seconds between looks at the log: at first, and later."""
_MOST_NAMED = 20


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
        self._places = Places()
        self._rules = Rules(
            ours=settings.ours,
            exclude=settings.exclude,
            homes=_homes(plan.environ),
            code=_code_folders(plan),
            script=plan.entry.path if not below(plan.entry.path, SYSTEM) else "",
            cwd=plan.cwd,
        )
        self._footprint = Footprint(self._places, self._rules.ignored)
        self._tables = Tables(self._places)
        self._processes = Processes()
        self._inputs = Digests(settings.hash_limit)
        self._outputs = Digests(settings.hash_limit)
        self._listed: dict[str, tuple[Interpreter, list[dict[str, Any]]]] = {}
        self._records = 0
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
        self._thread.start()

    def end(self, ended: Ended, job: Job) -> None:
        """The job has ended: finish, while signals can still be waited for by ``job``."""
        self._ended = ended, max(time.time_ns() // 1000, self.plan.started_at)
        self._over.set()
        job.finish(lambda: self.done, self._hurry)
        self._thread.join()

    def _hurry(self) -> None:
        self._inputs.hurry()
        self._outputs.hurry()

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
            self._try("finishing", self._finish)
            self._keep()
        finally:
            self.done = True
            Job.wake(self._waiting)

    def _follow(self) -> None:
        log = EventLog(self._settings.log)
        try:
            self._take(log.read())
            self._try("git", self._read_git)
            self._take(log.read())
            if not self._over.is_set():
                self._try("preparing", self._settings.prepare)
            pause = _POLL[0]
            while not self._over.wait(pause):
                pause = min(pause * 1.5, _POLL[1])
                while records := log.read():
                    self._take(records)
            while records := log.read():
                self._take(records)
        finally:
            self._facts.capture["skipped"] = log.close()

    def _take(self, records: list[Record]) -> None:
        self._records += len(records)
        self._processes.add(records)
        for record in records:
            if record.op == "P":
                self._meet(Interpreter.of(record))
            elif record.op == "S":
                self._rules.learn(_prefix_of_python(os.fsdecode(record.path)), ())
        for state in self._footprint.add(self._tables.add(records)):
            if self._rules.kind(state.path) is Kind.DATA:
                self._inputs.of(state.path)

    def _meet(self, interpreter: Interpreter) -> None:
        """A Python of the job: what it has installed is listed once per prefix."""
        if interpreter.prefix in self._listed:
            return
        real = {os.path.realpath(p) for p in (interpreter.prefix, interpreter.base_prefix) if p}
        path = [os.path.realpath(entry) for entry in interpreter.path if entry.startswith("/")]
        self._rules.learn(sorted(real), path)
        self._listed[interpreter.prefix] = interpreter, distributions(interpreter.path)

    def _read_git(self) -> None:
        if self.plan.root:
            started = self.plan.started_at * 1000
            self._facts.git = read_git(self.plan.root, before_ns=started, ours=self._rules.ignored)
            for fault in self._facts.git.faults:
                self._facts.gap("git-unreadable", fault)
        elif self._rules.script:
            keep_source(self.plan, self._facts, self._rules.script)

    # --- at the end

    def _finish(self) -> None:
        facts = self._facts
        self._try("standard streams", self._streams)
        files = self._footprint.files
        for path in list(files):
            # A table's first files appear before its log does: now they can be told.
            kind = self._rules.kind(path)
            if kind not in {Kind.CODE, Kind.DATA} or self._tables.root_of(path):
                del files[path]
        self._footprint.settle(_look, self._end_at)
        self._try("code", self._describe_code)
        self._try("environment", self._describe_environments)
        self._try("tables", self._describe_tables)
        self._try("files", self._describe_files)
        self._try("processes", self._describe_processes)
        self._describe_capture()
        self.outcome.inputs = sum(1 for use in facts.uses if not _is_setting(use))
        self.outcome.outputs = sum(1 for out in facts.outputs if out["operation"] != "TMP")

    @property
    def _end_at(self) -> int:
        return self._ended[1] if self._ended else self.plan.started_at

    def _streams(self) -> None:
        """Input and output that the shell redirected to files before we were there."""
        for given in self.plan.inherited:
            path = os.path.realpath(given.path)
            if self._rules.kind(path) is not Kind.DATA:
                continue
            state = self._footprint.files.setdefault(
                path, FileState(path, existed=given.descriptor == 0 or given.size > 0)
            )
            at = self.plan.started_at
            if given.descriptor == 0 and not state.read_at:
                state.read_at, state.size, state.mtime = at, given.size, given.mtime
                state.hook = "stdin"
            elif given.descriptor == 1 and not state.written_at:
                state.suspect = Suspect(at, given.size, given.mtime)
                state.hook = "stdout"

    def _describe_code(self) -> None:
        if not self.plan.root and self._rules.script:
            for path, state in self._footprint.files.items():
                if state.read_at and self._rules.kind(path) is Kind.CODE:
                    keep_source(self.plan, self._facts, path)
        describe_code(self.plan, self._facts, self._digest_of, self._settings.put_blob)
        script = self._rules.script
        if script and self._facts.git is None:
            known = script in self._footprint.files and self._footprint.files[script].read_at
            if not known:
                use = use_of_code(script, self.plan.started_at, self._inputs)
                self._facts.uses.append(use)

    def _digest_of(self, path: str) -> str:
        digest = self._inputs.of(path) if not below(path, SYSTEM) else None
        return digest.sha256 if digest else ""

    def _describe_environments(self) -> None:
        folders = [folder for folder in (self.plan.root, self.plan.cwd) if folder]
        for interpreter, installed in self._listed.values():
            describe_environment(
                self.plan, self._facts, interpreter, installed, find_lock(folders),
                self._settings.put_blob,
            )  # fmt: skip

    def _describe_tables(self) -> None:
        traces = {
            place: trace
            for place, trace in self._tables.traces.items()
            if not place.startswith("/") or self._rules.kind(place) is Kind.DATA
        }
        if not traces:
            return
        from lineage.capture.run.tablefacts import describe_tables
        from lineage.model.changes import RunRef

        run = RunRef(
            namespace=shown(self.plan.namespace), job=shown(self.plan.job), run_id=self.plan.run_id
        )
        found = describe_tables(traces, run)
        self._facts.uses += found.uses
        self._facts.outputs += found.outputs
        for reason, detail in found.gaps:
            self._facts.gap(reason, detail)
        if found.commits:
            self._settings.spool.put(found.commits)
            self.outcome.commits = len(found.commits)

    def _describe_files(self) -> None:
        found = describe_files(
            self._footprint.files.values(),
            self._rules,
            self._inputs,
            self._outputs,
            self._settings.put_blob,
            code_is_known=self._facts.git is not None,
        )
        self._facts.files = found
        git = self._facts.git
        keep_settings(
            found.uses,
            self._settings.put_blob,
            lambda path: git is not None and path not in git.loose,
        )
        self._facts.uses += found.uses
        self._facts.outputs += found.outputs
        if found.changed:
            self._facts.gap("input-changed", _named(found.changed))
        if found.left_out:
            self._facts.gap("record-shortened", f"{found.left_out} files are not told")
        if self._inputs.hurried:
            self._facts.gap("interrupted", "a signal ended the taking of digests")

    def _describe_processes(self) -> None:
        processes, facts = self._processes, self._facts
        lost = processes.lost + int(facts.capture.get("skipped") or 0)
        if lost:
            facts.gap("records-lost", f"{lost} records of what the job did")
        if processes.silenced:
            facts.gap("seccomp", f"{len(processes.silenced)} processes forbade system calls")
        if not self._settings.shim:
            return
        looked_at: list[str] = []
        for program, reason in processes.unwatched():
            if harmless(program):
                looked_at.append(shown(program))
            else:
                facts.gap(reason, shown(program))
        if self._pid not in processes.started:
            program = shutil.which(self.plan.command[0]) or self.plan.command[0]
            program = os.path.normpath(os.path.join(self.plan.cwd, program))
            facts.gap(why_unwatched(program), shown(program))
        if looked_at:
            facts.capture["unwatched_harmless"] = looked_at[:_MOST_NAMED]
        if processes.unhooked:
            facts.capture["pythons_without_hook"] = processes.unhooked
        still = _still_running(processes.started, self.plan.run_id)
        if still:
            facts.gap("left-running", f"{still} processes went on after the job ended")

    def _describe_capture(self) -> None:
        files, facts = self._facts.files, self._facts
        said = {
            "hooks": sorted({str(entry["hook"]) for entry in (*facts.uses, *facts.outputs)}),
            "records": self._records,
            "processes": len(self._processes.started) or len(self._processes.hooked),
            "unhashed": files.unhashed,
            "temporary": files.temporary,
            "folded": files.folded,
            "left_out": files.left_out,
            "gpus": gpus(),
        }
        facts.capture.update(said)
        facts.capture = {name: value for name, value in facts.capture.items() if value}

    def _keep(self) -> None:
        ended, at = self._ended or (Ended(None, None), self.plan.started_at)
        self.outcome.state = ended.state
        self.outcome.gaps = self._facts.gaps
        try:
            self._settings.spool.put([finished_item(self.plan, ended, at, self._facts)])
            self.outcome.kept = True
        except LineageError as fault:
            self._warn(fault.message)

    def _try(self, what: str, do: Callable[[], T]) -> T | None:
        """A part that may fail without taking the rest with it: then it is a gap."""
        try:
            return do()
        except Exception as fault:
            said = f"{type(fault).__name__}: {fault}"
            self._facts.gap("capture-failed", f"{what}: {said}"[:500])
            self._warn(f"{what}: {said}")
            return None

    def _warn(self, text: str) -> None:
        self.outcome.warnings.append(text[:500])


def _prefix_of_python(program: str) -> list[str]:
    """The prefix of an interpreter that may not report itself (too old, ``-I``, ``-S``)."""
    folder, _, name = program.rpartition("/")
    prefix = folder.removesuffix("/bin")
    if not name.startswith(("python", "pypy")) or prefix == folder:
        return []
    try:
        has_library = any(entry.startswith("py") for entry in os.listdir(f"{prefix}/lib"))
    except OSError:
        return []
    return [prefix] if has_library else []


def _look(path: str) -> os.stat_result | None:
    try:
        return Path(path).stat()
    except OSError:
        return None


def _homes(environ: dict[str, str]) -> tuple[str, ...]:
    homes = {
        os.path.realpath(home) for home in (environ.get("HOME"), os.path.expanduser("~")) if home
    }
    return tuple(sorted(home for home in homes if len(home) > 1))


def _code_folders(plan: Plan) -> tuple[str, ...]:
    own = plan.entry.path and not below(plan.entry.path, SYSTEM)
    folders = [plan.root, os.path.dirname(plan.entry.path) if own else plan.cwd]
    return tuple(folder for folder in folders if len(folder) > 1)


def _is_setting(use: dict[str, Any]) -> bool:
    return use["artifact_kind"] in {"code", "environment"}


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _still_running(started: dict[int, int], run_id: str) -> int:
    """Processes of the run that are still there: told by their own environment."""
    mark = f"LINEAGE_RUN_ID={run_id}".encode()
    found = 0
    try:
        there = {int(name) for name in os.listdir("/proc") if name.isdigit()}
    except OSError:
        return 0
    for pid in there & started.keys():
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                found += mark in file.read()
        except OSError:
            continue
    return found
