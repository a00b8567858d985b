"""`lineage run -- CMD`: run a command as it is, and record what it used and made.

The job waits for what is imported here: nothing heavy. Nothing of ours may keep it from running.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import time
from typing import TYPE_CHECKING

import click

from lineage.cli.ready import (
    Prepared,
    become,
    cannot_run,
    discard,
    hold_standard_descriptors,
    prepare,
)
from lineage.cli.summary import Teller

if TYPE_CHECKING:
    from lineage.capture.deliver import Delivered
    from lineage.capture.run.launch import Ended, Job
    from lineage.capture.run.watch import Watch
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
    hold_standard_descriptors()
    words = list(command)
    tell = Teller(summary=summary, as_json=as_json, quiet=quiet)
    try:
        prepared = prepare(words, tell, job=job, parent=parent, preload=not no_preload)
    except Exception as fault:  # noqa: BLE001  # whatever it is, the job runs
        tell.warn(f"this run is not recorded: {fault}")
        become(words)
    started = _start(words, prepared)
    ended = _stand_by(started, prepared, tell, deliver=not no_deliver)
    from lineage.capture.run.launch import die_like

    die_like(ended)


def _start(words: list[str], prepared: Prepared) -> Job:
    from lineage.capture.run.launch import Job

    try:
        return Job.start(words, prepared.environ)
    except OSError as fault:
        discard(prepared.work)
        cannot_run(words, fault)


def _stand_by(job: Job, prepared: Prepared, tell: Teller, *, deliver: bool) -> Ended:
    """Until the job has ended and what is known of it is kept."""
    watch: Watch | None = None
    try:
        job.watch()
        begun = _watch(prepared, deliver=deliver)
        begun.begin(job)
        watch = begun
    except Exception as fault:  # noqa: BLE001  # the job runs on
        tell.warn(f"this run is not recorded: {fault}")
    ended = job.wait()
    try:
        if watch is not None:
            watch.end(ended, job)
            discard(prepared.work)
            job.release()
            delivered = _deliver(prepared.settings, tell) if deliver else None
            tell.outcome(prepared.plan, ended, watch.outcome, delivered)
    except KeyboardInterrupt:
        tell.warn("interrupted: what was captured waits in the spool")
    except Exception as fault:  # noqa: BLE001  # the job's exit code is what counts
        tell.warn(f"what was captured waits in the spool: {fault}")
    return ended


def _watch(prepared: Prepared, *, deliver: bool) -> Watch:
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

    if not settings.url and not settings.key_path.exists():
        from lineage.wiring import require_key

        require_key(settings)
    return local_actor(settings).id, getpass.getuser()


def _prepare_the_end(settings: Settings, *, deliver: bool) -> None:
    """While the job runs: what takes a moment to load, and what dead wrappers left."""
    import lineage.capture.run.tablefacts

    if deliver and settings.url:
        import lineage.capture.service
    elif deliver:
        import lineage.wiring  # noqa: F401

        importlib.import_module(f"lineage.store.{settings.store_kind}")
    for log in (settings.home / "runs").glob("*/log"):
        with contextlib.suppress(OSError):  # of another run, which may end at any moment
            if time.time() - log.stat().st_mtime > _ABANDONED:
                discard(log.parent)


def _deliver(settings: Settings, tell: Teller) -> Delivered | None:
    from lineage.cli.delivering import deliver_all
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
