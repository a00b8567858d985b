"""One commit file of a Delta log, parsed: bytes in, actions or an error out.

Format: https://github.com/delta-io/delta/blob/master/PROTOCOL.md. One JSON object a line. Paths are
URL-encoded once, so a partition value ``a b`` is ``p=a%2520b`` in the log and ``p=a%20b`` on disk.
"""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from lineage.errors import InputError, TornCommitError
from lineage.model.canonical import parse_json

__all__ = ["Commit", "DataFile", "DeletionVector", "Metadata", "parse_actions", "read_data_file"]

_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_B85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_FROM_Z85 = str.maketrans(_Z85, _B85)
_COUNTED = {
    "num_added_files": "added",
    "num_removed_files": "removed",
    "num_target_files_added": "added",
    "num_target_files_removed": "removed",
}
"""Metrics of delta-rs that count the actions of the commit itself."""
_VECTOR_FRAME = 8
"""Bytes around a deletion vector in its file: its length before, its checksum after (4 each)."""


@dataclass(frozen=True, slots=True)
class DeletionVector:
    """Rows of a data file that are deleted. ``file`` is empty for one that the log holds itself."""

    id: str
    file: str
    end: int
    """Where the vector ends in its file: the file has at least so many bytes."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A live data file: path as on disk (relative to the table, or absolute), size in bytes."""

    path: str
    size: int
    vector: DeletionVector | None = None

    @property
    def is_absolute(self) -> bool:
        """Whether it lies outside of the table (a shallow clone)."""
        return self.path.startswith("/") or bool(urlsplit(self.path).scheme)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a ``metaData`` action sets."""

    id: str
    schema: str = ""
    partition_columns: tuple[str, ...] = ()
    properties: dict[str, str] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Commit:
    """The actions of one commit. Removals apply before additions, whatever their order."""

    version: int
    info: dict[str, Any]
    metadata: Metadata | None
    features: tuple[str, ...] | None
    """Reader features of a ``protocol`` action, None without one."""
    added: tuple[DataFile, ...]
    removed: tuple[str, ...]
    transactions: tuple[tuple[str, int], ...] = ()

    @property
    def shorter_than_said(self) -> bool:
        """Whether delta-rs counted more files in this commit than it holds: the end was cut off.

        Only where the cut fell between two lines: else the commit does not parse at all.
        """
        said = self.info.get("operationMetrics")
        engine = str(self.info.get("engineInfo"))
        if not isinstance(said, dict) or not engine.startswith("delta-rs"):
            return False
        present = {"added": len(self.added), "removed": len(self.removed)}
        return any(
            isinstance(count := said.get(metric), int) and count > present[what]
            for metric, what in _COUNTED.items()
        )


def parse_actions(version: int, raw: bytes) -> Commit:
    """A commit file's actions.

    Raises ``TornCommitError`` for one that is empty, cut off, padded with NULs or not what the
    format says: power was lost, or it is still being written. It is never an empty commit.
    """
    actions = [_action(version, n, line) for n, line in enumerate(raw.splitlines(), 1) if line]
    if not actions:
        raise _torn(version, "it is empty", len(raw))
    info: dict[str, Any] = {}
    metadata: Metadata | None = None
    features: tuple[str, ...] | None = None
    added: dict[str, DataFile] = {}
    removed: dict[str, None] = {}
    transactions: list[tuple[str, int]] = []
    for name, value in actions:
        try:
            if name == "add":
                file = read_data_file(value)
                added[file.path] = file
            elif name == "remove":
                removed[on_disk(value["path"])] = None
            elif name == "commitInfo":
                info = value
            elif name == "metaData":
                metadata = read_metadata(value)
            elif name == "protocol":
                features = tuple(value.get("readerFeatures") or ())
            elif name == "txn":
                transactions.append((str(value["appId"]), int(value["version"])))
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            raise _torn(version, f"its {name} action is malformed", len(raw)) from fault
    return Commit(
        version, info, metadata, features, tuple(added.values()), tuple(removed),
        tuple(transactions),
    )  # fmt: skip


def _action(version: int, number: int, line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        parsed = parse_json(line)
    except InputError as fault:
        raise _torn(version, f"line {number} is {fault.message}", len(line)) from fault
    if not isinstance(parsed, dict) or not parsed:
        raise _torn(version, f"line {number} is not an action", len(line))
    for name, value in parsed.items():
        if isinstance(value, dict):
            return name, value
    return "", {}  # an action of a later version of the format: of no concern here


def _torn(version: int, why: str, size: int) -> TornCommitError:
    return TornCommitError(
        f"commit {version} cannot be read: {why}",
        hint="it may still be being written; if it stays so, restore the file from a backup",
        version=version,
        bytes=size,
    )


def read_data_file(add: dict[str, Any]) -> DataFile:
    """A data file of an ``add`` action, from JSON or from a checkpoint's row."""
    vector = add.get("deletionVector")
    return DataFile(
        on_disk(add["path"]), int(add.get("size") or 0), read_vector(vector) if vector else None
    )


def read_metadata(value: dict[str, Any]) -> Metadata:
    """A ``metaData`` action, from JSON or from a checkpoint's row."""
    properties = value.get("configuration") or {}
    return Metadata(
        str(value["id"]),
        value.get("schemaString") or "",
        tuple(value.get("partitionColumns") or ()),
        dict(properties) if isinstance(properties, dict) else {},
        value.get("name") or "",
    )


def read_vector(value: dict[str, Any]) -> DeletionVector:
    """A deletion vector's descriptor.

    Storage ``u``: a file beside the data whose name holds a UUID in z85 (its last 20 characters,
    before them a directory); ``p``: an absolute path; ``i``: inline, no file.
    """
    storage, where = value["storageType"], value["pathOrInlineDv"]
    offset = int(value.get("offset") or 0)
    end = offset + int(value.get("sizeInBytes") or 0) + _VECTOR_FRAME
    identity = f"{storage}{where}@{offset}"
    if storage == "i":
        return DeletionVector(identity, "", 0)
    if storage == "p":
        return DeletionVector(identity, on_disk(where), end)
    name = f"deletion_vector_{uuid.UUID(bytes=_from_z85(where[-20:]))}.bin"
    prefix = where[:-20]
    return DeletionVector(identity, f"{prefix}/{name}" if prefix else name, end)


def _from_z85(text: str) -> bytes:
    """Z85 (ZeroMQ RFC 32): base 85 with another alphabet."""
    return base64.b85decode(text.translate(_FROM_Z85))


def on_disk(path: str) -> str:
    """The path of a log as it is on disk: decoded once; ``file:`` URIs become absolute paths."""
    decoded = unquote(path, errors="surrogateescape")
    if decoded.startswith("file:"):
        return "/" + decoded.removeprefix("file:").lstrip("/")
    return decoded
