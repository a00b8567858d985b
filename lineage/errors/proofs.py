"""What was handed over as evidence and does not hold."""

from __future__ import annotations

from lineage.errors.base import LineageError

__all__ = [
    "AnotherSizeError",
    "BadNoteError",
    "BadSignatureError",
    "InconsistentError",
    "ProofError",
    "WentBackError",
]


class ProofError(LineageError):
    """A checkpoint or a proof that was handed over does not hold."""

    code = "bad-proof"
    http_status = 422


class BadNoteError(ProofError):
    """What was given is no signed note, no checkpoint, or no key of one."""

    code = "bad-note"
    exit_status = 65


class BadSignatureError(ProofError):
    """A signature of a known key does not hold, or there is none by a known key."""

    code = "bad-signature"


class InconsistentError(ProofError):
    """A log signed what contradicts a checkpoint of it; ``where['evidence']`` is kept."""

    code = "inconsistent-log"


class WentBackError(ProofError):
    """A log shows a smaller checkpoint than it did; ``where['evidence']`` is kept."""

    code = "log-went-back"


class AnotherSizeError(ProofError):
    """The proof does not begin at what the witness cosigned last; ``where['size']`` is that."""

    code = "another-size"
    retryable = True
    http_status = 409
