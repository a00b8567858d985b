"""Publishing to a git repository: a clone, whose commits are pushed to where it came from."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from typing_extensions import override

from lineage.errors import PublishError
from lineage.record.seal.folder import FolderPlace
from lineage.record.seal.places import Place

__all__ = ["GitPlace"]

_SECONDS = 60
"""How long git may take: it may wait for a network."""
_TIMES = 3
"""How often others may be faster until it is left to the next try."""
_PULL = ("pull", "--quiet", "--rebase", "--autostash", "--strategy-option=ours")
"""In a rebase, ours are theirs: the commits that were published."""


class GitPlace(Place):
    """A clone of a repository. What is published is what its upstream has; without one, its HEAD.

    The remote should refuse forced pushes: then what was published cannot be taken back.
    """

    def __init__(self, clone: Path) -> None:
        self._clone = clone
        self.name = f"git:{clone}"
        self._files = FolderPlace(clone)
        self.remote = True  # to ask is to fetch

    @override
    def read(self, name: str) -> bytes | None:
        published = self._published()
        if self._has_remote():
            self._git("fetch", "--quiet")
        found = self._try("show", f"{published}:{name}")
        return found.stdout if found.returncode == 0 else None

    @override
    def write(self, files: Mapping[str, bytes]) -> None:
        with self._alone():
            self._commit(files)
            if self._has_remote():
                self._push(files)

    def _commit(self, files: Mapping[str, bytes]) -> None:
        self._files.write(files)
        self._git("add", "--", *files)
        if self._try("diff", "--cached", "--quiet", "--", *files).returncode:
            latest = list(files)[-1]
            self._git(
                *self._identity(), "commit", "--quiet", "-m", f"Publish {latest}", "--", *files
            )

    def _push(self, files: Mapping[str, bytes]) -> None:
        for _ in range(_TIMES):
            if self._try("push", "--quiet").returncode == 0:
                return
            # Somebody else published meanwhile, of another log or from another machine. Where both
            # changed a file theirs stands; then ours is written again, as far as it is later.
            try:
                self._git(*self._identity(), *_PULL)
            except PublishError:
                self._try("rebase", "--abort")
                raise
            self._commit(files)
        self._git("push", "--quiet")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """A clone has one HEAD and one index: one process of this machine works on it at a time."""
        try:
            lock = os.open(self._clone, os.O_RDONLY)
        except OSError as fault:
            raise PublishError(f"{self._clone}: {fault.strerror}") from fault
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._try("symbolic-ref", "--quiet", "HEAD").returncode:
                self._try("rebase", "--abort")  # whoever began it died
            yield
        finally:
            os.close(lock)

    def _has_remote(self) -> bool:
        return bool(self._git("remote").stdout.strip())

    def _published(self) -> str:
        if not self._has_remote():
            return "HEAD"
        head = ("symbolic-ref", "--short", "HEAD")
        named = self._try(*head)
        if named.returncode:  # amid a rebase, of one that is at it or died
            with self._alone():
                named = self._git(*head)
        branch = named.stdout.decode().strip()
        remote = self._try("config", f"branch.{branch}.remote").stdout.decode().strip()
        if not remote:
            raise PublishError(
                f"the branch {branch} of {self._clone} has no upstream to push to",
                hint="git push --set-upstream says which",
            )
        return f"{branch}@{{upstream}}"

    def _identity(self) -> list[str]:
        if self._try("config", "user.email").stdout.strip():
            return []
        return ["-c", "user.name=Lineage", "-c", "user.email=lineage@localhost"]

    def _git(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        done = self._try(*words)
        if done.returncode:
            verb = next((w for w in words if w != "-c" and "=" not in w), words[0])
            told = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise PublishError(
                f"git {verb} in {self._clone}: {told[-1] if told else 'failed'}",
                hint="run it there by hand to see what is wrong",
            )
        return done

    def _try(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                ["git", "-C", str(self._clone), *words],
                stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False,
                start_new_session=True,  # without a terminal nothing can ask for a password
            )  # fmt: skip
        except FileNotFoundError as fault:
            raise PublishError("git is not installed", hint="install it") from fault
        except subprocess.TimeoutExpired as fault:
            raise PublishError(f"git in {self._clone} took over {_SECONDS} s") from fault
