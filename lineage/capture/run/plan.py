"""What is settled before the job starts.

It runs nothing and imports little: the job waits for it.
"""

from __future__ import annotations

import os
import secrets
import socket
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from lineage.capture.run.commandline import EntryPoint, entry_point, find_root, job_name
from lineage.capture.run.rules import SYSTEM, below

__all__ = ["Inherited", "Plan", "environment_for", "make_plan", "new_run_id"]

_SHORTEST_SECRET = 16
"""Letters of a token of known shape; shorter secrets are told by the signs around them."""
_LOG_SUFFIXES = (".log", ".out", ".err")


@dataclass(frozen=True, slots=True)
class Inherited:
    """A regular file that the job gets as one of its standard descriptors."""

    descriptor: int
    path: str
    size: int
    mtime: int


@dataclass(slots=True)
class Plan:
    """One run: which, of what job, started by what, with which code."""

    run_id: str
    namespace: str
    job: str
    command: list[str]
    cwd: str
    host: str
    entry: EntryPoint
    root: str
    """The git work tree, or empty."""
    started_at: int
    """UTC microseconds."""
    parent: tuple[str, str, str] | None = None
    """Job namespace, job name and run id of the run that started this one."""
    environ: dict[str, str] = field(default_factory=dict)
    inherited: list[Inherited] = field(default_factory=list)


def new_run_id(milliseconds: int) -> str:
    """A UUID of version 7 (RFC 9562): they sort by time."""
    value = (milliseconds & (1 << 48) - 1) << 80 | 7 << 76 | secrets.randbits(76)
    value = value & ~(3 << 62) | 2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def make_plan(
    command: list[str],
    *,
    namespace: str = "",
    job: str = "",
    parent: str = "",
    environ: Mapping[str, str] = os.environ,
) -> Plan:
    """Everything about a run that is known before it starts.

    ``parent`` is ``namespace,job,run id``; without it, a run that this one is started by.
    """
    now = time.time_ns()
    cwd = _cwd()
    entry = entry_point(command, cwd)
    own = entry.path and not below(entry.path, SYSTEM)
    root = find_root(os.path.dirname(entry.path) if own else cwd)
    host = socket.gethostname()
    return Plan(
        run_id=new_run_id(now // 1_000_000),
        namespace=_scrubbed(namespace) or f"local://{host}",
        job=_scrubbed(job or job_name(command, entry, root)),
        command=command,
        cwd=cwd,
        host=host,
        entry=entry,
        root=root,
        started_at=now // 1000,
        parent=_parent(parent, environ),
        environ=dict(environ),
        inherited=_inherited(),
    )


def _scrubbed(name: str) -> str:
    """A name without secrets: it is recorded, and handed on to the job."""
    if len(name) < _SHORTEST_SECRET and not set(name) & set("=:@ "):
        return name
    from lineage.capture.run.scrub import scrub_path  # the job waits

    return scrub_path(name)


def _cwd() -> str:
    try:
        return os.path.realpath(os.getcwd())  # pathlib is not needed yet
    except OSError:
        return "/"


def _parent(said: str, environ: Mapping[str, str]) -> tuple[str, str, str] | None:
    if said:
        said = _scrubbed(said)
        parts = said.rsplit(",", 2)
        return (parts[0], parts[1], parts[2]) if len(parts) == 3 and all(parts) else None
    names = ("LINEAGE_RUN_NAMESPACE", "LINEAGE_RUN_JOB", "LINEAGE_RUN_ID")
    namespace, job, run_id = (_scrubbed(environ.get(name, "")) for name in names)
    return (namespace, job, run_id) if namespace and job and run_id else None


def _inherited() -> list[Inherited]:
    """Input and output that a shell redirected before we were there.

    What also takes the errors, or is named like a log, is a log and no product of the job.
    """
    found = []
    for descriptor in (0, 1):
        try:
            facts = os.fstat(descriptor)
            path = os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            continue
        if descriptor == 1 and (_same(1, 2) or path.endswith(_LOG_SUFFIXES)):
            continue
        if stat.S_ISREG(facts.st_mode) and path.startswith("/"):
            found.append(Inherited(descriptor, path, facts.st_size, facts.st_mtime_ns))
    return found


def _same(one: int, other: int) -> bool:
    try:
        return os.path.samestat(os.fstat(one), os.fstat(other))
    except OSError:
        return False


def environment_for(plan: Plan, *, log: str, inject: str, shim: str) -> dict[str, str]:
    """The job's variables: its own, and what our hooks need. ``shim`` is empty without one."""
    environ = dict(plan.environ)
    for name in _coerced():
        environ.pop(name, None)
    environ["LINEAGE_RUN_ID"] = plan.run_id
    environ["LINEAGE_RUN_JOB"] = plan.job
    environ["LINEAGE_RUN_NAMESPACE"] = plan.namespace
    environ["LINEAGE_CAPTURE_LOG"] = log
    environ.pop("LINEAGE_CAPTURE_SHIM", None)
    before = environ.get("PYTHONPATH", "")
    if inject not in before.split(":"):
        environ["PYTHONPATH"] = f"{inject}:{before}" if before else inject
    if shim:
        environ["LINEAGE_CAPTURE_SHIM"] = shim
        others = environ.get("LD_PRELOAD", "")
        if shim not in others:
            environ["LD_PRELOAD"] = f"{others}:{shim}" if others else shim
    return environ


def _coerced() -> list[str]:
    """Variables that our interpreter set at its own start (PEP 538), not the person."""
    try:
        with open("/proc/self/environ", "rb") as file:
            given = {entry.partition(b"=")[0] for entry in file.read().split(b"\0")}
    except OSError:
        return []
    return [] if b"LC_CTYPE" in given else ["LC_CTYPE"]
