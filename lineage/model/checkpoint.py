"""Checkpoints: what a log signs about itself at one size (C2SP tlog-checkpoint).

Three lines: the origin (the name of the log), the number of leaves, and the root of the tree.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from lineage.errors import BadNoteError
from lineage.model.keys import decode_base64

__all__ = ["Checkpoint"]

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree of the log ``origin`` has ``size`` leaves and the root ``root`` (32 bytes).

    ``extensions`` are lines that others may have added to the text; we write none.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @classmethod
    def of_text(cls, text: str) -> Checkpoint:
        """The checkpoint of a note's text. Raises ``BadNoteError``."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):
            raise BadNoteError("no checkpoint: it has lines for origin, size and root")
        origin, size, root, *extensions = lines
        if not _SIZE.fullmatch(size):
            raise BadNoteError(f"the size of the checkpoint is no number: {size[:40]!r}")
        found = decode_base64(root, "the root of the checkpoint")
        if len(found) != 32:
            raise BadNoteError("the root of the checkpoint has not 32 bytes")
        return cls(origin, int(size), found, tuple(extensions))

    def text(self) -> str:
        """The text to sign."""
        root = base64.b64encode(self.root).decode("ascii")
        return "\n".join((self.origin, str(self.size), root, *self.extensions)) + "\n"
