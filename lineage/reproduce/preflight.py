"""Pre-flight: can this run be reproduced? Pure, from what is recorded and what stands now.

REPRODUCIBLE: everything that was recorded can be brought back. DEGRADED: it can run, but something
that may change the result is not as it was, or is not known. LOST: contents that it needs are gone.
ERASED: its record was redacted. Each verdict comes with every finding, and each finding says what
it is about, since when where that is known, and what helps. A NOTE is something that differs now
and will be brought back: it costs nothing, but whoever asks wants to know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lineage.capture.run.scrub import HIDDEN
from lineage.model.changes import Use
from lineage.reproduce.code import CodeSeen
from lineage.reproduce.contents import is_local
from lineage.reproduce.environment import EnvironmentSeen
from lineage.reproduce.facts import RunFacts
from lineage.reproduce.findings import Effect, FileSeen, Finding, Observed, Preflight
from lineage.reproduce.tables import TableSeen

__all__ = ["decide"]

_NAMED = 10


def decide(run: RunFacts, seen: Observed) -> Preflight:
    """The verdict on a run."""
    findings = sorted(
        (
            *_of_run(run),
            *_of_uses(run),
            *(finding for table in seen.tables for finding in _of_table(table)),
            *(finding for file in seen.files for finding in _of_file(file, "file")),
            *(_of_folder(folder) for folder in seen.unlisted),
            *_of_code(run, seen),
            *_of_environment(run, seen.environment),
            *_of_hardware(run, seen.hardware),
        ),
        key=lambda finding: (-finding.effect, finding.what, finding.subject),
    )
    worst = max((finding.effect for finding in findings), default=Effect.NOTE)
    verdict = "REPRODUCIBLE" if worst is Effect.NOTE else worst.name
    return Preflight(verdict, tuple(findings))


def _of_run(run: RunFacts) -> Iterator[Finding]:
    for kind in run.erased:
        yield Finding(
            Effect.ERASED, "run", run.run, f"its {kind} entry was redacted",
            "an erasure is final: the entry that redacted it says why and by whom",
        )  # fmt: skip
    if run.finished.state != "COMPLETE":
        yield Finding(
            Effect.DEGRADED, "run", run.run,
            f"it ended as {run.finished.state}: its outputs may be unfinished",
        )  # fmt: skip
    if any(HIDDEN in word for word in run.started.command):
        yield Finding(
            Effect.DEGRADED, "command", run.run,
            "an argument was a secret and is not recorded: the program gets *** in its place",
            "let the job read secrets from a file or a variable",
        )  # fmt: skip
    for gap in run.gaps:
        yield Finding(
            Effect.DEGRADED, "capture", run.run, _gap(gap.reason, gap.detail),
            "inputs may be unknown: see the capture guide for what each way of capture sees",
        )  # fmt: skip


def _gap(reason: str, detail: str) -> str:
    return f"capture had a gap: {reason}" + (f" ({detail})" if detail else "")


def _of_uses(run: RunFacts) -> Iterator[Finding]:
    for use in run.inputs:
        subject = run.id_of(use)
        if not is_local(use):
            yield Finding(
                Effect.DEGRADED, "network", subject, "it is not on this machine and is not checked",
                "run with --allow-network; whether it is still as it was cannot be told",
            )  # fmt: skip
        elif not use.version:
            yield Finding(
                Effect.DEGRADED, use.artifact_kind, subject, _unversioned(use),
                facts={"candidates": list(use.candidates[:_NAMED])},
            )  # fmt: skip
        elif use.method == "inferred":
            yield Finding(
                Effect.DEGRADED, use.artifact_kind, subject,
                f"its version was inferred, not seen{f' ({use.hook})' if use.hook else ''}",
                "with the Python hook in the job, exact versions are recorded",
            )  # fmt: skip


def _unversioned(use: Use) -> str:
    if use.candidates:
        return "which of several versions it read is not known"
    if use.said:
        return f"the producer said {use.said!r}, which is no version we know"
    return "which version it read is not known; it is used as it is now"


def _of_table(table: TableSeen) -> Iterator[Finding]:
    facts: dict[str, Any] = {"latest": table.latest, "pinned": table.pinned}
    if table.source is None:
        yield Finding(
            Effect.LOST, "table", table.id, table.fault,
            "bring the files back from a backup; `lineage pin` would have kept them",
            facts={**facts, "files": list(table.missing), "missing": table.missing_count,
                   "since": list(table.vacuumed)},
        )  # fmt: skip
    elif table.latest != table.number:
        where = "its pin" if table.pinned else "the table"
        now = (
            "the table is gone" if table.latest is None else f"it is at version {table.latest} now"
        )
        remedy = "" if table.pinned else f"`lineage pin {table.id}` keeps it from a vacuum"
        yield Finding(
            Effect.NOTE, "table", table.id,
            f"{now}; version {table.number} is whole in {where}", remedy, facts,
        )  # fmt: skip


_KEEP = {
    "file": "bring it back from a backup; keep inputs in versioned tables",
    "code": "bring it back from a backup; commit code to git: then what ran is kept with it",
}


def _of_file(file: FileSeen, what: str) -> Iterator[Finding]:
    if file.now == file.recorded:
        return
    now = f"it has other contents now (sha256 {file.now[:12]})" if file.now else "it is gone"
    facts = {"recorded": file.recorded, "now": file.now, "since": file.since}
    if file.kept:
        place = {"blobs": "the blob store", "code": "the recorded code"}[file.kept]
        yield Finding(Effect.NOTE, what, file.id, f"{now}; what it was is in {place}", "", facts)
    else:
        yield Finding(
            Effect.LOST, what, file.id, f"{now}; sha256 {file.recorded[:12]} was used",
            _KEEP[what], facts,
        )  # fmt: skip


def _of_folder(folder: str) -> Finding:
    return Finding(
        Effect.DEGRADED, "file", folder,
        "which files of it were used is not known any more; they are used as they are now",
        "blobs are kept beside the store; bring them back from a backup",
    )  # fmt: skip


def _of_code(run: RunFacts, seen: Observed) -> Iterator[Finding]:
    code, found = run.code, seen.code
    for file in seen.code_files:
        yield from _of_file(file, "code")
    if code is None or found is None:
        yield Finding(Effect.DEGRADED, "code", run.run, "which code it ran is not recorded")
        return
    subject = code.root or code.entry_point or run.run
    if found.restored is not None:
        yield from _of_restored(subject, found)
        extra = code.model_extra or {}
        if extra.get("scrubbed"):
            yield Finding(
                Effect.DEGRADED, "code", subject,
                "secrets were taken out of the recorded difference: it is not exactly what ran",
            )  # fmt: skip
        if found.restored.doubtful:
            yield Finding(
                Effect.DEGRADED, "code", subject,
                f"not kept, or not there then: {_few(found.restored.doubtful)}; used as it is now",
                "commit what the job needs",
            )  # fmt: skip
    elif found.fault:
        effect = Effect.DEGRADED if found.entry_point_same else Effect.LOST
        kept = "; the script itself is unchanged" if found.entry_point_same else ""
        yield Finding(
            effect, "code", subject, f"it cannot be brought back: {found.fault}{kept}",
            "fetch the commit into the repository that it was run from",
            {"commit": code.commit},
        )  # fmt: skip
    elif code.entry_point and not found.entry_point_same and not seen.code_files:
        yield Finding(
            Effect.LOST, "code", code.entry_point,
            "it has changed, and was in no repository",
            "keep code in git: then what ran is recorded with it",
            {"recorded": code.entry_point_sha256},
        )  # fmt: skip


def _of_restored(subject: str, found: CodeSeen) -> Iterator[Finding]:
    restored = found.restored
    if restored is None:
        return
    changed = [*restored.changed, *restored.newer]
    if changed:
        yield Finding(
            Effect.NOTE, "code", subject,
            f"changed since: {_few(changed)}; it is brought back as it was",
            facts={"files": changed[:_NAMED], "changed": len(changed)},
        )  # fmt: skip


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" ..." if len(names) > _NAMED else "")


def _of_environment(run: RunFacts, seen: EnvironmentSeen | None) -> Iterator[Finding]:
    facts = run.environment
    if facts is None or seen is None:
        return
    remedy = "--rebuild-env builds the recorded one anew"
    for changed in seen.edited:
        yield Finding(
            Effect.DEGRADED, "environment", changed.name,
            f"files of {changed.name} {changed.version} were changed after the run: "
            f"{_few(changed.files)}",
            f"reinstall it (`pip install --force-reinstall --no-deps "
            f"{changed.name}=={changed.version}`), or {remedy}",
            {"files": list(changed.files[:_NAMED]), "changed": len(changed.files)},
        )  # fmt: skip
    if seen.same:
        return
    if seen.fault:
        yield Finding(Effect.DEGRADED, "environment", facts.interpreter, seen.fault, remedy)
        return
    if seen.version != facts.version:
        yield Finding(
            Effect.DEGRADED, "environment", facts.interpreter,
            f"it is {seen.version} now, was {facts.version}", remedy,
        )  # fmt: skip
    for one in seen.differences:
        yield Finding(
            Effect.DEGRADED, "environment", one.name,
            f"{one.recorded or 'not installed'} -> {one.now or 'not installed'}", remedy,
            {"recorded": one.recorded, "now": one.now},
        )  # fmt: skip
    if not seen.differences and seen.version == facts.version:
        yield Finding(
            Effect.DEGRADED, "environment", facts.interpreter,
            "the installed distributions differ; the recorded list is gone, so not which", remedy,
        )  # fmt: skip


_HARDWARE = ("machine", "cpu", "gpus", "gpu", "cpus_usable")
"""What may change a result: the last by the order in which threads add up."""


def _of_hardware(run: RunFacts, now: Mapping[str, Any]) -> Iterator[Finding]:
    recorded = run.started.hardware
    for name in _HARDWARE:
        if name in recorded and now and recorded[name] != now.get(name):
            yield Finding(
                Effect.DEGRADED, "hardware", name,
                f"{recorded[name]} -> {now.get(name, 'none')}",
                "run it on the machine it ran on, or compare with --tolerance",
            )  # fmt: skip
