"""`lineage run -- CMD`: run a command as it is, and record what it used and made.

The job waits for what is imported here: nothing heavy. Nothing of ours may keep it from running.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from lineage.capture.deliver import Delivered
    from lineage.capture.run.launch import Ended, Job
    from lineage.capture.run.plan import Plan
    from lineage.capture.run.watch import Outcome, Watch
    from lineage.settings import Settings

__all__ = ["run"]

_ABANDONED = 30 * 24 * 3600
"""Seconds after which the log of a run is a leftover: its wrapper was killed."""


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.option("--job", "--name", "job", default="", metavar="NAME", help="Name of the job.")
@click.option(
    "--parent", default="", metavar="NAMESPACE,JOB,RUN_ID", help="The run that started this one."
)
@click.option("--summary", default="", metavar="FILE", help="Write the summary as JSON (or fd:N).")
@click.option("--json", "as_json", is_flag=True, help="The last line on stderr is JSON.")
@click.option("--quiet", "-q", is_flag=True, help="No last line on stderr.")
@click.option("--no-preload", is_flag=True, help="Watch from inside Python only.")
@click.option("--no-deliver", is_flag=True, help="Leave what was captured in the spool.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def run(
    *,
    job: str,
    parent: str,
    summary: str,
    as_json: bool,
    quiet: bool,
    no_preload: bool,
    no_deliver: bool,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND with capture: what it reads, writes, and runs in becomes part of the record.

    The command runs as it would alone: same input, output, signals and exit code. If it cannot be
    watched, it runs all the same.
    """
    _hold_standard_descriptors()
    words = list(command)
    tell = _Teller(summary=summary, as_json=as_json, quiet=quiet)
    try:
        prepared = _prepare(words, tell, job=job, parent=parent, preload=not no_preload)
    except Exception as fault:  # noqa: BLE001  # whatever it is, the job runs
        tell.warn(f"this run is not recorded: {fault}")
        _become(words)
    started = _start(words, prepared)
    ended = _stand_by(started, prepared, tell, deliver=not no_deliver)
    from lineage.capture.run.launch import die_like

    die_like(ended)


class _Prepared:
    """What stands ready before the job starts."""

    def __init__(self, settings: Settings, plan: Plan, work: Path, shim: str) -> None:
        from lineage.capture.run import INJECT
        from lineage.capture.run.plan import environment_for

        self.settings = settings
        self.plan = plan
        self.work = work
        self.log = work / "log"
        self.shim = shim
        self.gaps: list[tuple[str, str]] = []
        self.log.touch(mode=0o600)
        self.environ = environment_for(plan, log=str(self.log), inject=str(INJECT), shim=shim)


def _prepare(words: list[str], tell: _Teller, *, job: str, parent: str, preload: bool) -> _Prepared:
    from lineage.capture.run.plan import make_plan
    from lineage.settings import load_settings

    settings = load_settings()
    plan = make_plan(words, namespace=settings.job_namespace, job=job, parent=parent)
    shim, why = _shim(settings) if preload else ("", "switched off by --no-preload")
    prepared = _Prepared(settings, plan, _work_folder(settings, plan.run_id), shim)
    if why and preload and _is_news(settings.cache / "no-preload", why):
        tell.warn(f"only Python's own reads and writes are seen: {why}")
    if why:
        prepared.gaps.append(("no-preload", why))
    return prepared


def _shim(settings: Settings) -> tuple[str, str]:
    from lineage.capture.run.shim import ShimError, caches, shim

    try:
        return str(shim(caches(settings.cache))), ""
    except (ShimError, OSError) as fault:
        return "", str(fault)


def _is_news(note: Path, text: str) -> bool:
    """Whether it was not said before: said once, not at every run."""
    try:
        if note.is_file() and note.read_text(encoding="utf-8") == text:
            return False
        note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        note.write_text(text, encoding="utf-8")
    except OSError:
        pass
    return True


def _work_folder(settings: Settings, run_id: str) -> Path:
    """Where the log of a run is while it runs: below our home, else wherever there is room."""
    folder = settings.home / "runs" / run_id
    try:
        folder.mkdir(parents=True, mode=0o700)
    except OSError:
        import tempfile

        folder = Path(tempfile.mkdtemp(prefix="lineage-"))
    return folder


def _start(words: list[str], prepared: _Prepared) -> Job:
    from lineage.capture.run.launch import Job

    try:
        return Job.start(words, prepared.environ)
    except OSError as fault:
        _discard(prepared.work)
        _cannot_run(words, fault)


def _stand_by(job: Job, prepared: _Prepared, tell: _Teller, *, deliver: bool) -> Ended:
    """Until the job has ended and what is known of it is kept."""
    watch: Watch | None = None
    try:
        job.watch()
        watch = _watch(prepared, deliver=deliver)
        watch.begin(job)
    except Exception as fault:  # noqa: BLE001  # the job runs on
        tell.warn(f"this run is not recorded: {fault}")
    ended = job.wait()
    try:
        if watch is not None:
            watch.end(ended, job)
            _discard(prepared.work)
            job.release()
            delivered = _deliver(prepared.settings, tell) if deliver else None
            tell.outcome(prepared.plan, ended, watch.outcome, delivered)
    except KeyboardInterrupt:
        tell.warn("interrupted: what was captured waits in the spool")
    except Exception as fault:  # noqa: BLE001  # the job's exit code is what counts
        tell.warn(f"what was captured waits in the spool: {fault}")
    return ended


def _watch(prepared: _Prepared, *, deliver: bool) -> Watch:
    from lineage.capture.run import INJECT
    from lineage.capture.run.watch import Watch, WatchSettings
    from lineage.capture.spool import Spool
    from lineage.store.blobs import DirectoryBlobs

    settings = prepared.settings
    ours = {settings.home, prepared.work, INJECT, settings.store_path, settings.key_path}
    ours |= {settings.blobs, settings.dead_letters}
    return Watch(
        prepared.plan,
        WatchSettings(
            spool=Spool(settings.spool),
            log=str(prepared.log),
            shim=prepared.shim,
            put_blob=DirectoryBlobs(settings.blobs).put,
            person=lambda: _person(settings),
            ours=tuple(sorted({os.path.realpath(path) for path in ours})),
            exclude=tuple(os.path.realpath(path) for path in settings.exclude),
            variables=settings.variables,
            hash_limit=settings.hash_limit,
            gaps=tuple(prepared.gaps),
            prepare=lambda: _prepare_the_end(settings, deliver=deliver),
        ),
    )


def _person(settings: Settings) -> tuple[str, str]:
    import getpass

    from lineage.record.identity import local_actor

    return local_actor(settings).id, getpass.getuser()


def _prepare_the_end(settings: Settings, *, deliver: bool) -> None:
    """While the job runs: what takes a moment to load, and what dead wrappers left."""
    import lineage.capture.run.tablefacts

    if deliver and settings.url:
        import lineage.capture.service
    elif deliver:
        import lineage.store.sqlite
        import lineage.wiring  # noqa: F401
    for log in (settings.home / "runs").glob("*/log"):
        if time.time() - log.stat().st_mtime > _ABANDONED:
            _discard(log.parent)


def _deliver(settings: Settings, tell: _Teller) -> Delivered | None:
    from lineage.cli.spool import deliver_all
    from lineage.errors import LineageError

    try:
        delivered = deliver_all(settings)
    except LineageError as fault:
        tell.warn(f"what was captured waits in the spool: {fault.message}")
        return None
    if delivered.fault is not None:
        tell.warn(f"what was captured waits in the spool: {delivered.fault.message}")
    for digest, why in delivered.blobs.missing.items():
        tell.warn(f"delivered without the blob {digest[:12]}: {why}")
    return delivered


# --- what a person sees


class _Teller:
    """Warnings and the last line: on stderr, or not at all where that is closed."""

    def __init__(self, *, summary: str, as_json: bool, quiet: bool) -> None:
        self._as_json = as_json
        self._quiet = quiet
        self._warnings: list[str] = []
        self._descriptor, self._path = _destination(summary)

    def warn(self, text: str) -> None:
        self._warnings.append(text)
        if not self._as_json:
            _say(f"lineage: {text}\n")

    def outcome(
        self, plan: Plan, ended: Ended, outcome: Outcome, delivered: Delivered | None
    ) -> None:
        for text in outcome.warnings:
            self.warn(text)
        value = _summary(plan, ended, outcome, delivered, self._warnings)
        if self._as_json or self._descriptor is not None or self._path:
            import json

            text = json.dumps(value)
            self._write(text + "\n")
            if self._as_json:
                _say(text + "\n")
        if not self._as_json and not self._quiet:
            _say(_line(value))

    def _write(self, text: str) -> None:
        try:
            if self._descriptor is not None:
                os.write(self._descriptor, text.encode())
            elif self._path:
                Path(self._path).write_text(text, encoding="utf-8")
        except OSError as fault:
            _say(f"lineage: the summary cannot be written: {fault.strerror}\n")


def _destination(summary: str) -> tuple[int | None, str]:
    """``fd:N`` is ours alone: the job does not get it."""
    if not summary.startswith("fd:"):
        return None, str(Path(summary).absolute()) if summary else ""
    try:
        descriptor = int(summary[3:])
        os.set_inheritable(descriptor, False)
    except (ValueError, OSError) as fault:
        raise click.BadParameter(f"{summary}: {fault}", param_hint="--summary") from fault
    return descriptor, ""


def _summary(
    plan: Plan, ended: Ended, outcome: Outcome, delivered: Delivered | None, warnings: list[str]
) -> dict[str, Any]:
    from lineage.capture.run.footprint import shown
    from lineage.model.ids import run_id

    return {
        "run": run_id(shown(plan.namespace), shown(plan.job), plan.run_id),
        "run_id": plan.run_id,
        "job": {"namespace": shown(plan.namespace), "name": shown(plan.job)},
        "state": ended.state,
        "exit_code": ended.code,
        "signal": ended.signal,
        "inputs": outcome.inputs,
        "outputs": outcome.outputs,
        "commits": outcome.commits,
        "gaps": [{"reason": reason, "detail": detail} for reason, detail in outcome.gaps],
        "kept": outcome.kept,
        "delivery": delivered.as_dict() if delivered else None,
        "warnings": warnings,
    }


def _line(value: dict[str, Any]) -> str:
    counts = [
        f"{value[what]} {what if value[what] != 1 else what[:-1]}" for what in ("inputs", "outputs")
    ]
    gaps = sorted({gap["reason"] for gap in value["gaps"]})
    missed = f", may have missed something ({', '.join(gaps)})" if gaps else ""
    kept = "" if value["kept"] else ", NOT RECORDED"
    return f"lineage: run {value['run_id']} {value['state']}, {', '.join(counts)}{missed}{kept}\n"


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, text.encode("utf-8", "backslashreplace"))


# --- the job comes first


def _hold_standard_descriptors() -> None:
    """Where 0, 1 or 2 is closed, a file of ours would get its number. The job has it closed."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)


def _become(words: list[str]) -> NoReturn:
    """Be the command: nothing of ours is left."""
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)  # Python ignores them
    try:
        os.execvp(words[0], words)  # noqa: S606  # the user's command
    except OSError as fault:
        _cannot_run(words, fault)


def _cannot_run(words: list[str], fault: OSError) -> NoReturn:
    """As env(1): 127 for a command that is not there, 126 for one that cannot be run."""
    _say(f"lineage: {words[0]}: {fault.strerror}\n")
    sys.exit(127 if fault.errno in {errno.ENOENT, errno.ENOTDIR} else 126)


def _discard(work: Path) -> None:
    import shutil

    shutil.rmtree(work, ignore_errors=True)
