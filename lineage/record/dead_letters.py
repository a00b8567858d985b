"""The dead-letter queue: what was taken in but could not be understood, kept to be replayed.

A directory with one file a letter, named by the SHA-256 of its bytes and where they came from: the
same fault sent again is one letter, as is a message that is read again; the same bytes at another
place of a log are another. Each is fsynced before the sender hears of the refusal.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lineage.errors import InputError, StoreFullError, UnknownNameError

__all__ = ["DeadLetter", "DeadLetters"]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A refused body: what it was offered as, why it was refused, and the bytes as received.

    ``origin`` is its place in the log that it was read from (topic, partition and offset), if any.
    """

    id: str
    received_at: int
    offered_as: str
    code: str
    message: str
    pointer: str
    body: bytes
    actor: str = ""
    origin: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for people and JSON; bytes that are no text as base64."""
        plain = asdict(self)
        try:
            plain["body"] = self.body.decode("utf-8")
        except UnicodeDecodeError:
            del plain["body"]
            plain["body_base64"] = base64.b64encode(self.body).decode("ascii")
        return plain


class DeadLetters:
    """The queue in a directory; made when the first letter comes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(
        self,
        body: bytes,
        fault: InputError,
        *,
        offered_as: str,
        received_at: int,
        actor: str,
        origin: Mapping[str, Any] | None = None,
    ) -> str:
        """Keep a body durably; returns the letter's id. Raises ``StoreFullError``."""
        letter_id = _id_of(body, offered_as, origin or {})
        path = self._path(letter_id)
        if path.exists():
            return letter_id
        letter = DeadLetter(
            letter_id,
            received_at,
            offered_as,
            fault.code,
            fault.message,
            fault.pointer,
            body,
            actor,
            dict(origin or {}),
        )
        plain = letter.as_dict()
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            _write_durably(path, json.dumps(plain).encode())
        except OSError as problem:
            raise StoreFullError(
                f"the dead-letter queue cannot keep it: {problem.strerror}",
                hint=f"free space at {self._root}; the event was not accepted",
            ) from problem
        return letter_id

    def list(self) -> Iterator[DeadLetter]:
        """Every letter, oldest first; others may replay and drop some meanwhile."""
        letters = []
        for path in self._root.glob("*.json"):
            with suppress(FileNotFoundError):
                letters.append(self._load(path))
        yield from sorted(letters, key=lambda letter: (letter.received_at, letter.id))

    def get(self, letter_id: str) -> DeadLetter:
        """One letter by its id or a prefix of it. Raises ``UnknownNameError``."""
        found = [] if not letter_id.isalnum() else sorted(self._root.glob(f"{letter_id}*.json"))
        if len(found) > 1:
            raise _unknown(f"more than one dead letter {letter_id!r}")
        try:
            return self._load(found[0])
        except (IndexError, FileNotFoundError):
            raise _unknown(f"no dead letter {letter_id!r}") from None

    def remove(self, letter_id: str) -> None:
        """Forget a letter that was replayed, or that nobody wants."""
        self._path(letter_id).unlink(missing_ok=True)

    def sweep(self, before: float) -> int:
        """Drop what writers that died left half written before a time (seconds); how many."""
        swept = 0
        for path in self._root.glob("*.tmp"):
            with suppress(FileNotFoundError):  # it has got its name, or somebody else swept
                if path.stat().st_mtime < before:
                    path.unlink()
                    swept += 1
        return swept

    def __len__(self) -> int:
        return sum(1 for _ in self._root.glob("*.json"))

    def _path(self, letter_id: str) -> Path:
        return self._root / f"{letter_id}.json"

    def _load(self, path: Path) -> DeadLetter:
        plain = json.loads(path.read_bytes())
        coded = plain.pop("body_base64", None)
        body = base64.b64decode(coded) if coded is not None else plain.pop("body").encode("utf-8")
        return DeadLetter(**plain, body=body)


def _id_of(body: bytes, offered_as: str, origin: Mapping[str, Any]) -> str:
    place = json.dumps(origin, sort_keys=True).encode() + b"\x00" if origin else b""
    return hashlib.sha256(offered_as.encode() + b"\x00" + place + body).hexdigest()[:24]


def _unknown(what: str) -> UnknownNameError:
    return UnknownNameError(what, hint="`lineage dlq list` shows them")


def _write_durably(path: Path, data: bytes) -> None:
    # Several may keep one letter at once: each writes a file of its own.
    temporary = path.with_suffix(f".{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
