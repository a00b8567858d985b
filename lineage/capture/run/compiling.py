"""Compiling the preloaded library, once per machine, and trying it before it is trusted."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from errno import EAGAIN, EDQUOT, EIO, EMFILE, ENFILE, ENOMEM, ENOSPC
from pathlib import Path

from lineage.capture.run.shim import ShimError

__all__ = ["compile_shim"]

_COMPILERS = ("cc", "gcc", "clang")
_PATIENCE = 60.0
_DAY = 24 * 3600.0
_A_WHILE = 600.0
_LACKS = (
    *map(os.strerror, (ENOSPC, EDQUOT, ENOMEM, EAGAIN, EMFILE, ENFILE, EIO)),
    "Killed",
    "out of memory",
)
"""What a program says that was short of something: the next one may have it."""


def compile_shim(source: Path, library: Path) -> None:
    """Compile, try, and give the library its name. Raises ``ShimError``, ``OSError``."""
    compiler = next((found for name in _COMPILERS if (found := shutil.which(name))), None)
    if compiler is None:
        raise ShimError("there is no C compiler (cc, gcc or clang) on the PATH")
    try:
        _compile(compiler, source, library)
    except ShimError as fault:
        if fault.lasts:
            note, until = library.with_suffix(".failed"), time.time() + fault.lasts
            note.write_text(str(fault), encoding="utf-8")
            os.utime(note, (until, until))
        raise


def _compile(compiler: str, source: Path, library: Path) -> None:
    with tempfile.TemporaryDirectory(dir=library.parent, prefix="build-") as scratch:
        built = Path(scratch, library.name)
        done = _quietly(
            [
                compiler, "-O2", "-fPIC", "-shared", "-fno-stack-protector", "-U_FORTIFY_SOURCE",
                "-o", str(built), str(source), "-Wl,-z,now", "-ldl",
            ]
        )  # fmt: skip
        if done.returncode:
            raise _refused(f"{compiler} failed", done)
        _try(built, Path(scratch, "log"))
        built.chmod(0o500)
        built.rename(library)


def _try(built: Path, log: Path) -> None:
    """Load it into a small program: no complaint, and its start in the log."""
    log.touch()
    done = _quietly(
        [shutil.which("true") or "/bin/true"],
        LD_PRELOAD=str(built), LINEAGE_CAPTURE_LOG=str(log), LINEAGE_CAPTURE_SHIM=str(built),
    )  # fmt: skip
    if done.returncode or done.stderr:
        raise _refused("it cannot be loaded", done)
    if not log.read_bytes().startswith(b"\x1eS "):
        raise ShimError("it was loaded and reported nothing", lasts=_DAY)


def _refused(what: str, done: subprocess.CompletedProcess[bytes]) -> ShimError:
    """What a program said. Only a refusal lasts, not what the machine lacked at the moment."""
    said = done.stderr.decode("utf-8", "replace").strip()
    lacked = done.returncode == -signal.SIGKILL or any(lack in said for lack in _LACKS)
    last = said.rpartition("\n")[2][:300]
    return ShimError(f"{what}: {last or done.returncode}", lasts=0.0 if lacked else _DAY)


def _quietly(command: list[str], **variables: str) -> subprocess.CompletedProcess[bytes]:
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in {"LD_PRELOAD", "LINEAGE_CAPTURE_LOG"}
    }
    try:
        return subprocess.run(
            command,
            env={**env, **variables, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as fault:
        raise ShimError(f"{command[0]} takes too long", lasts=_A_WHILE) from fault
    except (OSError, subprocess.SubprocessError) as fault:
        raise ShimError(f"{command[0]} cannot be run: {fault}") from fault
