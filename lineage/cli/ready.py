"""What stands ready before a job starts, and how it runs where that fails.

The job waits for what is imported here: nothing heavy.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from lineage.cli.summary import say

if TYPE_CHECKING:
    from lineage.capture.run.plan import Plan
    from lineage.cli.summary import Teller
    from lineage.settings import Settings

__all__ = ["Prepared", "become", "cannot_run", "discard", "hold_standard_descriptors", "prepare"]


class Prepared:
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


def prepare(words: list[str], tell: Teller, *, job: str, parent: str, preload: bool) -> Prepared:
    """Get everything ready. Whatever it raises, the job can run without."""
    from lineage.capture.run.plan import make_plan
    from lineage.settings import load_settings

    settings = load_settings()
    plan = make_plan(words, namespace=settings.job_namespace, job=job, parent=parent)
    shim, why = _shim(settings) if preload else ("", "switched off by --no-preload")
    prepared = Prepared(settings, plan, _work_folder(settings, plan.run_id), shim)
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


def hold_standard_descriptors() -> None:
    """Where 0, 1 or 2 is closed, a file of ours would get its number. The job has it closed."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)


def become(words: list[str]) -> NoReturn:
    """Be the command: nothing of ours is left."""
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)  # Python ignores them
    try:
        os.execvp(words[0], words)  # noqa: S606  # the user's command
    except OSError as fault:
        cannot_run(words, fault)


def cannot_run(words: list[str], fault: OSError) -> NoReturn:
    """As env(1): 127 for a command that is not there, 126 for one that cannot be run."""
    say(f"lineage: {words[0]}: {fault.strerror}\n")
    sys.exit(127 if fault.errno in {errno.ENOENT, errno.ENOTDIR} else 126)


def discard(work: Path) -> None:
    """Forget the log of a run."""
    shutil.rmtree(work, ignore_errors=True)
