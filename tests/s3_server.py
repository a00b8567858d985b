"""A real S3 protocol on loopback: moto's server, in an environment of its own.

Not among the tools of ``make test``: boto3, which it needs, asks for older libraries than ours.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.java_server import SERVERS, NoServerError, free_ports

__all__ = ["S3Server"]

_LOCK = SERVERS / "s3" / "requirements.txt"
_START_SECONDS = 60.0


def _installed() -> Path:
    """The program, installed on first use outside of the checkout, named by its lock.

    Raises:
        NoServerError: pip did not get the wheels.
    """
    asked = hashlib.sha256(_LOCK.read_bytes() + sys.version.encode()).hexdigest()[:12]
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = caches / "lineage-tests" / f"s3-{asked}"
    place.parent.mkdir(parents=True, exist_ok=True)
    done = place / "complete"
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            # In place: the scripts of an environment name its folder.
            venv.create(place, clear=True, with_pip=True)
            got = subprocess.run(
                [place / "bin" / "python", "-m", "pip", "install", "-q", "--require-hashes",
                 "--only-binary", ":all:", "-r", _LOCK],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if got.returncode:
                raise NoServerError(f"pip failed: {got.stderr.strip()[-500:]}")
            done.touch()
    return place / "bin" / "moto_server"


class S3Server:
    """An S3 on a free loopback port, empty at each start; what is stored lives in its memory."""

    def __init__(self, directory: Path) -> None:
        """Nothing runs before ``with``. Raises ``NoServerError``."""
        self._program = _installed()
        self._log = directory / "s3.log"
        (self.port,) = free_ports(1)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a client of S3 finds in its environment."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "eu-central-1",
            "AWS_ALLOW_HTTP": "true",
        }

    def make_bucket(self, name: str) -> str:
        """A bucket of that name (three characters or more); its URL."""
        request = urllib.request.Request(f"{self.endpoint}/{name}", method="PUT")
        with urllib.request.urlopen(request, timeout=30):
            return f"s3://{name}"

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [self._program, "-H", "127.0.0.1", "-p", str(self.port)], stdout=log, stderr=log
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise AssertionError(f"S3 did not come up:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.05)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.endpoint, timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False
