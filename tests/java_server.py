"""Servers that run on Java, from jars that Maven finds once: a directory, two ports, a process.

Without pytest, so that the demo can start one as well.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["JavaServer", "NoServerError", "free_ports", "installed"]

SERVERS = Path(__file__).parent / "servers"
START_SECONDS = 180.0
STOP_SECONDS = 60.0
_RESOLVE_SECONDS = 900.0


class NoServerError(Exception):
    """This machine cannot have the server; says what is missing."""


def installed(name: str) -> Path:
    """The folder with the server's ``lib`` and ``classes``, filled on first use.

    Outside of the checkout, named by what is asked for, and safe when two processes come first.

    Raises:
        NoServerError: no JDK, no Maven, or Maven did not get the jars.
    """
    if shutil.which("java") is None:
        raise NoServerError("there is no java on the PATH")
    source = SERVERS / name
    asked = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(source.iterdir())))
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = caches / "lineage-tests" / f"{name}-{asked.hexdigest()[:12]}"
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.is_dir():
            partial = place.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            _resolve(source, partial)
            partial.rename(place)
    return place


def _resolve(source: Path, place: Path) -> None:
    shutil.copytree(source, place)  # Maven may write beside the pom
    _tool(
        "mvn", "-q", "-B", "-f", str(place / "pom.xml"), "dependency:copy-dependencies",
        f"-DoutputDirectory={place / 'lib'}", "-DincludeScope=runtime",
    )  # fmt: skip
    _tool(
        "javac", "-cp", str(place / "lib" / "*"), "-d", str(place / "classes"),
        str(place / "Server.java"),
    )  # fmt: skip


def _tool(*words: str) -> None:
    if shutil.which(words[0]) is None:
        raise NoServerError(f"there is no {words[0]} on the PATH")
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=_RESOLVE_SECONDS, check=False
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise NoServerError(f"{words[0]} failed: {' '.join(said[:3])[:500]}")


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, below those that outgoing connections take."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


class JavaServer:
    """A process with a directory of its own. Subclasses say how it is started and when it is up."""

    name: str
    heap = "768m"
    quick = False
    """Compile quickly only: half the time to start and for what comes first, less speed later."""

    def __init__(self, directory: Path) -> None:
        self._installed = installed(self.name)
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.log = directory / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._said_before = 0

    def words(self) -> Sequence[str]:
        """What follows the main class on the command line; writes the configuration."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether a client gets an answer."""
        raise NotImplementedError

    @property
    def said(self) -> str:
        """What it logged since it was last started."""
        return self.log.read_bytes()[self._said_before :].decode(errors="replace")

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None, "it was never started"
        return self._process.pid

    def start(self, *, wait: bool = True) -> None:
        """Start it, in the same directory and on the same ports as before.

        Args:
            wait: return when it answers; else at once (``wait_until_up``).
        """
        assert not self.running, "it runs already"
        compiler = ["-XX:TieredStopAtLevel=1"] if self.quick else []
        classes = f"{self._installed}/lib/*{os.pathsep}{self._installed}/classes"
        with self.log.open("ab") as log:
            self._said_before = log.tell()
            self._process = subprocess.Popen(
                ["java", f"-Xmx{self.heap}", "-XX:+UseSerialGC", *compiler, "-cp", classes,
                 "Server", *self.words()],
                cwd=self.directory, stdin=subprocess.PIPE, stdout=log, stderr=log,
                start_new_session=True,  # a Ctrl-C at the terminal is for the tests
            )  # fmt: skip
        if wait:
            try:
                self.wait_until_up()
            except BaseException:
                self.kill()
                raise

    def wait_until_up(self) -> None:
        """Return when it answers. Raises ``AssertionError`` with the end of its log."""
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            late = time.monotonic() > deadline
            if late or not self.running:
                what = "did not come up" if late else "ended"
                raise AssertionError(f"{self.name} {what}:\n{self.said[-4000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Ask it to end, as a person would; kill it if it does not."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a power cut would but for what the system holds."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)  # does nothing to a process that has ended
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdin is not None
        process.stdin.close()

    def remove(self) -> None:
        """Kill it and delete its directory: no test keeps hundreds of megabytes."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        if not self.running:
            self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
