"""A vacuum that knows what it would lose: which recorded versions, used by which runs.

A vacuum deletes files that no version within the retention needs. Recorded runs may have used
older ones. The plan says which of those could not be read any more, and which are pinned.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lineage.capture.delta.snapshot import TableState, listing_of, replay_each
from lineage.capture.delta.storage import LocalLog, local_path, table_ref
from lineage.errors import SourceUnavailableError, VacuumRefusedError, VersionLostError
from lineage.model.claims import EdgeType
from lineage.model.ids import RUN, artifact_id, class_of, number_of_token, token_of
from lineage.reproduce.delta import (
    absent_among,
    describe,
    intact_version,
    is_below_retention,
    table_version,
    vacuum_files,
)
from lineage.reproduce.keeplog import log_kept
from lineage.reproduce.needs import aliases_of, is_table_version
from lineage.reproduce.pin import find_pin, make_folder, pins_folder
from lineage.store.contract import Direction, Store, View

__all__ = ["Affected", "Deleted", "Plan", "Terms", "apply_vacuum", "plan_vacuum", "used_versions"]


@dataclass(frozen=True, slots=True)
class Affected:
    """A version that recorded runs used and that needs files a vacuum would delete."""

    version: str
    runs: list[str]
    products: list[str]
    """What those runs made."""
    files: list[str]
    """Files of it that would go."""
    pin: Path | None = None
    """Its pin, where it has one that is whole."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How to vacuum: retention (None: the table's own), also unknown files, versions to keep."""

    retention_hours: int | None = None
    full: bool = False
    keep: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a vacuum would do. ``lost_before`` are used versions that cannot be read already."""

    table: Path
    terms: Terms
    files: list[str]
    bytes: int
    affected: list[Affected] = field(default_factory=list)
    lost_before: list[str] = field(default_factory=list)
    below_retention: bool = False

    @property
    def would_lose(self) -> list[Affected]:
        """Used versions that would be lost: they have no pin."""
        return [version for version in self.affected if version.pin is None]


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a vacuum took away: files that were there before and are not there after."""

    files: list[str]
    bytes: int


def plan_vacuum(table: str | Path, terms: Terms, store: Store, view: View) -> Plan:
    """What a vacuum of a table would delete, and what that would mean.

    Raises ``VacuumRefusedError`` for a full vacuum of a table with deletion vectors,
    ``SourceUnavailableError`` where there is no table, ``VersionLostError`` where its log is
    broken, ``UnsupportedError``.
    """
    path = local_path(table)
    _there_is_a_table(path)
    now = table_version(path)
    if terms.full and now.has_vectors:
        raise VacuumRefusedError(
            f"{path} has deletion vectors: a full vacuum of deltalake deletes those in use",
            hint="leave --full out: the default vacuum only deletes what the log says is removed",
            table=str(path),
        )
    sizes = _sizes(path, _vacuum(path, terms, apply=False))
    doomed = list(sizes)
    used = used_versions(path, store, view)
    affected, lost = _affected(path, set(doomed), used, store, view)
    hours = terms.retention_hours
    below = hours is not None and is_below_retention(path, hours)
    return Plan(path, terms, doomed, sum(sizes.values()), affected, lost, below)


def _there_is_a_table(path: Path) -> None:
    try:
        found = listing_of(LocalLog(path)).latest is not None
    except SourceUnavailableError as fault:
        raise _no_table(path) from fault
    if not found:
        raise _no_table(path)


def _no_table(path: Path) -> SourceUnavailableError:
    return SourceUnavailableError(
        f"no Delta table at {path}",
        hint="check the path, and whether its file system is mounted",
        table=str(path),
    )


def apply_vacuum(plan: Plan) -> Deleted:
    """Do what was planned. The log stays whole."""
    beside = pins_folder(plan.table)
    try:
        make_folder(beside)
        with log_kept(plan.table, beside):
            before = _sizes(plan.table, _vacuum(plan.table, plan.terms, apply=False))
            named = _vacuum(plan.table, plan.terms, apply=True)
            left = _sizes(plan.table, named)
            gone = [name for name in named if name in before and name not in left]
            return Deleted(gone, sum(before[name] for name in gone))
    except OSError as fault:
        raise VacuumRefusedError(
            f"the log of {plan.table} cannot be kept: {fault.strerror}",
            hint=f"make {plan.table.parent} writable: the log is linked beside the table meanwhile",
        ) from fault


def _vacuum(path: Path, terms: Terms, *, apply: bool) -> list[str]:
    return vacuum_files(
        path,
        retention_hours=terms.retention_hours,
        full=terms.full,
        keep=terms.keep,
        apply=apply,
    )


def used_versions(path: Path, store: Store, view: View) -> dict[str, list[str]]:
    """Versions of a table that recorded runs used, under any of its names, with those runs."""
    ref = table_ref(path)
    names = aliases_of(store, [artifact_id(ref.namespace, ref.name)], view)
    versions = [
        version
        for name in sorted(names)
        for version, _ in store.versions(name, view)
        if is_table_version(version)
    ]
    used: dict[str, list[str]] = {}
    for edge in store.edges(versions, Direction.DOWNSTREAM, view, [EdgeType.USED]):
        if class_of(edge.down) == RUN:
            used.setdefault(edge.up, []).append(edge.down)
    return used


def _affected(
    path: Path, doomed: set[str], used: dict[str, list[str]], store: Store, view: View
) -> tuple[list[Affected], list[str]]:
    """Used versions that need doomed files; and those that are lost already (and not pinned)."""
    by_number: dict[int, list[str]] = {}
    for version in used:
        by_number.setdefault(int(number_of_token(token_of(version)) or 0), []).append(version)
    affected: list[Affected] = []
    lost: list[str] = []
    for number, state in replay_each(LocalLog(path), by_number):
        for version in sorted(by_number[number]):
            pin = _whole_pin(path, token_of(version))
            files = _needed(path, state, token_of(version))
            if files is None:
                lost += [version] if pin is None else []
            elif at_risk := sorted(files & doomed):
                runs = sorted(set(used[version]))
                products = _products(store, runs, view)
                affected.append(Affected(version, runs, products, at_risk, pin))
    return affected, lost


def _needed(path: Path, state: TableState | Exception, token: str) -> set[str] | None:
    """Files of a version, or None where it cannot be read any more (or is another's number)."""
    if not isinstance(state, TableState):
        return None
    found = describe(state)
    if found.token != token or absent_among(path, found):
        return None
    return set(found.needed())


def _whole_pin(path: Path, token: str) -> Path | None:
    pin = find_pin(path, token)
    if pin is None:
        return None
    try:
        intact_version(pin, token)
    except VersionLostError:
        return None
    return pin


def _products(store: Store, runs: Sequence[str], view: View) -> list[str]:
    made = store.edges(runs, Direction.DOWNSTREAM, view, [EdgeType.GENERATED])
    return sorted({edge.down for edge in made})


def _sizes(table: Path, names: Iterable[str]) -> dict[str, int]:
    """Sizes of those files that are there: deltalake also lists what went long ago."""
    found: dict[str, int] = {}
    for name in names:
        try:
            found[name] = os.lstat(table / name).st_size
        except (FileNotFoundError, NotADirectoryError):
            continue
    return found
