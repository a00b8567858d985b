"""Ed25519 keys of signed notes, in the text forms of the field (C2SP signed-note, Go's ``note``).

Two types of signature: of a log (0x01, over the text) and of a witness (0x04, over the text and
the second it was made at: C2SP tlog-cosignature). The same key pair never signs as both: the type
is part of the key's id.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass, field

from lineage.errors import BadNoteError

__all__ = ["COSIGNATURE", "SIGNATURE", "PublicKey", "SigningKey", "decode_base64", "generate_key"]

SIGNATURE, COSIGNATURE = 1, 4
_SECRET = "PRIVATE+KEY+"  # noqa: S105  # the mark of the format
_KEY_BYTES, _SIGNATURE_BYTES, _TIME_BYTES = 32, 64, 8


def decode_base64(text: str, what: str) -> bytes:
    """The bytes of standard base64; only the one text that encodes them is taken.

    Raises ``BadNoteError``.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as fault:
        raise BadNoteError(f"{what} is not base64") from fault
    if base64.b64encode(data).decode("ascii") != text:  # unused bits of the last character
        raise BadNoteError(f"{what} is not the base64 of any bytes")
    return data


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What checks the signatures of one signer: its name, 32 bytes, and the type of signature."""

    name: str
    key: bytes
    type: int = SIGNATURE

    @classmethod
    def of_text(cls, text: str) -> PublicKey:
        """The key of a line ``name+id+base64``. Raises ``BadNoteError``."""
        name, key_id, key_type, key = _parse(text, "the public key")
        found = cls(name, key, key_type)
        if found.id.hex() != key_id:
            raise BadNoteError(f"the public key of {name}: the id {key_id} is not that of the key")
        return found

    def text(self) -> str:
        """The key as one line to publish (a *vkey*)."""
        return _text(self.name, self.id, self.type, self.key)

    @property
    def id(self) -> bytes:
        """Four bytes that tell the keys of one name apart; no hash to rely on."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.key).digest()[
            :4
        ]

    def holds(self, text: str, signature: bytes) -> bool:
        """Whether this is the key's signature of that text."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        message = text.encode()
        if self.type == COSIGNATURE:
            at = self.time_of(signature)
            message, signature = _timed(text, at or 0), signature[_TIME_BYTES:]
        if len(signature) != _SIGNATURE_BYTES:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, message)
        except (InvalidSignature, ValueError):  # ValueError: no point of the curve
            return False
        return True

    def time_of(self, signature: bytes) -> int | None:
        """When a witness says that it signed, in seconds since the epoch; None of a log's."""
        if self.type != COSIGNATURE or len(signature) != _TIME_BYTES + _SIGNATURE_BYTES:
            return None
        return int.from_bytes(signature[:_TIME_BYTES], "big")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What signs: a name, a seed of 32 bytes, and the type of signature. Never shown by repr."""

    name: str
    seed: bytes = field(repr=False)
    type: int = SIGNATURE

    @classmethod
    def of_text(cls, text: str) -> SigningKey:
        """The key of a line ``PRIVATE+KEY+name+id+base64``. Raises ``BadNoteError``."""
        if not text.startswith(_SECRET):
            raise BadNoteError("this is no signing key: it does not begin with PRIVATE+KEY+")
        name, key_id, key_type, seed = _parse(text.removeprefix(_SECRET), "the signing key")
        found = cls(name, seed, key_type)
        if found.public.id.hex() != key_id:
            raise BadNoteError(f"the signing key of {name}: the id {key_id} is not that of the key")
        return found

    def text(self) -> str:
        """The key as one line to keep secret."""
        return _SECRET + _text(self.name, self.public.id, self.type, self.seed)

    @property
    def public(self) -> PublicKey:
        """What checks the signatures of this key."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        return PublicKey(self.name, key, self.type)

    def sign(self, text: str, at: int | None = None) -> bytes:
        """Sign a text; a witness's key also says when: ``at``, in seconds since the epoch."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = Ed25519PrivateKey.from_private_bytes(self.seed)
        if self.type != COSIGNATURE:
            return key.sign(text.encode())
        if at is None:
            raise ValueError("a cosignature says when it was made")
        return at.to_bytes(_TIME_BYTES, "big") + key.sign(_timed(text, at))


def generate_key(name: str, key_type: int = SIGNATURE) -> SigningKey:
    """Make a new signing key. Raises ``BadNoteError`` for a name with spaces or ``+``."""
    _check_name(name)
    return SigningKey(name, secrets.token_bytes(_KEY_BYTES), key_type)


def _timed(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _text(name: str, key_id: bytes, key_type: int, key: bytes) -> str:
    return f"{name}+{key_id.hex()}+{base64.b64encode(bytes([key_type]) + key).decode('ascii')}"


def _parse(text: str, what: str) -> tuple[str, str, int, bytes]:
    # The last part may itself hold "+": base64 does.
    name, _, rest = text.strip("\n").partition("+")
    key_id, _, encoded = rest.partition("+")
    _check_name(name)
    data = decode_base64(encoded, what)
    if len(data) != 1 + _KEY_BYTES or data[0] not in {SIGNATURE, COSIGNATURE}:
        raise BadNoteError(f"{what} of {name} is no Ed25519 key of a log or a witness")
    return name, key_id, data[0], data[1:]


def _check_name(name: str) -> None:
    if not name or "+" in name or any(c.isspace() or c < " " for c in name):
        raise BadNoteError(
            f"{name!r} is no name of a key: it must not be empty or hold spaces or +",
            hint="A name like example.com/lineage, without a scheme, is usual.",
        )
