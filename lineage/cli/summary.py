"""What a person sees of a run: warnings, the last line, the summary as JSON.

Loaded before the job starts: nothing heavy.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from lineage.capture.deliver import Delivered
    from lineage.capture.run.launch import Ended
    from lineage.capture.run.plan import Plan
    from lineage.capture.run.watch import Outcome

__all__ = ["Teller", "say"]


class Teller:
    """Warnings and the last line: on stderr, or not at all where that is closed."""

    def __init__(self, *, summary: str, as_json: bool, quiet: bool) -> None:
        self._as_json = as_json
        self._quiet = quiet
        self._warnings: list[str] = []
        self._descriptor, self._path = _destination(summary)

    def warn(self, text: str) -> None:
        """Say it now, and in the summary."""
        self._warnings.append(text)
        if not self._as_json:
            say(f"lineage: {text}\n")

    def outcome(
        self, plan: Plan, ended: Ended, outcome: Outcome, delivered: Delivered | None
    ) -> None:
        """Say how it ended."""
        for text in outcome.warnings:
            self.warn(text)
        value = _summary(plan, ended, outcome, delivered, self._warnings)
        if self._as_json or self._descriptor is not None or self._path:
            import json

            text = json.dumps(value)
            self._write(text + "\n")
            if self._as_json:
                say(text + "\n")
        if not self._as_json and not self._quiet:
            say(_line(value))

    def _write(self, text: str) -> None:
        try:
            if self._descriptor is not None:
                os.write(self._descriptor, text.encode())
            elif self._path:
                Path(self._path).write_text(text, encoding="utf-8")
        except OSError as fault:
            say(f"lineage: the summary cannot be written: {fault.strerror}\n")


def _destination(summary: str) -> tuple[int | None, str]:
    """``fd:N`` is ours alone: the job does not get it."""
    if not summary.startswith("fd:"):
        return None, str(Path(summary).absolute()) if summary else ""
    try:
        descriptor = int(summary[3:])
        os.set_inheritable(descriptor, False)
    except (ValueError, OSError) as fault:
        raise click.BadParameter(f"{summary}: {fault}", param_hint="--summary") from fault
    return descriptor, ""


def _summary(
    plan: Plan, ended: Ended, outcome: Outcome, delivered: Delivered | None, warnings: list[str]
) -> dict[str, Any]:
    from lineage.capture.run.footprint import shown
    from lineage.model.ids import run_id

    return {
        "run": run_id(shown(plan.namespace), shown(plan.job), plan.run_id),
        "run_id": plan.run_id,
        "job": {"namespace": shown(plan.namespace), "name": shown(plan.job)},
        "state": ended.state,
        "exit_code": ended.code,
        "signal": ended.signal,
        "inputs": outcome.inputs,
        "outputs": outcome.outputs,
        "commits": outcome.commits,
        "gaps": [{"reason": reason, "detail": detail} for reason, detail in outcome.gaps],
        "kept": outcome.kept,
        "delivery": delivered.as_dict() if delivered else None,
        "warnings": warnings,
    }


def _line(value: dict[str, Any]) -> str:
    counts = [
        f"{value[what]} {what if value[what] != 1 else what[:-1]}" for what in ("inputs", "outputs")
    ]
    gaps = sorted({gap["reason"] for gap in value["gaps"]})
    missed = f", may have missed something ({', '.join(gaps)})" if gaps else ""
    kept = "" if value["kept"] else ", NOT RECORDED"
    return f"lineage: run {value['run_id']} {value['state']}, {', '.join(counts)}{missed}{kept}\n"


def say(text: str) -> None:
    """Write to stderr, if there is one."""
    with contextlib.suppress(OSError):
        os.write(2, text.encode("utf-8", "backslashreplace"))
