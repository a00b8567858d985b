"""Cursors of pages: opaque, and good for the one question they were given for.

A cursor carries the key of the last item (keyset, not offset: pages stay stable while data grows),
the view the first page was answered at, so that every page shows one state of the record, and a
digest of the question, so that a cursor of another question is refused instead of answered wrongly.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass

from lineage.errors import BadCursorError
from lineage.model.canonical import FOREVER, canonical
from lineage.store.contract import View

__all__ = ["Cursor", "Key", "question_digest"]

Key = tuple[str | int, ...]
"""What orders an item: ``(id,)``, ``(depth, id)``, ``(rank, id)``, ``(seq,)``."""

_MAX_LENGTH = 12_288
"""Longer than any cursor we give: an id has at most 8,192 characters."""


def question_digest(field: str, arguments: dict[str, object]) -> str:
    """Digest of a question without its paging arguments."""
    return hashlib.sha256(canonical([field, arguments])).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the answer to one question."""

    question: str
    view: View
    key: Key

    def encode(self) -> str:
        """The opaque text of a cursor."""
        plain = [self.question, self.view.position, self.view.as_of, *self.key]
        return base64.urlsafe_b64encode(canonical(plain)).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, question: str, shape: tuple[type, ...]) -> Cursor:
        """A cursor of this question whose key has this shape. Raises ``BadCursorError``."""
        try:
            padded = text[:_MAX_LENGTH].encode("ascii") + b"=="
            said, position, as_of, *key = json.loads(base64.urlsafe_b64decode(padded))
        except (ValueError, TypeError, RecursionError, binascii.Error) as fault:
            raise _bad("not a cursor of this service") from fault
        if said != question:
            raise _bad("a cursor of another question")
        times_good = all(type(t) is int and abs(t) < FOREVER for t in (position, as_of))
        if not times_good or position < 0 or tuple(map(type, key)) != shape:
            raise _bad("not a cursor of this service")
        return cls(question, View(position, as_of), tuple(key))


def _bad(why: str) -> BadCursorError:
    return BadCursorError(
        why,
        pointer="/after",
        hint="pass endCursor of the page before, with the other arguments unchanged",
    )
