"""Tables of figures, printed as Markdown with the machine they were measured on."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence


def machine() -> str:
    """The machine, in a line."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
        model = next((x.partition(":")[2].strip() for x in file if "model name" in x), "?")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    software = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores {model}, {memory} GiB, {software}"


def milliseconds(work: Callable[[], object], times: int) -> list[float]:
    """Wall time of each call, ms, sorted."""
    out = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        out.append((time.perf_counter() - began) * 1e3)
    return sorted(out)


def p50_p99(sorted_ms: Sequence[float]) -> str:
    """``p50 / p99`` in ms."""
    return f"{statistics.median(sorted_ms):.2f} / {sorted_ms[int(len(sorted_ms) * 0.99)]:.2f}"


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A Markdown table on stdout."""
    out = [f"\n### {title}", "", "| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    out += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    sys.stdout.write("\n".join(out) + "\n")
    sys.stdout.flush()
