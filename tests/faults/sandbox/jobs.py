"""Jobs in the sandbox that try to get out."""

from __future__ import annotations

import os
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

from lineage.reproduce.isolation import NAMESPACES, Ended, run
from lineage.reproduce.sandbox.spec import Overlay, Spec

__all__ = [
    "HOST_ALLOWS",
    "PRELUDE",
    "REPOSITORY",
    "World",
]

REPOSITORY = str(Path(__file__).parents[3])
PRELUDE = """
import ctypes, errno, os, pathlib, signal, socket, stat, sys
libc = ctypes.CDLL(None, use_errno=True)
def refused(call, *args):
    try:
        call(*args)
    except OSError as fault:
        print("refused", errno.errorcode.get(fault.errno, fault.errno))
        return True
    print("DONE", call, args)
    return False
def sys_refused(name, *args):
    result = getattr(libc, name)(*args)
    print(name, result, errno.errorcode.get(ctypes.get_errno()))
    return result != 0
"""
HOST_ALLOWS = """
import os, sys; sys.path.insert(0, sys.argv[1])
from lineage.reproduce.sandbox import kernel
uid, gid = os.getuid(), os.getgid()
kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
kernel.map_ids(uid, gid)
kernel.mount("tmpfs", sys.argv[2], "tmpfs")
"""


@dataclass
class World:
    """Something real, and a job that stands in it."""

    root: Path
    network: bool = False
    timeout: float = 60.0
    hides_scratch: bool = True
    env: dict[str, str] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def scratch(self) -> Path:
        return self.work / ".lineage" / "again" if self.hides_scratch else self.root / "aside"

    @property
    def written(self) -> Path:
        """What the job wrote to its directory."""
        return self.scratch / "0" / "data"

    def spec(self, code: str) -> Spec:
        overlays = []
        home, table = str(self.root / "home"), str(self.work / "table")
        for n, (target, lower) in enumerate([
            (str(self.work), str(self.work)),
            (table, str(self.root / "pins" / "table")),
            (home, home),
        ]):  # fmt: skip
            upper = self.scratch / str(n)
            for name in ("data", "work"):
                (upper / name).mkdir(parents=True)
            overlays.append(Overlay(target, (lower,), str(upper)))
        return Spec(
            scratch=str(self.scratch),
            argv=(sys.executable, "-c", PRELUDE + textwrap.dedent(code)),
            cwd=str(self.work),
            env={"HOME": home, "PATH": os.defpath, **self.env},
            overlays=tuple(overlays),
            hidden=(
                *([str(self.work / ".lineage")] if self.hides_scratch else []),
                f"{home}/.aws",
                f"{home}/.netrc",
            ),
            network=self.network,
        )

    def run(self, code: str) -> tuple[Ended, str]:
        spec = self.spec(code)
        out = self.root / "stdout"
        ended = run(NAMESPACES, spec, stdout=out, stderr=self.root / "stderr", timeout=self.timeout)
        return ended, out.read_text() + (self.root / "stderr").read_text()

    def facts(self) -> dict[str, tuple[object, ...]]:
        """Everything about every real file that a job could change."""
        found: dict[str, tuple[object, ...]] = {}
        for path in [*self.root.rglob("*"), self.work]:
            if path.parent == self.root or not {"again", "aside"}.isdisjoint(path.parts):
                continue
            seen = path.lstat()
            content = path.read_bytes() if path.is_file() else b""
            found[str(path)] = (
                content, seen.st_ino, seen.st_mode, seen.st_nlink, seen.st_uid,
                seen.st_mtime_ns, seen.st_ctime_ns,
            )  # fmt: skip
        return found
