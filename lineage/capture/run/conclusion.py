"""What a run was, told when it has ended, from what was seen of it.

Every part may fail alone: whoever calls them says so, and goes on with the next.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from lineage.capture.run.environment import find_lock
from lineage.capture.run.files import describe_files, use_of_code
from lineage.capture.run.footprint import FileState, Suspect, real_path, shown
from lineage.capture.run.machine import gpus
from lineage.capture.run.plan import Plan
from lineage.capture.run.processes import harmless, why_unwatched
from lineage.capture.run.report import Facts, describe_code, describe_environment, keep_source
from lineage.capture.run.rules import SYSTEM, Kind, below
from lineage.capture.run.sightings import Sightings
from lineage.capture.run.sources import keep_settings
from lineage.capture.spool import Item

__all__ = ["Conclusion"]

_MOST_NAMED = 20


class Conclusion:
    """Completes ``facts`` part by part; ``commits`` are changes of their own."""

    def __init__(
        self,
        plan: Plan,
        seen: Sightings,
        facts: Facts,
        *,
        put_blob: Callable[[bytes], str],
        pid: int,
        preloaded: bool,
        ended_at: int,
    ) -> None:
        self.facts = facts
        self.commits: list[Item] = []
        self._plan = plan
        self._seen = seen
        self._put_blob = put_blob
        self._pid = pid
        self._preloaded = preloaded
        self._ended_at = ended_at

    def parts(self) -> list[tuple[str, Callable[[], None]]]:
        """What there is to do, in this order."""
        return [
            ("standard streams", self._streams),
            ("what files became", self._settle),
            ("code", self._describe_code),
            ("environment", self._describe_environments),
            ("tables", self._describe_tables),
            ("files", self._describe_files),
            ("processes", self._describe_processes),
            ("capture", self._describe_capture),
        ]

    def _streams(self) -> None:
        """Input and output that the shell redirected to files before we were there."""
        for given in self._plan.inherited:
            path = real_path(given.path)
            if self._seen.rules.kind(path) is not Kind.DATA:
                continue
            state = self._seen.footprint.files.setdefault(
                path, FileState(path, existed=given.descriptor == 0 or given.size > 0)
            )
            at = self._plan.started_at
            if given.descriptor == 0 and not state.read_at:
                state.read_at, state.size, state.mtime = at, given.size, given.mtime
                state.hook = "stdin"
            elif given.descriptor == 1 and not state.written_at:
                state.suspect = Suspect(at, given.size, given.mtime)
                state.hook = "stdout"

    def _settle(self) -> None:
        """What became of the files, without those that are neither code nor data."""
        files = self._seen.footprint.files
        for path in list(files):
            # A table's first files appear before its log does: now they can be told.
            kind = self._seen.rules.kind(path)
            if kind not in {Kind.CODE, Kind.DATA} or self._seen.tables.root_of(path):
                del files[path]
        self._seen.footprint.settle(_look, self._ended_at)

    def _describe_code(self) -> None:
        if not self._plan.root and self._seen.rules.script:
            for path, file in self._seen.footprint.files.items():
                if file.read_at and self._seen.rules.kind(path) is Kind.CODE:
                    keep_source(self._plan, self.facts, path)
        describe_code(self._plan, self.facts, self._digest_of, self._put_blob)
        script = self._seen.rules.script
        if script and self.facts.git is None:
            state = self._seen.footprint.files.get(script)
            if state is None or not state.read_at:
                use = use_of_code(script, self._plan.started_at, self._seen.inputs)
                self.facts.uses.append(use)

    def _digest_of(self, path: str) -> str:
        digest = self._seen.inputs.of(path) if not below(path, SYSTEM) else None
        return digest.sha256 if digest else ""

    def _describe_environments(self) -> None:
        folders = [folder for folder in (self._plan.root, self._plan.cwd) if folder]
        for interpreter, installed in self._seen.interpreters.values():
            lock = find_lock(folders)
            describe_environment(
                self._plan, self.facts, interpreter, installed, lock, self._put_blob
            )

    def _describe_tables(self) -> None:
        traces = {
            place: trace
            for place, trace in self._seen.tables.traces.items()
            if not place.startswith("/") or self._seen.rules.kind(place) is Kind.DATA
        }
        if not traces:
            return
        from lineage.capture.run.tablefacts import describe_tables
        from lineage.model.changes import RunRef

        run = RunRef(
            namespace=shown(self._plan.namespace),
            job=shown(self._plan.job),
            run_id=self._plan.run_id,
        )
        found = describe_tables(traces, run)
        self.facts.uses += found.uses
        self.facts.outputs += found.outputs
        for reason, detail in found.gaps:
            self.facts.gap(reason, detail)
        self.commits = found.commits

    def _describe_files(self) -> None:
        found = describe_files(
            self._seen.footprint.files.values(),
            self._seen.rules,
            self._seen.inputs,
            self._seen.outputs,
            self._put_blob,
            code_is_known=self.facts.git is not None,
        )
        self.facts.files = found
        git = self.facts.git
        keep_settings(
            found.uses,
            self._put_blob,
            lambda path: git is not None and path not in git.loose,
        )
        self.facts.uses += found.uses
        self.facts.outputs += found.outputs
        if found.changed:
            self.facts.gap("input-changed", _named(found.changed))
        if found.left_out:
            self.facts.gap("record-shortened", f"{found.left_out} files are not told")
        if self._seen.inputs.hurried:
            self.facts.gap("interrupted", "a signal ended the taking of digests")

    def _describe_processes(self) -> None:
        processes, facts = self._seen.processes, self.facts
        lost = processes.lost + int(facts.capture.get("skipped") or 0)
        if lost:
            facts.gap("records-lost", f"{lost} records of what the job did")
        if processes.silenced:
            facts.gap("seccomp", f"{len(processes.silenced)} processes forbade system calls")
        if not self._preloaded:
            return
        looked_at: list[str] = []
        for program, reason in processes.unwatched():
            if harmless(program):
                looked_at.append(shown(program))
            else:
                facts.gap(reason, shown(program))
        if self._pid not in processes.started:
            program = shutil.which(self._plan.command[0]) or self._plan.command[0]
            program = os.path.normpath(os.path.join(self._plan.cwd, program))
            facts.gap(why_unwatched(program), shown(program))
        if looked_at:
            facts.capture["unwatched_harmless"] = looked_at[:_MOST_NAMED]
        if processes.unhooked:
            facts.capture["pythons_without_hook"] = processes.unhooked
        still = _still_running(processes.started, self._plan.run_id)
        if still:
            facts.gap("left-running", f"{still} processes went on after the job ended")

    def _describe_capture(self) -> None:
        files, facts = self.facts.files, self.facts
        said = {
            "hooks": sorted({str(entry["hook"]) for entry in (*facts.uses, *facts.outputs)}),
            "records": self._seen.records,
            "processes": len(self._seen.processes.started) or len(self._seen.processes.hooked),
            "unhashed": files.unhashed,
            "temporary": files.temporary,
            "folded": files.folded,
            "left_out": files.left_out,
            "gpus": gpus(),
        }
        facts.capture.update(said)
        facts.capture = {name: value for name, value in facts.capture.items() if value}


def _look(path: str) -> os.stat_result | None:
    try:
        return Path(path).stat()
    except OSError:
        return None


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
