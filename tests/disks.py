"""Disks of another size than the real one."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["small_disk"]


@contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """A directory with room for ``size`` (as mount takes it: "4m").

    Not below the directory of the tests: mounts there are in the way of the sandboxes of others.
    """
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="lineage-") as place:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place]
        mounted = shutil.which("mount") and subprocess.run(
            command, capture_output=True, check=False
        )
        if not mounted or mounted.returncode:
            pytest.skip("this user may not mount a small disk")
        try:
            yield Path(place)
        finally:
            subprocess.run(["umount", "-l", place], check=True)
