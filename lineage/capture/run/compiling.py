"""Compiling the preloaded library, once per machine, and trying it before it is trusted."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lineage.capture.run.shim import ShimError

__all__ = ["compile_shim"]

_COMPILERS = ("cc", "gcc", "clang")
_PATIENCE = 60.0


def compile_shim(source: Path, library: Path) -> None:
    """Compile, try, and give the library its name. Raises ``ShimError``, ``OSError``."""
    compiler = next((found for name in _COMPILERS if (found := shutil.which(name))), None)
    if compiler is None:
        raise ShimError("there is no C compiler (cc, gcc or clang) on the PATH")
    try:
        _compile(compiler, source, library)
    except ShimError as fault:
        library.with_suffix(".failed").write_text(str(fault), encoding="utf-8")
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
            raise ShimError(f"{compiler} failed: {_last_line(done.stderr)}")
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
        raise ShimError(f"it cannot be loaded: {_last_line(done.stderr) or done.returncode}")
    if not log.read_bytes().startswith(b"\x1eS "):
        raise ShimError("it was loaded and reported nothing")


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
    except (OSError, subprocess.SubprocessError) as fault:
        raise ShimError(f"{command[0]} cannot be run: {fault}") from fault


def _last_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else ""
