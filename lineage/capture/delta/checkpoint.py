"""Checkpoints of a Delta log: the state at a version, as rows.

Parquet is read by deltalake itself: the checkpoint's files are put into a scratch table as data,
under a schema of the few columns that matter. Nothing else has to be installed, and deletion
vectors are seen, which deltalake's own list of files leaves out. A v2 checkpoint names sidecars.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lineage.capture.delta.actions import DataFile, Metadata, read_data_file, read_metadata
from lineage.capture.delta.names import Checkpoint, commit_name
from lineage.capture.delta.storage import LOG_FOLDER, LogStorage
from lineage.errors import InputError, LogGapError, SourceUnavailableError
from lineage.model.canonical import parse_json

__all__ = ["CheckpointState", "read_checkpoint"]

_SIDECARS = "_sidecars"
_COLUMNS = ("add", "metaData", "protocol", "sidecar")
_IDENTITY = ("metaData", "protocol")


class CheckpointState:
    """What a checkpoint holds. ``files`` are the live data files by path."""

    def __init__(self) -> None:
        self.metadata: Metadata | None = None
        self.features: tuple[str, ...] = ()
        self.files: dict[str, DataFile] = {}
        self.sidecars: list[str] = []

    def take(self, row: dict[str, Any]) -> None:
        """Take in one row: each holds one action."""
        if add := row.get("add"):
            file = read_data_file(add)
            self.files[file.path] = file
        if metadata := row.get("metaData"):
            self.metadata = read_metadata(metadata)
        if protocol := row.get("protocol"):
            self.features = tuple(protocol.get("readerFeatures") or ())
        if sidecar := row.get("sidecar"):
            self.sidecars.append(str(sidecar["path"]))


def read_checkpoint(
    log: LogStorage, checkpoint: Checkpoint, *, files: bool = True
) -> CheckpointState:
    """The state that a checkpoint holds; without ``files`` only which table it is of (cheap).

    Raises ``LogGapError`` for one that cannot be read: damaged, or gone meanwhile; and
    ``SourceUnavailableError`` where there is no room to read it in.
    """
    state = CheckpointState()
    try:
        for name in checkpoint.files:
            for row in _rows(_contents(log, name, checkpoint), name, files=files):
                state.take(row)
        for name in state.sidecars if files else ():
            # A sidecar is named by itself, or by an absolute path.
            place = f"{_SIDECARS}/{name.rpartition('/')[2]}"
            for row in _rows(_contents(log, place, checkpoint), place, files=files):
                state.take(row)
    except (InputError, KeyError, TypeError, ValueError) as fault:
        raise _unreadable(checkpoint, str(fault)) from fault
    if state.metadata is None:
        raise _unreadable(checkpoint, "it does not say which table it is of")
    return state


def _contents(log: LogStorage, name: str, checkpoint: Checkpoint) -> bytes:
    contents = log.read(name)
    if contents is None:
        raise _unreadable(checkpoint, f"{name} is gone")
    return contents


def _unreadable(checkpoint: Checkpoint, why: str) -> LogGapError:
    return LogGapError(
        f"the checkpoint of version {checkpoint.version} cannot be read: {why}",
        hint="an older or newer checkpoint may do; the engine that writes the table can make one",
        version=checkpoint.version,
    )


def _rows(contents: bytes, name: str, *, files: bool) -> Iterator[dict[str, Any]]:
    if name.endswith(".json"):
        for line in contents.splitlines():
            if line.strip():
                yield parse_json(line)
        return
    yield from read_parquet(contents, _COLUMNS if files else _IDENTITY)


def read_parquet(contents: bytes, columns: Sequence[str]) -> Sequence[dict[str, Any]]:
    """Rows of a checkpoint or sidecar in Parquet, of these columns.

    Raises ``ValueError`` for one that is damaged, ``SourceUnavailableError`` without room for it.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="lineage-checkpoint-") as scratch:
            root = Path(scratch)
            (root / LOG_FOLDER).mkdir()
            (root / "rows.parquet").write_bytes(contents)
            actions = [*_SCRATCH, _scratch_file(len(contents))]
            log = "\n".join(json.dumps(action) for action in actions)
            (root / LOG_FOLDER / commit_name(0)).write_text(log, encoding="ascii")
            return _rows_of(root, columns)
    except OSError as fault:
        raise SourceUnavailableError(
            f"there is no place to read a checkpoint in: {fault}",
            hint="make room for temporary files, or set TMPDIR to a folder that has some",
        ) from fault


def _rows_of(root: Path, columns: Sequence[str]) -> Sequence[dict[str, Any]]:
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        table = DeltaTable(root).scan(columns=list(columns)).read_all()
    except DeltaError as fault:
        raise ValueError(f"not a checkpoint in Parquet: {fault}") from fault
    except Exception as fault:
        if type(fault) is not Exception:  # what Arrow's C stream raises
            raise
        raise ValueError(f"not a checkpoint in Parquet: {fault}") from fault
    found = {name: table.column(name).to_pylist() for name in table.schema.names}
    return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]


def _field(name: str, kind: object) -> dict[str, object]:
    return {"name": name, "type": kind, "nullable": True, "metadata": {}}


def _struct(**fields: object) -> dict[str, object]:
    return {"type": "struct", "fields": [_field(name, kind) for name, kind in fields.items()]}


_TEXTS = {"type": "array", "elementType": "string", "containsNull": True}
_VECTOR = _struct(
    storageType="string", pathOrInlineDv="string", offset="integer", sizeInBytes="integer"
)
_SCHEMA = _struct(
    add=_struct(path="string", size="long", deletionVector=_VECTOR),
    metaData=_struct(id="string", name="string", schemaString="string", partitionColumns=_TEXTS),
    protocol=_struct(minReaderVersion="integer", readerFeatures=_TEXTS),
    sidecar=_struct(path="string"),
)
_SCRATCH: list[dict[str, object]] = [
    {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
    {
        "metaData": {
            "id": "scratch",
            "format": {"provider": "parquet", "options": {}},
            "schemaString": json.dumps(_SCHEMA),
            "partitionColumns": [],
            "configuration": {},
            "createdTime": 0,
        }
    },
]


def _scratch_file(size: int) -> dict[str, object]:
    return {
        "add": {
            "path": "rows.parquet",
            "partitionValues": {},
            "size": size,
            "modificationTime": 0,
            "dataChange": True,
        }
    }
