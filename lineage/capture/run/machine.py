"""The machine a run ran on. What is absent is left out; nothing here may take long."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

__all__ = ["gpus", "hardware"]

_PATIENCE = 5.0


def hardware() -> dict[str, Any]:
    """Processor, memory (bytes), and graphics cards as the driver lists them: files only."""
    found: dict[str, Any] = {"machine": os.uname().machine, "cpus": os.cpu_count() or 0}
    if hasattr(os, "sched_getaffinity"):
        found["cpus_usable"] = len(os.sched_getaffinity(0))
    model = _line("/proc/cpuinfo", "model name")
    if model:
        found["cpu"] = model
    memory = _line("/proc/meminfo", "MemTotal").split()
    if memory and memory[0].isdigit():
        found["memory"] = int(memory[0]) * 1024
    cards = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    if cards:
        found["gpus"] = [_line(str(card), "Model") for card in cards]
    return found


def gpus() -> list[dict[str, str]]:
    """What ``nvidia-smi`` says, where there is one."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    fields = ("name", "uuid", "memory.total", "driver_version")
    try:
        done = subprocess.run(
            [program, f"--query-gpu={','.join(fields)}", "--format=csv,noheader"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines()]
    return [dict(zip(fields, row, strict=True)) for row in rows if len(row) == len(fields)]


def _line(path: str, name: str) -> str:
    """What follows the colon on the first line that begins with ``name``."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith(name):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return ""
