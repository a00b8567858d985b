"""Signed notes: a text, a blank line, and a line for each signature (C2SP signed-note).

Signatures by keys that the reader does not know are ignored, as the format says: this is how keys
are rotated and witnesses added. A bad signature of a known key refuses the whole note.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

from lineage.errors import BadNoteError, BadSignatureError
from lineage.model.keys import (
    COSIGNATURE,
    SIGNATURE,
    PublicKey,
    SigningKey,
    decode_base64,
    generate_key,
)

__all__ = [
    "COSIGNATURE",
    "SIGNATURE",
    "Note",
    "PublicKey",
    "Signature",
    "SigningKey",
    "add_signature",
    "add_signature_lines",
    "generate_key",
    "open_note",
    "sign_note",
    "signatures_of",
    "text_of",
]

MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 100  # as Go's: a note comes from outside, and each signature costs time
_DASH = "\u2014 "


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line, not yet checked: name, four bytes of key id, and the signature."""

    name: str
    key_id: bytes
    value: bytes

    def line(self) -> str:
        """The line as it stands in a note."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.value).decode('ascii')}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A note whose signatures by known keys all hold, and of which there is at least one.

    ``times`` has the second at which each witness among ``signed_by`` says that it signed.
    ``unknown`` says nothing: those signatures were not checked.
    """

    text: str
    signed_by: tuple[PublicKey, ...]
    unknown: tuple[Signature, ...] = ()
    times: dict[PublicKey, int] = field(default_factory=dict)


def sign_note(text: str, keys: Sequence[SigningKey], *, at: int | None = None) -> bytes:
    """Sign a text, which ends in a newline, by every key (witnesses' at second ``at``).

    Raises ``BadNoteError`` for a text that no note can have.
    """
    _check_text(text)
    signatures = (Signature(k.name, k.public.id, k.sign(text, at)) for k in keys)
    return (text + "\n" + "".join(s.line() for s in signatures)).encode()


def add_signature(note: bytes, key: SigningKey, *, at: int | None = None) -> bytes:
    """Add a signature to a note; one by the same key there is replaced.

    Raises ``BadNoteError``.
    """
    text, there = _split(note)
    public = key.public
    kept = [s for s in there if (s.name, s.key_id) != (public.name, public.id)]
    kept.append(Signature(key.name, public.id, key.sign(text, at)))
    return (text + "\n" + "".join(s.line() for s in kept)).encode()


def add_signature_lines(note: bytes, lines: bytes) -> bytes:
    """Add signature lines, as a witness answers them, to a note; none twice.

    Raises ``BadNoteError``.
    """
    text, there = _split(note)
    _, more = _split(text.encode() + b"\n" + lines)
    kept = there + [s for s in more if s not in there]
    return (text + "\n" + "".join(s.line() for s in kept)).encode()


def open_note(note: bytes, known: Sequence[PublicKey]) -> Note:
    """Check the signatures of a note by the keys that the reader knows.

    Raises ``BadNoteError`` for what is no note, ``BadSignatureError`` if a signature by a known
    key does not hold or none is by a known key.
    """
    text, signatures = _split(note)
    keys = {(key.name, key.id): key for key in known}
    signed: dict[PublicKey, int | None] = {}
    unknown: list[Signature] = []
    for signature in signatures:
        key = keys.get((signature.name, signature.key_id))
        if key is None:
            unknown.append(signature)
        elif key.holds(text, signature.value):
            signed.setdefault(key, key.time_of(signature.value))
        else:
            raise BadSignatureError(
                f"the signature of {signature.name} does not hold: "
                "the text or the signature was changed",
                key=key.text(),
            )
    if not signed:
        raise BadSignatureError(
            "no signature is by a key that is known here: "
            f"it is signed by {', '.join(sorted({s.name for s in unknown}))}",
            hint="Give the public key of the log, as its owner published it.",
        )
    times = {key: at for key, at in signed.items() if at is not None}
    return Note(text, tuple(signed), tuple(unknown), times)


def text_of(note: bytes) -> str:
    """The text of a note, unchecked. Raises ``BadNoteError``."""
    return _split(note)[0]


def signatures_of(note: bytes) -> list[Signature]:
    """The signature lines of a note, unchecked. Raises ``BadNoteError``."""
    return _split(note)[1]


def _split(note: bytes) -> tuple[str, list[Signature]]:
    if len(note) > MAX_NOTE_BYTES:
        raise BadNoteError(f"a note of over {MAX_NOTE_BYTES:,} bytes")
    try:
        whole = note.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise BadNoteError(f"the note is not UTF-8 at byte {fault.start}") from fault
    # Lines by "\n" alone: str.splitlines also ends them at other characters.
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise BadNoteError("no note: signatures come after a blank line, each on a line of its own")
    text += "\n"
    _check_text(text)
    signatures = [_signature(line) for line in lines[:-1].split("\n")]
    if len(signatures) > MAX_SIGNATURES:
        raise BadNoteError(f"a note of over {MAX_SIGNATURES} signatures")
    return text, signatures


def _signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not name or not space or "+" in name:
        raise BadNoteError(f"{line[:60]!r} is no signature line")
    if any(c.isspace() or c < " " for c in name):
        raise BadNoteError(f"{line[:60]!r} is no signature line")
    data = decode_base64(encoded, f"the signature of {name}")
    if len(data) < 5:
        raise BadNoteError(f"the signature of {name} is cut off")
    return Signature(name, data[:4], data[4:])


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(c < " " and c != "\n" for c in text):
        raise BadNoteError("the text of a note ends in a newline and has no control characters")
