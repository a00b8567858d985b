"""Starting the job and standing aside: signals, stops and the way it ends are as without us.

The job is a child in our own process group, so a terminal's signals reach it directly and once;
we ignore those. A signal that somebody sent to us alone (``kill``, a scheduler) is passed on. A
signal to the whole group looks the same to us, and the job has had it already: a *witness*, a
process of the group in which every signal stays pending, tells the two apart (Linux; elsewhere
they are passed on as they come).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lineage.capture.run.spawn import Inherited, spawn

__all__ = ["Ended", "Job", "die_like"]

_PASSED_ON = frozenset({
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2,
    signal.SIGWINCH, signal.SIGCONT, signal.SIGTSTP, signal.SIGALRM,
})  # fmt: skip
_STOPS = frozenset({signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})
_WAKE = signal.SIGVTALRM
"""Sent by our own threads: something is done."""
_WATCHED = _PASSED_ON | _STOPS | {signal.SIGCHLD, _WAKE}
_SI_KERNEL = 0x80
_FROM_TERMINAL = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH, signal.SIGTSTP})


@dataclass(frozen=True, slots=True)
class Ended:
    """How the job ended: an exit code, or the signal that killed it."""

    code: int | None
    signal: int | None

    @property
    def state(self) -> str:
        """COMPLETE, FAIL, or ABORT for a signal."""
        if self.signal is not None:
            return "ABORT"
        return "FAIL" if self.code else "COMPLETE"


@dataclass(slots=True)
class Job:
    """A running job. :meth:`start` may raise ``OSError`` like ``execvp``."""

    pid: int
    _before: frozenset[signal.Signals | int]
    _witness: _Witness | None = None
    _job_stopped: bool = False
    _we_stopped: bool = False

    @classmethod
    def start(cls, command: list[str], environ: Mapping[str, str]) -> Job:
        """Start a command found on the PATH, with our descriptors and our directory."""
        before = frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED))
        # Where a parent has it ignored, the kernel would not keep the job's exit code for us.
        children = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            pid = spawn(command, environ, Inherited(before, children is signal.SIG_IGN))
        except OSError:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            raise
        return cls(pid, before)

    def watch(self) -> None:
        """Begin to tell signals to us from signals to the group. Not needed for correctness."""
        self._witness = _Witness.start()

    def wait(self) -> Ended:
        """Pass signals on until the job has ended."""
        while True:
            ended = self._reap()
            if ended is not None:
                if self._witness:
                    self._witness.end()
                _forget_pending()  # sent while the job ran: not meant for what we do now
                return ended
            number, from_terminal = _next_signal()
            if number == signal.SIGCONT and self._we_stopped:
                self._continue_too()
            elif number in _PASSED_ON and not from_terminal and not self._had_it(number):
                self._send(number)

    def finish(self, done: Callable[[], bool], hurry: Callable[[], None]) -> None:
        """Wait for our own work after the job. A signal hurries it, a second one kills us."""
        hurried = False
        while not done():
            number, _ = _next_signal()
            if number in {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}:
                if hurried:
                    die_like(Ended(None, number))
                hurried = True
                hurry()

    def release(self) -> None:
        """Signals come to us as to any program again."""
        _forget_pending()
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)

    @staticmethod
    def wake(thread: int) -> None:
        """From another thread: look again whether we are done. ``thread`` waits for signals."""
        signal.pthread_kill(thread, _WAKE)

    def _reap(self) -> Ended | None:
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            if pid == 0:
                return None
            if os.WIFCONTINUED(status):
                self._job_stopped = False
            elif os.WIFSTOPPED(status):
                self._job_stopped = True
                self._stop_too(os.WSTOPSIG(status))
            elif os.WIFSIGNALED(status):
                return Ended(None, os.WTERMSIG(status))
            else:
                return Ended(os.WEXITSTATUS(status), None)

    def _stop_too(self, number: int) -> None:
        """Job control stopped the job: stop as well, so that the shell gets its terminal back."""
        if number not in _STOPS:
            return
        self._we_stopped = True
        # Sent while it is blocked: one from the terminal that is still pending is then the same.
        os.kill(os.getpid(), number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        signal.pthread_sigmask(signal.SIG_BLOCK, {number})

    def _continue_too(self) -> None:
        """We were brought back alone: so is the job.

        One that was may be stopped anew by now and must stay so: its own status tells that.
        """
        self._we_stopped = False
        if self._job_stopped and not signal.sigpending() & {signal.SIGCHLD}:
            self._send(signal.SIGCONT)

    def _had_it(self, number: int) -> bool:
        return self._witness is not None and self._witness.saw(number)

    def _send(self, number: int) -> None:
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            pass


class _Witness:
    """``cat`` on a pipe that we hold, with all signals blocked: what it was sent stays pending."""

    def __init__(self, pid: int, pipe: int) -> None:
        self._pid = pid
        self._pipe = pipe

    @classmethod
    def start(cls) -> _Witness | None:
        if not os.path.exists("/proc/self/status"):
            return None
        try:
            read, write = os.pipe()
        except OSError:
            return None
        try:
            pid = os.posix_spawn(
                "/bin/cat",
                ["cat"],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, read, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                ],
                setsigmask=signal.valid_signals(),
            )
        except OSError:
            os.close(write)
            return None
        finally:
            os.close(read)
        return cls(pid, write)

    def saw(self, number: int) -> bool:
        """Whether the signal came to the group. A sender may take the group's members in turn."""
        for _ in range(10):
            if self._pending() >> (number - 1) & 1:
                self._renew()
                return True
            time.sleep(0.002)
        return False

    def _pending(self) -> int:
        try:
            with open(f"/proc/{self._pid}/status", encoding="ascii", errors="replace") as status:
                lines = [line for line in status if line.startswith(("ShdPnd", "SigPnd"))]
        except OSError:
            return 0
        return int(lines[0].split()[1], 16) | int(lines[1].split()[1], 16) if len(lines) > 1 else 0

    def _renew(self) -> None:
        """A pending signal stays: a fresh witness for the next one."""
        self.end()
        fresh = _Witness.start()
        if fresh is not None:
            self._pid, self._pipe = fresh._pid, fresh._pipe  # noqa: SLF001  # same class

    def end(self) -> None:
        """Let it go: killed, since one that was stopped with its group sees no end of its pipe."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)


def _next_signal() -> tuple[int, bool]:
    """The next signal that is for us, and whether a terminal (or the kernel) sent it."""
    if hasattr(signal, "sigwaitinfo"):
        info = signal.sigwaitinfo(_WATCHED)
        return info.si_signo, info.si_code == _SI_KERNEL
    number = signal.sigwait(_WATCHED)
    return number, number in _FROM_TERMINAL and os.isatty(0)


def _forget_pending() -> None:
    while pending := signal.sigpending() & _WATCHED:
        signal.sigwait(pending)


def die_like(ended: Ended) -> None:
    """End this process as the job ended. Does not return."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    if ended.signal is None:
        os._exit(ended.code or 0)
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the job's own core is the one wanted
    except (ImportError, OSError, ValueError):
        pass
    if ended.signal not in {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(ended.signal, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {ended.signal})
    os.kill(os.getpid(), ended.signal)
    os._exit(128 + ended.signal)
