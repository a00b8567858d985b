"""One look at a log: from the checkpoint that was cosigned last to the one that it shows now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lineage.model.checkpoint import Checkpoint
from lineage.model.notes import text_of
from lineage.record.seal.places import LATEST, Place, note_name
from lineage.witness.sources import Source
from lineage.witness.witness import Witness

__all__ = ["Step", "follow", "show"]


@dataclass(frozen=True, slots=True)
class Step:
    """What a look came to: the log stands at ``size``; ``cosigned`` checkpoints are new to us.

    ``size`` is None while the log shows nothing.
    """

    origin: str
    size: int | None
    cosigned: int


def follow(
    witness: Witness,
    source: Source,
    origin: str,
    progress: Callable[[int], None] | None = None,
) -> Step:
    """Cosign what the log shows, every proof on the way checked.

    What was cosigned stays so if it is interrupted: the next look goes on from there. Raises
    ``InconsistentError``, ``WentBackError``, ``BadSignatureError``, ``SourceUnavailableError``...
    """
    note = source.latest(origin)
    if note is None:
        return Step(origin, None, 0)
    _, shown = witness.check(note)
    before = witness.memory.last(origin)
    if before is None:
        witness.add(note, 0, ())
        return Step(origin, shown.size, 1)
    if shown.size < before.size:
        raise witness.went_back(note)
    if shown == before:
        return Step(origin, shown.size, 0)
    if shown.size == before.size:
        witness.add(note, before.size, ())  # raises: two roots
    count, size = 0, before.size
    for proof in source.proofs(origin, before.size, note):
        witness.add(proof.new, size, proof.path)
        size, count = Checkpoint.of_text(text_of(proof.new)).size, count + 1
        if progress is not None:
            progress(size)
    return Step(origin, size, count)


def show(witness: Witness, origin: str, place: Place) -> bool:
    """Put the cosigned checkpoint where others find it; whether it was not there yet.

    Raises ``PublishError``.
    """
    with witness.memory.of(origin) as remembered:
        note, checkpoint = remembered.note, remembered.checkpoint
    if note is None or checkpoint is None or place.read(f"{origin}/{LATEST}") == note:
        return False
    names = (note_name(checkpoint.size), LATEST)
    place.write({f"{origin}/{name}": note for name in names})
    return True
