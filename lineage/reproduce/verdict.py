"""The verdict on a run that was run again: pure, from what each of its outputs turned out to be.

IDENTICAL: the same bytes. EQUIVALENT: other bytes that say the same, numbers within the declared
tolerance. DIFFERENT: anything else, with the first difference. FAILED: the program did not end as
it had, or nothing could be compared. What could not be compared is named and never counts as equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Compared", "Ending", "Outcome", "OutputState", "Verdict", "decide"]


class OutputState(StrEnum):
    """What one output turned out to be."""

    IDENTICAL = "IDENTICAL"
    EQUIVALENT = "EQUIVALENT"
    DIFFERENT = "DIFFERENT"
    MISSING = "MISSING"
    """The program did not write it this time."""
    NOT_COMPARED = "NOT_COMPARED"
    """What it was is not known: recorded without a digest, or its contents are gone."""


class Verdict(StrEnum):
    """What is said of the whole run."""

    IDENTICAL = "IDENTICAL"
    EQUIVALENT = "EQUIVALENT"
    DIFFERENT = "DIFFERENT"
    FAILED = "FAILED"

    @property
    def exit_status(self) -> int:
        """0 as it was, 1 different, 2 could not be run or compared."""
        return {"IDENTICAL": 0, "EQUIVALENT": 0, "DIFFERENT": 1}.get(self, 2)


@dataclass(frozen=True)
class Compared:
    """One recorded output beside what the program wrote this time."""

    id: str
    path: str
    state: OutputState
    recorded: str = ""
    """Version token as recorded."""
    got: str = ""
    difference: dict[str, Any] = field(default_factory=dict)
    """Where the two first differ; what the keys are depends on the format."""
    detail: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain data, without what is empty."""
        plain = {
            "id": self.id, "path": self.path, "state": str(self.state), "recorded": self.recorded,
            "got": self.got, "difference": self.difference, "detail": self.detail,
        }  # fmt: skip
        return {key: value for key, value in plain.items() if value}


@dataclass(frozen=True)
class Ending:
    """How the program ended, then and now."""

    exit_code: int | None
    recorded_exit_code: int | None
    signal: int | None = None
    recorded_signal: int | None = None
    timed_out: bool = False
    not_started: str = ""

    def fault(self) -> str:
        """In what it did not end as it had, or nothing."""
        if self.not_started:
            return f"the program could not be started: {self.not_started}"
        if self.timed_out:
            return "the program was stopped: it took longer than allowed"
        if (self.exit_code, self.signal) == (self.recorded_exit_code, self.recorded_signal):
            return ""
        return (
            f"the program ended with {_said(self.exit_code, self.signal)}, "
            f"recorded was {_said(self.recorded_exit_code, self.recorded_signal)}"
        )


@dataclass(frozen=True)
class Outcome:
    """The verdict, the output it rests on, and why."""

    verdict: Verdict
    reason: str
    decisive: Compared | None = None


def decide(ending: Ending, outputs: Sequence[Compared], subject: str = "") -> Outcome:
    """The verdict on a run, or on ``subject`` alone where that is the id of one of its outputs."""
    if fault := ending.fault():
        return Outcome(Verdict.FAILED, fault)
    asked = [output for output in outputs if output.id == subject] or list(outputs)
    for state, verdict in (
        (OutputState.MISSING, Verdict.DIFFERENT),
        (OutputState.DIFFERENT, Verdict.DIFFERENT),
        (OutputState.EQUIVALENT, Verdict.EQUIVALENT),
        (OutputState.IDENTICAL, Verdict.IDENTICAL),
    ):
        found = next((output for output in asked if output.state is state), None)
        if found is not None:
            return Outcome(verdict, _REASONS[state].format(path=found.path), found)
    if not asked:
        return Outcome(Verdict.FAILED, "the run has no recorded output to compare with")
    return Outcome(
        Verdict.FAILED,
        f"no recorded output could be compared: {asked[0].path}: {asked[0].detail}",
        asked[0],
    )


_REASONS = {
    OutputState.MISSING: "{path} was not written",
    OutputState.DIFFERENT: "{path} differs",
    OutputState.EQUIVALENT: "{path} has other bytes that say the same, within the tolerance",
    OutputState.IDENTICAL: "the same bytes",
}


def _said(exit_code: int | None, signal: int | None) -> str:
    if signal is not None:
        return f"signal {signal}"
    return "no exit code" if exit_code is None else f"exit code {exit_code}"
