"""What has been seen of a run so far: its records as files, tables, processes and interpreters."""

from __future__ import annotations

import os
from typing import Any

from lineage.capture.run.digests import Digests
from lineage.capture.run.environment import Interpreter, distributions
from lineage.capture.run.eventlog import Record
from lineage.capture.run.footprint import Footprint, Places, real_path
from lineage.capture.run.plan import Plan
from lineage.capture.run.processes import Processes
from lineage.capture.run.rules import SYSTEM, Kind, Rules, below
from lineage.capture.run.tables import Tables

__all__ = ["Sightings"]


class Sightings:
    """Takes records as they come. Inputs are digested and environments listed meanwhile."""

    def __init__(
        self, plan: Plan, *, ours: tuple[str, ...], exclude: tuple[str, ...], hash_limit: int
    ) -> None:
        places = Places()
        self.rules = Rules(
            ours=ours,
            exclude=exclude,
            homes=_homes(plan.environ),
            code=_code_folders(plan),
            script=plan.entry.path if not below(plan.entry.path, SYSTEM) else "",
            cwd=plan.cwd,
        )
        self.footprint = Footprint(places, self.rules.ignored)
        self.tables = Tables(places)
        self.processes = Processes()
        self.inputs = Digests(hash_limit)
        self.outputs = Digests(hash_limit)
        self.interpreters: dict[str, tuple[Interpreter, list[dict[str, Any]]]] = {}
        self.records = 0

    def take(self, records: list[Record]) -> None:
        """What the job did next."""
        self.records += len(records)
        self.processes.add(records)
        for record in records:
            if record.op == "P":
                self._meet(Interpreter.of(record))
            elif record.op == "S":
                self.rules.learn(_prefix_of_python(os.fsdecode(record.path)), ())
        for state in self.footprint.add(self.tables.add(records)):
            if self.rules.kind(state.path) is Kind.DATA:
                self.inputs.of(state.path)

    def hurry(self) -> None:
        """Take no further digests: somebody waits."""
        self.inputs.hurry()
        self.outputs.hurry()

    def _meet(self, interpreter: Interpreter) -> None:
        """A Python of the job: what it has installed is listed once per prefix."""
        if interpreter.prefix in self.interpreters:
            return
        real = {real_path(p) for p in (interpreter.prefix, interpreter.base_prefix) if p}
        path = [real_path(entry) for entry in interpreter.path if entry.startswith("/")]
        self.rules.learn(sorted(real), path)
        self.interpreters[interpreter.prefix] = interpreter, distributions(interpreter.path)


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


def _homes(environ: dict[str, str]) -> tuple[str, ...]:
    homes = {
        os.path.realpath(home) for home in (environ.get("HOME"), os.path.expanduser("~")) if home
    }
    return tuple(sorted(home for home in homes if len(home) > 1))


def _code_folders(plan: Plan) -> tuple[str, ...]:
    own = plan.entry.path and not below(plan.entry.path, SYSTEM)
    folders = [plan.root, os.path.dirname(plan.entry.path) if own else plan.cwd]
    return tuple(folder for folder in folders if len(folder) > 1)
