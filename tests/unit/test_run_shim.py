"""The preloaded library is compiled once; how long a failure to do so is believed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lineage.capture.run import compiling
from lineage.capture.run.shim import ShimError, shim

pytestmark = pytest.mark.needs("compiler")
Compiler = Callable[[str], None]


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compiler:
    """Puts a shell script in the place of the compiler; the real one again for an empty text."""
    tools, path = tmp_path / "tools", os.environ["PATH"]
    tools.mkdir()
    monkeypatch.setenv("PATH", f"{tools}:{path}")

    def be(script: str) -> None:
        (tools / "cc").unlink(missing_ok=True)
        if script:
            (tools / "cc").write_text(f"#!/bin/sh\n{script}\n")
            (tools / "cc").chmod(0o755)

    return be


@pytest.mark.parametrize(
    "script",
    [
        "echo 'fatal error: error writing to x.s: No space left on device' >&2; exit 1",
        "echo 'cc: fatal error: Killed signal terminated program cc1' >&2; echo bye >&2; exit 1",
        "kill -9 $$",
    ],
    ids=["full disk", "killed part", "killed"],
)
def test_what_a_machine_lacked_for_a_moment_is_not_held_against_the_compiler(
    tmp_path: Path, compiler: Compiler, script: str
) -> None:
    compiler(script)
    with pytest.raises(ShimError, match="failed"):
        shim([tmp_path / "cache"])
    compiler("")
    assert shim([tmp_path / "cache"]).exists()


def test_a_refusal_is_believed_for_a_day(tmp_path: Path, compiler: Compiler) -> None:
    compiler("echo 'shim.c:1: error: no' >&2; exit 1")
    with pytest.raises(ShimError, match="no"):
        shim([tmp_path / "cache"])
    compiler("")
    with pytest.raises(ShimError, match="says so"):
        shim([tmp_path / "cache"])
    (note,) = (tmp_path / "cache").glob("*.failed")
    assert 3600 < note.stat().st_mtime - time.time() <= 24 * 3600


def test_a_compiler_that_is_too_slow_is_asked_again_after_a_while(
    tmp_path: Path, compiler: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler("exec sleep 600")
    with monkeypatch.context() as hasty:
        hasty.setattr(compiling, "_PATIENCE", 0.1)
        with pytest.raises(ShimError, match="too long"):
            shim([tmp_path / "cache"])
    compiler("")
    with pytest.raises(ShimError, match="says so"):
        shim([tmp_path / "cache"])
    (note,) = (tmp_path / "cache").glob("*.failed")
    assert note.stat().st_mtime - time.time() <= 600
    os.utime(note)
    assert shim([tmp_path / "cache"]).exists()
