"""The decision of a witness, as C2SP tlog-witness has it: cosign what extends what it saw.

The first checkpoint of a log is taken as it is. From then on a checkpoint is cosigned only with a
proof that it begins with the one before, and what was cosigned is on disk before anybody has the
cosignature.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from lineage.errors import (
    AnotherSizeError,
    BadNoteError,
    InconsistentError,
    UnknownNameError,
    WentBackError,
)
from lineage.model.checkpoint import Checkpoint
from lineage.model.merkle import EMPTY_ROOT, verify_consistency
from lineage.model.notes import (
    COSIGNATURE,
    Note,
    PublicKey,
    SigningKey,
    add_signature,
    open_note,
    sign_note,
    text_of,
)
from lineage.model.proofs import consistency_bundle, to_line
from lineage.witness.memory import Memory, Remembered

__all__ = ["Witness"]


class Witness:
    """Cosigns by ``key`` the checkpoints of the logs whose keys it knows.

    ``clock`` gives seconds since the epoch.
    """

    def __init__(
        self, key: SigningKey, logs: Sequence[PublicKey], memory: Memory, clock: Callable[[], int]
    ) -> None:
        if key.type != COSIGNATURE:
            raise BadNoteError(f"the key of {key.name} is a log's: it cannot cosign")
        self.key = key
        self.memory = memory
        self._logs = logs
        self._clock = clock

    @property
    def origins(self) -> list[str]:
        """Names of the logs that are witnessed."""
        return list(dict.fromkeys(log.name for log in self._logs))

    def check(self, note: bytes) -> tuple[Note, Checkpoint]:
        """The checkpoint of a log that is witnessed, by one of its keys.

        Raises ``BadNoteError``, ``UnknownNameError`` for another log, ``BadSignatureError``.
        """
        checkpoint = Checkpoint.of_text(text_of(note))
        keys = [log for log in self._logs if log.name == checkpoint.origin]
        if not keys:
            raise UnknownNameError(
                f"the log {checkpoint.origin!r} is not witnessed here",
                hint=f"witnessed: {', '.join(self.origins)}",
            )
        return open_note(note, keys), checkpoint

    def add(self, note: bytes, old_size: int, path: Sequence[bytes]) -> bytes:
        """Cosign a checkpoint (``add-checkpoint``): the signature lines, also if signed before.

        ``path`` is the consistency proof from ``old_size``, which must be the size cosigned last
        (0: none). Raises as :meth:`check`, ``AnotherSizeError`` if it is not, ``InconsistentError``
        for a proof or a root that contradicts it, ``StoreFullError``.
        """
        opened, checkpoint = self.check(note)
        if old_size > checkpoint.size:
            raise BadNoteError(f"the old size {old_size} is beyond {checkpoint.size}")
        with self.memory.of(checkpoint.origin) as remembered:
            before = remembered.checkpoint
            size = before.size if before else 0
            if size != old_size:
                raise AnotherSizeError(
                    f"the checkpoint that was cosigned last has {size:,} entries, not {old_size:,}",
                    size=size,
                )
            if before is None and path:
                raise InconsistentError("a proof from nothing has no steps")
            if before is not None and not _extends(before, checkpoint, path):
                raise self._contradicted(remembered, before, checkpoint, note, path)
            return self._cosign(remembered, opened, note)

    def went_back(self, note: bytes) -> WentBackError:
        """A log that shows a smaller checkpoint than it did, kept as evidence, as an error."""
        _, checkpoint = self.check(note)
        with self.memory.of(checkpoint.origin) as remembered:
            kept = remembered.accuse(_evidence_name(checkpoint, note, "note"), note)
            before = remembered.checkpoint
        return WentBackError(
            f"{checkpoint.origin} shows {checkpoint.size:,} entries, and showed "
            f"{before.size if before else 0:,} before",
            hint="a copy that lags behind is harmless; else entries were taken away: ask its owner",
            evidence=str(kept),
        )

    def _cosign(self, remembered: Remembered, opened: Note, note: bytes) -> bytes:
        at = self._clock()
        cosigned = add_signature(note, self.key, at=at)
        remembered.keep(cosigned)
        alone = sign_note(opened.text, [self.key], at=at)
        return alone[len(opened.text.encode()) + 1 :]

    def _contradicted(
        self,
        remembered: Remembered,
        before: Checkpoint,
        checkpoint: Checkpoint,
        note: bytes,
        path: Sequence[bytes],
    ) -> InconsistentError:
        said = consistency_bundle(remembered.note or b"", note, path)
        kept = remembered.accuse(_evidence_name(checkpoint, note, "json"), to_line(said))
        same = checkpoint.size == before.size
        what = "has two roots for" if same else "does not extend what it showed at"
        return InconsistentError(
            f"{checkpoint.origin} {what} {before.size:,} entries: NOT cosigned",
            hint="both checkpoints bear its signature: keep the evidence, and tell whom it concerns"
            if same else "ask again with a right proof; if there is none, keep the evidence",
            evidence=str(kept), same_size=same,
        )  # fmt: skip


def _extends(old: Checkpoint, new: Checkpoint, path: Sequence[bytes]) -> bool:
    if old.size == 0:
        return not path and old.root == EMPTY_ROOT
    return verify_consistency(old.size, new.size, old.root, new.root, path)


def _evidence_name(checkpoint: Checkpoint, note: bytes, suffix: str) -> str:
    return f"{checkpoint.size:020d}-{hashlib.sha256(note).hexdigest()[:16]}.{suffix}"
