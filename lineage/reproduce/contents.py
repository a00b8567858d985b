"""Uses and outputs of a run as the local files and tables they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lineage.errors import LineageError
from lineage.model.changes import Output, Use
from lineage.model.ids import artifact_id, number_of_token
from lineage.model.naming import FILE, normalise
from lineage.reproduce.facts import RunFacts
from lineage.store.blobs import BlobStore

__all__ = ["DIRECTORY", "STDOUT", "Content", "contents_of", "is_local", "path_of"]

DIRECTORY = "directory"
"""Kind of a folder that stands for many files."""

STDOUT = "stdout"
"""Hook of a file that the program found at its standard output: whoever started it opened it."""


@dataclass(frozen=True)
class Content:
    """One local file or table that a run used or wrote, at its version token (empty: unknown)."""

    id: str
    path: str
    version: str
    kind: str
    operation: str = ""
    hook: str = ""

    @property
    def sha256(self) -> str:
        """Digest of its bytes in hex, where the version is one."""
        prefix, _, digest = self.version.partition(".")
        return digest if prefix == "sha256" and self.kind != DIRECTORY else ""

    @property
    def number(self) -> int | None:
        """The number of a table's version, or None: it is no table, or not known at which."""
        number = number_of_token(self.version)
        return None if number is None else int(number)


def contents_of(run: RunFacts, thing: Use | Output, blobs: BlobStore) -> list[Content]:
    """A use or an output as its parts: of a folder, every file that the list kept of it names.

    A folder whose list is gone stays one part, of kind ``directory``.
    """
    operation = thing.operation if isinstance(thing, Output) else ""
    whole = Content(
        run.id_of(thing), path_of(thing), thing.version, thing.artifact_kind, operation, thing.hook
    )
    manifest = (thing.model_extra or {}).get("manifest")
    if thing.artifact_kind != DIRECTORY or not isinstance(manifest, str):
        return [whole]
    return list(_listed(whole, manifest, blobs))


def _listed(folder: Content, manifest: str, blobs: BlobStore) -> Iterator[Content]:
    try:
        entries: list[list[str]] = json.loads(blobs.get(manifest))
    except (LineageError, ValueError):
        yield folder
        return
    for name, version, inner in entries:
        part = replace(
            folder,
            path=f"{folder.path}/{name}",
            version=version,
            kind=DIRECTORY if inner else "file",
        )
        if inner:
            yield from _listed(part, inner, blobs)
        else:
            yield replace(part, id=artifact_id(FILE, part.path, version or None))


def is_local(thing: Use | Output) -> bool:
    """Whether it is named by a path of this host."""
    return normalise(thing.namespace, thing.name)[0] == FILE


def path_of(thing: Use | Output) -> str:
    """The absolute path of something local."""
    return normalise(thing.namespace, thing.name)[1]
