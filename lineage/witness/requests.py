"""The request and the answers of C2SP tlog-witness, ``add-checkpoint``: bytes in, bytes out."""

from __future__ import annotations

import re
from typing import NamedTuple

from lineage.errors import (
    AnotherSizeError,
    BadNoteError,
    BadSignatureError,
    InconsistentError,
    LineageError,
    UnknownNameError,
)
from lineage.model.keys import decode_base64
from lineage.witness.witness import Witness

__all__ = ["MOST_BYTES", "Answer", "Request", "answer"]

MOST_BYTES = 1 << 20
_MOST_STEPS = 63
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")
_TEXT = "text/plain; charset=utf-8"


class Request(NamedTuple):
    """What a log asks for: to cosign ``note``, with a proof from the tree of ``old`` leaves."""

    old: int
    path: tuple[bytes, ...]
    note: bytes

    @classmethod
    def of_bytes(cls, body: bytes) -> Request:
        """Read a request. Raises ``BadNoteError``."""
        head, blank, note = body.partition(b"\n\n")
        try:
            first, *steps = head.decode("ascii").split("\n")
        except UnicodeDecodeError as fault:
            raise BadNoteError("the lines before the checkpoint are not ASCII") from fault
        old = _OLD.fullmatch(first)
        if old is None or not blank:
            raise BadNoteError("a request is a line with the old size, the proof, and a checkpoint")
        if len(steps) > _MOST_STEPS:
            raise BadNoteError(f"a proof of over {_MOST_STEPS} steps")
        path = tuple(decode_base64(step, "a step of the proof") for step in steps)
        if any(len(step) != 32 for step in path):
            raise BadNoteError("a step of the proof has not 32 bytes")
        return cls(int(old[1]), path, note)


class Answer(NamedTuple):
    """Status, media type and contents of an answer over HTTP."""

    status: int
    type: str
    body: bytes


_STATUS: dict[type[LineageError], int] = {
    BadNoteError: 400, BadSignatureError: 403, UnknownNameError: 404, InconsistentError: 422,
}  # fmt: skip


def answer(witness: Witness, body: bytes) -> Answer:
    """Cosign what a log asks for, or say why not, as the protocol has it."""
    try:
        request = Request.of_bytes(body)
        return Answer(200, _TEXT, witness.add(request.note, request.old, request.path))
    except AnotherSizeError as fault:
        return Answer(409, "text/x.tlog.size", f"{fault.where['size']}\n".encode())
    except LineageError as fault:
        status = 409 if fault.where.get("same_size") else _STATUS.get(type(fault), 503)
        return Answer(status, _TEXT, f"{fault.message}\n".encode())
