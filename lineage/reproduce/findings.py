"""What a pre-flight looks at, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from lineage.reproduce.code import CodeSeen
from lineage.reproduce.environment import EnvironmentSeen
from lineage.reproduce.tables import TableSeen

__all__ = ["Effect", "FileSeen", "Finding", "Observed", "Preflight"]


class Effect(IntEnum):
    """What a finding means for the run; the greatest decides."""

    NOTE = 0
    DEGRADED = 1
    LOST = 2
    ERASED = 3


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was, or not known. ``subject`` is an id, a path or a name."""

    effect: Effect
    what: str
    """run, command, table, file, code, environment, hardware, capture or network."""
    subject: str
    detail: str
    remedy: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, without what is empty."""
        plain = {
            "effect": self.effect.name, "what": self.what, "subject": self.subject,
            "detail": self.detail, "remedy": self.remedy, **self.facts,
        }  # fmt: skip
        return {key: value for key, value in plain.items() if value not in ("", [], ())}


@dataclass(frozen=True)
class FileSeen:
    """What is left of a file version: in place, in the blob store, in the recorded code, or not."""

    id: str
    path: str
    recorded: str
    """SHA-256 in hex."""
    now: str = ""
    """SHA-256 of what is there now; empty: nothing, or not readable."""
    since: str = ""
    """When what is there now was written (ISO 8601)."""
    kept: str = ""
    """Where else its contents are: ``blobs``, ``code`` or empty."""


@dataclass(frozen=True)
class Observed:
    """What stands now of everything that a run used."""

    tables: tuple[TableSeen, ...] = ()
    files: tuple[FileSeen, ...] = ()
    code: CodeSeen | None = None
    code_files: tuple[FileSeen, ...] = ()
    environment: EnvironmentSeen | None = None
    hardware: Mapping[str, Any] = field(default_factory=dict)
    unlisted: tuple[str, ...] = ()
    """Ids of folders that were used, whose list of files is gone."""


@dataclass(frozen=True)
class Preflight:
    """The verdict and every finding, the gravest first."""

    verdict: str
    findings: tuple[Finding, ...]

    @property
    def exit_status(self) -> int:
        """0 reproducible, 1 degraded, 2 lost or erased."""
        return {"REPRODUCIBLE": 0, "DEGRADED": 1}.get(self.verdict, 2)

    @property
    def reason(self) -> str:
        """The findings that the verdict rests on, in one sentence."""
        worst = [one for one in self.findings if one.effect is self.findings[0].effect]
        return "; ".join(f"{one.what} {one.subject}: {one.detail}" for one in worst)

    @property
    def can_run(self) -> bool:
        """Whether there is anything to run."""
        return self.exit_status < 2
