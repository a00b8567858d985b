"""A commit of a Delta log as a change: pure, the same commit always gives the same change.

How data files are told: ``removed`` applies before ``added``. A commit that only marks rows of a
file as deleted (a deletion vector) removes and adds the same path: the path stays live, and both
the commit that wrote it and the one that marked it contribute to every later version. OPTIMIZE
(``dataChange`` false) is told like any rewrite. Change data files are not table data.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from lineage.capture.delta.actions import Commit, DataFile, parse_actions
from lineage.capture.delta.parameters import plain, plain_mapping, scrubbed, text
from lineage.errors import TornCommitError
from lineage.model.canonical import canonical
from lineage.model.changes import ArtifactRef, FileAdd, RunRef, TableCommitted

__all__ = [
    "MAX_FILES",
    "RUN_KEY",
    "commit_change",
    "event_id_of_commit",
    "event_time",
    "overwrites",
    "parse_commit",
    "source_of",
]

MAX_FILES = 10_000
"""Commits of more paths than this are recorded without them (``files_known`` False)."""

MAX_PATHS = 2 << 20
"""And so are commits whose paths have more characters than this, all together."""
MAX_SCHEMA = 1 << 21
"""A schema of more characters is left out: its size is told instead."""
MAX_PARAMETERS = 1 << 17
"""Parameters of more bytes are left out but for what identifies the commit."""

RUN_KEY = "lineage.run"
"""Key of commit metadata by which a writer names its run: JSON of namespace, job, run_id."""

_REPLACES = frozenset({
    "CREATE OR REPLACE TABLE", "CREATE OR REPLACE TABLE AS SELECT",
    "REPLACE TABLE", "REPLACE TABLE AS SELECT",
})  # fmt: skip
_EVERYTHING: tuple[Any, ...] = (None, "", "true", "[]", "null", '["true"]', [], ["true"], True)
_LAST_MS = 253_402_300_799_999
"""The end of the year 9999 in milliseconds."""


def parse_commit(
    table: ArtifactRef,
    version: int,
    table_id: str,
    raw: bytes,
    *,
    modified_at: int,
    log: str = "",
    live: Collection[str] | None = None,
) -> TableCommitted:
    """One commit file as a change; see :func:`commit_change`. Raises ``TornCommitError``."""
    commit = parse_actions(version, raw)
    return commit_change(
        table, commit, table_id=table_id, modified_at=modified_at, log=log, live=live
    )


def commit_change(
    table: ArtifactRef,
    commit: Commit,
    *,
    table_id: str,
    modified_at: int,
    log: str = "",
    live: Collection[str] | None = None,
) -> TableCommitted:
    """What a commit means.

    ``table_id`` is the id in force before it (empty at the start), ``modified_at`` the file's time
    in microseconds, taken where the commit tells none; ``log`` the id that its log began with;
    ``live`` the paths live before it, where known. Raises ``TornCommitError`` for a commit that
    sets no id and has none before it.
    """
    metadata, info = commit.metadata, commit.info
    own_id = metadata.id if metadata else table_id
    if not own_id:
        raise TornCommitError(
            f"commit {commit.version} cannot be placed: nothing before it says which table it is",
            hint="the first commit of the log is missing or cut off, and no checkpoint tells",
        )
    event_at, told_by = event_time(info, modified_at)
    schema = metadata.schema if metadata else ""
    files_known = _can_list(commit)
    try:
        return TableCommitted(
            event_at=event_at,
            namespace=table.namespace,
            name=table.name,
            table_id=own_id,
            version=commit.version,
            log=log if log and log != own_id else "",
            previous_table_id=table_id if table_id and table_id != own_id else "",
            operation=text(info.get("operation") or ""),
            carries=commit.version > 0 and _carries(commit, live),
            run=_run(info),
            added=[_file(file) for file in commit.added] if files_known else [],
            removed=[text(path) for path in commit.removed] if files_known else [],
            files_known=files_known,
            table_schema=schema if len(schema) <= MAX_SCHEMA else "",
            engine=scrubbed(str(info.get("engineInfo") or info.get("clientVersion") or "")),
            metrics=plain_mapping(info.get("operationMetrics")),
            parameters=_parameters(commit, told_by),
        )
    except ValidationError as fault:
        raise TornCommitError(
            f"commit {commit.version} cannot be recorded: {fault.errors()[0]['msg']}",
            hint="a field is larger or of another type than the Delta protocol has it",
        ) from fault


def source_of(table: ArtifactRef) -> str:
    """The source under which a table's commits are recorded: ``delta:<namespace>,<name>``."""
    return f"delta:{table.namespace},{table.name}"


def event_id_of_commit(table_id: str, version: int, what: str = "") -> str:
    """The log's own position: reading a log again records nothing twice."""
    return f"{table_id}.{version:020d}{what and '.'}{what}"


def overwrites(info: Mapping[str, Any]) -> bool:
    """Whether a commit says that it replaces all rows.

    A partial overwrite (a predicate) does not. Dynamic partition overwrite of Spark before 4 looks
    the same as one that replaces everything: only the files tell (see :func:`_carries`). DELETE
    without a predicate is not an overwrite: it is told by the files it removed.
    """
    operation, said = info.get("operation"), info.get("operationParameters")
    said = said if isinstance(said, dict) else {}
    if operation in _REPLACES:
        return True
    if operation == "STREAMING UPDATE":
        return said.get("outputMode") == "Complete"
    if operation != "WRITE" or said.get("mode") != "Overwrite":
        return False
    if str(said.get("isDynamicPartitionOverwrite")).lower() == "true":
        return False
    return said.get("predicate") in _EVERYTHING and said.get("replaceWhere") in _EVERYTHING


def _can_list(commit: Commit) -> bool:
    count = len(commit.added) + len(commit.removed)
    if count > MAX_FILES:
        return False
    return sum(map(len, commit.removed)) + sum(len(f.path) for f in commit.added) <= MAX_PATHS


def _carries(commit: Commit, live: Collection[str] | None) -> bool:
    if not overwrites(commit.info):
        return True
    if live is None:
        return False
    removed = frozenset(commit.removed)
    return any(path not in removed for path in live)


def event_time(info: Mapping[str, Any], modified_at: int) -> tuple[int, str]:
    """When it happened (microseconds), and what told: the log's own clock first."""
    for name in ("inCommitTimestamp", "timestamp"):
        at = info.get(name)
        if isinstance(at, int) and not isinstance(at, bool) and 0 < at <= _LAST_MS:
            return at * 1000, name
    return modified_at, "file-time"


def _file(file: DataFile) -> FileAdd:
    vector = file.vector.file if file.vector else ""
    return FileAdd(path=text(file.path), size=file.size, deletion_vector=text(vector))


def _run(info: Mapping[str, Any]) -> RunRef | None:
    said = info.get(RUN_KEY)
    try:
        value = json.loads(said) if isinstance(said, str) else said
        return RunRef.model_validate(value)
    except (ValueError, RecursionError):
        return None


def _parameters(commit: Commit, told_by: str) -> dict[str, Any]:
    """The operation's own parameters, and under ``commit`` what else the commit says."""
    info = commit.info
    metadata = commit.metadata
    user = {"id": _said(info, "userId"), "name": _said(info, "userName")}
    facts = {
        "event_at_from": told_by,
        "read_version": plain(info.get("readVersion")),
        "isolation_level": _said(info, "isolationLevel"),
        "blind_append": plain(info.get("isBlindAppend")),
        "txn_id": _said(info, "txnId"),
        "user_metadata": _said(info, "userMetadata"),
        "user": {name: value for name, value in user.items() if value},
        "cluster": _said(info, "clusterId"),
        "notebook": plain_mapping(info.get("notebook")),
        "job": plain_mapping(info.get("job")),
        "transactions": [{"app": text(app), "version": n} for app, n in commit.transactions],
        "partition_columns": [text(c) for c in metadata.partition_columns] if metadata else None,
        "properties": plain_mapping(metadata.properties) if metadata else None,
        "reader_features": list(commit.features or ()),
    }
    kept = {name: value for name, value in facts.items() if value not in (None, [], {}, "")}
    if metadata and len(metadata.schema) > MAX_SCHEMA:
        kept["schema_characters"] = len(metadata.schema)
    whole = {**plain_mapping(info.get("operationParameters")), "commit": kept}
    size = len(canonical(whole))
    if size <= MAX_PARAMETERS:
        return whole
    few = {name: value for name, value in kept.items() if isinstance(value, (str, int, bool))}
    return {"commit": {**few, "parameters_bytes": size}}


def _said(info: Mapping[str, Any], name: str) -> str:
    """A text of the commit's: it may look like a number and is none."""
    value = info.get(name)
    return "" if value is None else scrubbed(str(value))
