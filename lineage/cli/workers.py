"""Several processes that do the same work: started, watched, started again, stopped together.

Forked before anything is open, so they share what was bound and nothing else. One that dies is
replaced; all end with the one that started them, however it ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from lineage.cli.context import show_error, show_internal
from lineage.errors import LineageError

__all__ = ["Workers"]

log = logging.getLogger("lineage.workers")

_AGAIN_SECONDS = 1.0
"""Between the death of a process and the next: a fault that is there at once must not spin."""

_STOPPING = (signal.SIGTERM, signal.SIGINT)

Work = Callable[[Callable[[], object]], None]
"""What a process does; it calls its argument when it is ready."""


@dataclass(slots=True)
class _Child:
    ready: int
    """End of a pipe where a byte comes when it is ready, and the end of it when it died."""


class Workers:
    """``count`` processes that do ``work``; ``gone`` is told the id of each that ended."""

    def __init__(
        self, count: int, work: Work, gone: Callable[[int], None], *, as_json: bool
    ) -> None:
        self._count = count
        self._work = work
        self._gone = gone
        self._as_json = as_json
        self._parent = os.getpid()
        self._children: dict[int, _Child] = {}
        self._stopping = False
        self._alive, self._life = os.pipe()
        """Nobody writes: its end comes to the processes when this one is gone."""

    def run(self, ready: Callable[[], None]) -> int:
        """Run until SIGTERM or SIGINT, or until one cannot start; the exit status."""
        for number in _STOPPING:
            signal.signal(number, self._on_signal)
        for _ in range(self._count):
            self._start()
        if all(os.read(child.ready, 1) for child in list(self._children.values())):
            ready()
        elif not self._stopping:
            return self._stop()
        while self._children:
            pid, status = self._reap()
            if self._stopping:
                continue
            log.error("process %d ended with %d: another takes its place", pid, status)
            self._replace()
        return 0

    def _replace(self) -> None:
        """Start one in the place of one that died, as soon as the machine has room for it."""
        time.sleep(_AGAIN_SECONDS)
        while not self._stopping:
            try:
                self._start()
            except OSError as fault:
                log.warning("no process could be started, tried again soon: %s", fault)
                time.sleep(_AGAIN_SECONDS)
            else:
                return

    def _start(self) -> None:
        ready, tell = os.pipe()
        # Python forgets signals that come amid a fork: they wait until both sides are themselves.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        try:
            pid = os.fork()
            if pid == 0:
                os.close(ready)
                os.close(self._life)
                self._be_one(tell)
            self._children[pid] = _Child(ready)
        except OSError:
            os.close(ready)
            raise
        finally:
            os.close(tell)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
        if self._stopping:  # while it was started
            _end(pid)

    def _be_one(self, tell: int) -> NoReturn:
        """What a process is from here on; nothing of what started it runs in it again."""
        status = 70
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
            threading.Thread(target=self._watch, daemon=True).start()
            self._work(lambda: os.write(tell, b"1"))
            status = 0
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 0
        except LineageError as fault:
            show_error(fault, as_json=self._as_json)
            status = fault.exit_status
        except Exception as fault:  # noqa: BLE001 - never a bare traceback
            show_internal(fault, as_json=self._as_json)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _watch(self) -> None:
        os.read(self._alive, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _on_signal(self, _number: int, _frame: Any) -> None:
        if os.getpid() != self._parent:
            # It has no handler of its own yet. An exception could come where none is heeded.
            os._exit(0)
        self._stopping = True
        for pid in self._children:
            _end(pid)

    def _stop(self) -> int:
        """End the others of one that could not start; its exit status."""
        self._on_signal(0, None)
        statuses = [self._reap()[1] for _ in range(len(self._children))]
        return max(statuses, key=abs, default=1)

    def _reap(self) -> tuple[int, int]:
        pid, status = os.wait()
        while pid not in self._children:  # an orphan of others, as process 1 is given them
            pid, status = os.wait()
        os.close(self._children.pop(pid).ready)
        self._gone(pid)
        return pid, os.waitstatus_to_exitcode(status)


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # reaped, and a second signal came since
        os.kill(pid, signal.SIGTERM)
