"""Publishing: every checkpoint that a place lacks, with the proofs between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lineage.errors import ConfigError, NotAsSealedError, ProofError
from lineage.model.checkpoint import Checkpoint
from lineage.model.notes import text_of
from lineage.model.proofs import to_line
from lineage.record.seal.bucket import BucketPlace
from lineage.record.seal.folder import FolderPlace
from lineage.record.seal.places import LATEST, Place, consistency_name, note_name
from lineage.record.seal.proofs import prove_consistency
from lineage.record.seal.repository import GitPlace
from lineage.store.contract import Store, StoredCheckpoint

__all__ = ["Published", "places_of", "publish"]

_TOGETHER = 100
"""Checkpoints that are written before the latest is said to be another."""
_BUCKETS = ("s3://", "s3a://", "gs://", "az://", "abfs://", "abfss://")


@dataclass(frozen=True, slots=True)
class Published:
    """The last checkpoint at a place, and how many were put there just now."""

    place: str
    size: int
    new: int


def places_of(setting: str, named: str = "LINEAGE_SEAL_PUBLISH", away: str = "") -> list[Place]:
    """The places of a setting or option, ``named`` so, by commas. Raises ``ConfigError``.

    ``away`` is what to do where a directory is not there.
    """
    away = away or f"mount it or make it, or change {named}"
    return [_place(text, named, away) for part in setting.split(",") if (text := part.strip())]


def _place(text: str, named: str, away: str) -> Place:
    if text.startswith(_BUCKETS):
        return BucketPlace(text)
    if text.startswith("git:"):
        return GitPlace(Path(text.removeprefix("git:")))
    if "://" in text:
        raise ConfigError(
            f"{named} is not understood: {text.partition('://')[0]}://...",
            hint="name a directory, git:/path/to/a/clone, or a bucket (s3://bucket/prefix)",
        )
    return FolderPlace(Path(text), away)


def publish(
    store: Store, origin: str, place: Place, progress: Callable[[int], None] | None = None
) -> Published:
    """Put there what it lacks, the smallest first; repeating it changes nothing.

    Raises ``PublishError``, and ``NotAsSealedError`` where something else was published.
    """
    new = 0
    while True:
        done = _catch_up(store, origin, place, progress)
        new += done.new
        last = store.last_checkpoint()
        # Else another host sealed meanwhile, and its latest may be what ours has just replaced.
        if last is None or last.size <= done.size or _origin_of(last) != origin:
            return Published(place.name, done.size, new)


def _catch_up(
    store: Store, origin: str, place: Place, progress: Callable[[int], None] | None
) -> Published:
    latest = place.read(f"{origin}/{LATEST}")
    last = None if latest is None else _there(latest, place)
    size, count = 0 if last is None else last.size, 0
    waiting: list[StoredCheckpoint] = []
    for sealed in store.checkpoints(after=size):
        if _origin_of(sealed) == origin:
            waiting.append(sealed)
        if len(waiting) == _TOGETHER:
            last = _put(store, origin, place, last, waiting)
            count += len(waiting)
            waiting = []
            if progress is not None:
                progress(count)
    if waiting:
        last = _put(store, origin, place, last, waiting)
    return Published(place.name, last.size if last else 0, count + len(waiting))


def _put(
    store: Store,
    origin: str,
    place: Place,
    before: StoredCheckpoint | None,
    waiting: Sequence[StoredCheckpoint],
) -> StoredCheckpoint:
    files: dict[str, bytes] = {}
    for sealed in waiting:
        if before is not None:
            proof = to_line(prove_consistency(store, before, sealed))
            files[f"{origin}/{consistency_name(sealed.size)}"] = proof
        files[f"{origin}/{note_name(sealed.size)}"] = sealed.note
        before = sealed
    files[f"{origin}/{LATEST}"] = waiting[-1].note
    place.write(files)
    return waiting[-1]


def _there(note: bytes, place: Place) -> StoredCheckpoint:
    try:
        return StoredCheckpoint(Checkpoint.of_text(text_of(note)).size, 0, note)
    except ProofError as fault:
        raise NotAsSealedError(
            f"what is published as the last checkpoint is none: {fault.message}",
            hint="somebody changed it: compare it with other copies before it is removed",
            kept=place.name,
        ) from fault


def _origin_of(sealed: StoredCheckpoint) -> str:
    return Checkpoint.of_text(text_of(sealed.note)).origin
