"""Where checkpoints are published: what every place does, and what lies there.

::

    <origin>/checkpoint                            the latest note, replaced by later ones only
    <origin>/checkpoints/<size, 20 digits>         every note, never changed
    <origin>/consistency/<size, 20 digits>.json    the proof of it from the one published before
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from lineage.errors import ProofError
from lineage.model.checkpoint import Checkpoint
from lineage.model.notes import text_of

__all__ = ["LATEST", "Place", "consistency_name", "goes_back", "is_written", "note_name"]

LATEST = "checkpoint"


class Place(Protocol):
    """Files by name (``/`` between folders) that others can read, and the operator not rewrite.

    Raises ``PublishError`` where it cannot be reached or refuses.
    """

    name: str
    """What people call it. No secret is in it."""
    remote: bool
    """Whether asking it can take long: it is not asked before every first append then."""

    def read(self, name: str) -> bytes | None:
        """Contents of a file, None where there is none."""
        ...

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files in their order; all are durable when it returns.

        What fails half way can be repeated.
        """
        ...


def note_name(size: int) -> str:
    """The name of a checkpoint below the folder: sorted by name they are sorted by size."""
    return f"checkpoints/{size:020d}"


def consistency_name(size: int) -> str:
    """The name of the proof that leads to a checkpoint: followed back, no listing is needed."""
    return f"consistency/{size:020d}.json"


def is_written(name: str, data: bytes, kept: bytes | None) -> bool:
    """Whether a file takes the place of what is kept there: the latest note does, if it is."""
    return kept is None or (name.endswith(f"/{LATEST}") and not goes_back(data, kept))


def goes_back(note: bytes, kept: bytes) -> bool:
    """Whether a checkpoint is of fewer entries than another one of its log."""
    try:
        new, old = (Checkpoint.of_text(text_of(each)) for each in (note, kept))
    except ProofError:  # what is no checkpoint gives way to one
        return False
    return new.origin == old.origin and new.size < old.size
