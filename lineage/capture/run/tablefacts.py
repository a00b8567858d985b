"""Delta tables of a run as its inputs and outputs, and the commits it made as changes of their own.

Imported after the job has ended: it reads logs, and the log reader is not light.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lineage.capture.delta.actions import Commit, parse_actions
from lineage.capture.delta.log import commit_change, event_id_of_commit, overwrites, source_of
from lineage.capture.delta.names import commit_name
from lineage.capture.delta.series import first_id
from lineage.capture.delta.snapshot import listing_of, replay, replay_each
from lineage.capture.delta.storage import LocalLog, table_ref
from lineage.capture.run.footprint import shown
from lineage.capture.run.tables import Report, TableTrace, infer
from lineage.capture.spool import Item
from lineage.errors import LineageError
from lineage.model.changes import RunRef, encode_change
from lineage.model.ids import delta_token
from lineage.model.naming import FILE, normalise

__all__ = ["TableFacts", "describe_tables"]

MOST_FILES = 1000
MOST_REPLAYED = 10_000
"""Versions back from the newest one that was opened, for inferring."""


@dataclass(slots=True)
class TableFacts:
    """``uses`` and ``outputs`` as in ``run.finished``; ``commits`` as changes; what went wrong."""

    uses: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    commits: list[Item] = field(default_factory=list)
    gaps: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Table:
    place: str
    trace: TableTrace
    namespace: str
    name: str
    log: LocalLog | None
    ids: dict[int, str] = field(default_factory=dict)

    def token(self, version: int) -> str:
        """Version token, or empty where the table's id is not known."""
        table_id = self.ids.get(version, "")
        if not table_id and self.log is not None:
            try:
                table_id = self.ids[version] = replay(self.log, version).table_id
            except LineageError:
                return ""
        return delta_token(version, table_id) if table_id else ""

    def entry(self, version: int | None, at: int) -> dict[str, Any]:
        """What an input and an output have in common."""
        return {
            "namespace": self.namespace,
            "name": self.name,
            "artifact_kind": "table",
            "version": "" if version is None else self.token(version),
            "at": at,
        }


def describe_tables(traces: Mapping[str, TableTrace], run: RunRef) -> TableFacts:
    """Every table that was read or written."""
    facts = TableFacts()
    for place, trace in sorted(traces.items()):
        table = _table(place, trace)
        try:
            _describe(table, run, facts)
        except (LineageError, OSError) as fault:
            facts.gaps.append(("table-unreadable", f"{table.name}: {fault}"))
    return facts


def _table(place: str, trace: TableTrace) -> _Table:
    ids = {report.version: report.table_id for report in trace.reports if report.table_id}
    if place.startswith("/"):
        return _Table(place, trace, FILE, shown(place), LocalLog(Path(place)), ids)
    scheme, _, rest = place.partition("://")
    authority, _, path = rest.partition("/")
    namespace, name = normalise(f"{scheme}://{authority}", shown(path.strip("/")))
    return _Table(place, trace, namespace, name, None, ids)


def _describe(table: _Table, run: RunRef, facts: TableFacts) -> None:
    trace = table.trace
    if table.log is not None and trace.removed_at and table.log.names() is None:
        facts.outputs.append(table.entry(None, trace.removed_at) | {"operation": "REMOVED"})
        return
    made = dict(trace.commits)
    for report in trace.reports:
        if report.op == "write":
            made.setdefault(report.version, report.at)
    own = _write_outputs(table, made, facts)
    exact = [report for report in trace.reports if report.op in {"read", "rewrite"}]
    _exact_uses(table, exact, own, facts)
    _inferred_uses(table, exact, own, facts)
    if table.log is not None:
        facts.commits += _commits(table, made, run)


def _write_outputs(table: _Table, made: Mapping[int, int], facts: TableFacts) -> set[str]:
    own: set[str] = set()
    for version, at in sorted(made.items()):
        entry = table.entry(version, at)
        if not entry["version"]:
            facts.gaps.append(("table-unreadable", f"{table.name}: version {version} is not known"))
            continue
        own.add(entry["version"])
        hook = "preload" if version in table.trace.commits else "deltatable"
        operation = "ADDED" if version == 0 else "MODIFIED"
        facts.outputs.append({**entry, "operation": operation, "hook": hook})
    return own


def _exact_uses(table: _Table, exact: list[Report], own: set[str], facts: TableFacts) -> None:
    first: dict[tuple[str, int], Report] = {}
    reads: set[tuple[str, int]] = set()
    for report in sorted(exact, key=lambda report: report.at):
        key = (report.table_id, report.version)
        first.setdefault(key, report)
        if report.op == "read":
            reads.add(key)
    files = _files_by_version(table, {version for _, version in first})
    for (table_id, version), report in first.items():
        token = delta_token(version, table_id)
        if token in own:
            continue
        use = table.entry(version, report.at) | {"version": token, "hook": "deltatable"}
        if (table_id, version) not in reads:
            use["role"] = "rewrite"
        facts.uses.append(_with_files(use, files.get(version, ())))


def _files_by_version(table: _Table, versions: set[int]) -> dict[int, Iterable[str]]:
    """Which data files were read for which version; all of them where there is only one."""
    opened = table.trace.data_files
    if not opened or not versions:
        return {}
    if len(versions) == 1:
        return {next(iter(versions)): opened}
    return {version: live & opened for version, live in _live(table, versions).items()}


def _live(table: _Table, versions: Iterable[int]) -> dict[int, frozenset[str]]:
    if table.log is None:
        return {}
    found: dict[int, frozenset[str]] = {}
    for version, state in replay_each(table.log, versions):
        if not isinstance(state, LineageError):
            found[version] = frozenset(state.files)
            table.ids.setdefault(version, state.table_id)
    return found


def _inferred_uses(table: _Table, exact: list[Report], own: set[str], facts: TableFacts) -> None:
    told = {report.pid for report in exact}
    silent = [burst for burst in table.trace.bursts if burst.files and burst.pid not in told]
    if not silent or table.log is None:
        return
    listing = listing_of(table.log)
    opened = [b.highest for b in table.trace.bursts if b.highest is not None]
    newest = max(opened) if opened else listing.latest or 0
    live = _live(table, range(max(0, newest - MOST_REPLAYED), newest + 1))
    bursts = [burst for burst in table.trace.bursts if burst.pid not in told or not burst.files]
    for guess in infer(bursts, live, {report.version for report in exact}):
        version = guess.version
        use = table.entry(version, guess.at) | {"method": "inferred", "hook": "preload"}
        if version is None:
            use["candidates"] = [token for v in guess.candidates if (token := table.token(v))]
            why = "its log was passed by" if not opened else "the files fit no single version"
            facts.gaps.append(("table-version-unknown", f"{table.name}: {why}"))
        elif use["version"] in own:
            continue
        same = next((u for u in facts.uses if _same(u, use)), None)
        if same is None:
            facts.uses.append(_with_files(use, guess.files))


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(
        one.get(key) == other.get(key) for key in ("namespace", "name", "version", "candidates")
    )


def _with_files(use: dict[str, Any], files: Iterable[str]) -> dict[str, Any]:
    named = sorted(shown(name) for name in files)
    if named:
        use["files"] = named[:MOST_FILES]
    if len(named) > MOST_FILES:
        use["files_left_out"] = len(named) - MOST_FILES
    return use


def _commits(table: _Table, made: Mapping[int, int], run: RunRef) -> list[Item]:
    """The run's commits as ``table.committed``.

    Under the source and the ids that a tailer gives them: whoever comes second changes nothing.
    """
    log = table.log
    if log is None:
        return []
    ref = table_ref(Path(table.place))
    began = first_id(log)
    found: list[Item] = []
    for version in sorted(made):
        raw, stamp = log.read(commit_name(version)), log.stamp(commit_name(version))
        if raw is None or stamp is None:
            continue
        commit = parse_actions(version, raw)
        table_id, live = _before(table, commit)
        change = commit_change(
            ref, commit, table_id=table_id, modified_at=stamp.modified_at, log=began, live=live
        ).model_copy(update={"run": run})
        event_id = event_id_of_commit(change.table_id, version)
        body = encode_change(change)
        found.append(Item(source_of(ref), event_id, change.kind, 1, change.event_at, body))
    return found


def _before(table: _Table, commit: Commit) -> tuple[str, set[str] | None]:
    """Id and live files before a commit; the log is replayed only where they cannot be told."""
    if commit.version == 0 or table.log is None:
        return "", None
    known = table.ids.get(commit.version, "")
    if known and commit.metadata is None and not overwrites(commit.info):
        return known, None
    state = replay(table.log, commit.version - 1)
    return state.table_id, set(state.files) if overwrites(commit.info) else None
