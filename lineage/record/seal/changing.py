"""Making, changing and replacing keys. Every way is repeated after an interruption as it was begun.

First key: (1) its file, (2) its entry, (3) a checkpoint. Rotation: (1) the file of the next key,
(2) its entry, (3) a checkpoint signed by both, (4) the next file takes the place of the other,
whose key is gone. Another log: the new file takes its place first, since under the old name nothing
may be appended any more.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from pathlib import Path

from lineage.errors import ConfigError, SealKeyError
from lineage.model.canonical import iso
from lineage.model.checkpoint import Checkpoint
from lineage.model.envelope import Actor
from lineage.model.keys import generate_key
from lineage.model.notes import text_of
from lineage.record.recorder import Recorder
from lineage.record.seal.keys import LedgerKey, add_key, ledger_keys
from lineage.record.seal.sealer import Sealed, Sealer

__all__ = ["begin_log", "make_key", "new_origin", "rotate_key"]

_ORIGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]*(?:/[A-Za-z0-9][A-Za-z0-9._~-]*)*")
_MOST = 200


def new_origin() -> str:
    """A name for a log that nobody gave one: no other log has it."""
    return f"lineage/{secrets.token_hex(8)}"


def make_key(
    sealer: Sealer, recorder: Recorder, actor: Actor, *, origin: str = "", now: int
) -> tuple[LedgerKey, Sealed]:
    """Make the first key of a ledger. Raises ``SealKeyError`` where there is one."""
    _check(origin)
    key, known = sealer.key_file.key(), ledger_keys(sealer.store)
    if key is None and known:
        raise SealKeyError(
            f"this ledger has a key, {known[-1].public.text()} (entry {known[-1].seq}), which is "
            f"not at {sealer.key_file.path}",
            hint="restore it there; if it is lost, add --rotate",
        )
    if key is not None and any(had.public == key.public for had in known):
        if not _has_sealed(sealer, key.name):  # an interruption came before the last step
            return known[-1], sealer.seal()
        raise SealKeyError(
            f"there is a key: {key.public.text()}", hint="--rotate replaces it by a new one"
        )
    if key is not None and (known or (origin and key.name != origin)):
        raise SealKeyError(
            f"{sealer.key_file.path} holds the key of another log, {key.name}",
            hint="LINEAGE_SEAL_KEY_FILE says where this one's is",
        )
    if key is None:
        key = generate_key(origin or new_origin())
        sealer.key_file.keep(key)
    added = add_key(recorder, actor, key.public, now=now)
    return added, sealer.seal()


def rotate_key(
    sealer: Sealer, recorder: Recorder, actor: Actor, *, reason: str = "", now: int
) -> tuple[LedgerKey, Sealed]:
    """Replace the key by a new one of the same name, also where the old one is lost.

    The checkpoint is signed by both, as long as the old one is there. Repeated while the last
    rotation is not published, and nothing was recorded since, it only publishes. Raises
    ``SealKeyError`` where there never was one.
    """
    known = ledger_keys(sealer.store)
    if not known:
        raise SealKeyError("this ledger has no key yet", hint="leave --rotate out")
    key_file = sealer.key_file
    following = key_file.next_key()
    if following is None and _is_unpublished(sealer, known):
        return known[-1], sealer.seal()
    if following is None:
        following = generate_key(known[-1].public.name)
        key_file.keep_next(following)
    added = add_key(recorder, actor, following.public, now=now, reason=reason)
    sealed = sealer.seal()
    key_file.promote()
    return added, sealed


def begin_log(
    sealer: Sealer, recorder: Recorder, actor: Actor, *, origin: str, reason: str, now: int
) -> tuple[LedgerKey, Sealed]:
    """Go on under another name, after entries that had been sealed were lost for good.

    Checkpoints of the name before it forbid nothing any more: they are an auditor's proof of what
    was lost. Raises ``ConfigError`` without a reason, or for the same name.
    """
    _check(origin)
    if not reason:
        raise ConfigError("why does another log begin?", hint="say it with --reason: it is kept")
    key_file = sealer.key_file
    key = key_file.key()
    if _has_sealed(sealer, origin):
        raise ConfigError(f"this ledger was called {origin} before", hint="give it a new name")
    if key is None or key.name != origin:
        key_file.next_path.unlink(missing_ok=True)
        key = generate_key(origin)
        key_file.keep_next(key)
        key_file.promote()
    _set_aside(sealer.beside, origin)
    begun = f"{reason} (a log of this ledger since {iso(now)})"
    added = add_key(recorder, actor, key.public, now=now, reason=begun)
    return added, sealer.seal()


def _is_unpublished(sealer: Sealer, known: Sequence[LedgerKey]) -> bool:
    """Whether the last entry is a rotation that is made, and not published everywhere."""
    last = known[-1]
    if len(known) == 1 or last.seq != sealer.store.head().seq:
        return False
    sealed = sealer.store.last_checkpoint()
    if sealed is None or sealed.size != last.seq or not _is_here(sealer, last):
        return False
    return last.public.name == known[-2].public.name and sealer.lacks(last.seq)


def _is_here(sealer: Sealer, last: LedgerKey) -> bool:
    try:
        key = sealer.key_file.key()
    except SealKeyError:  # spoilt: it is replaced
        return False
    return key is not None and key.public == last.public


def _has_sealed(sealer: Sealer, origin: str) -> bool:
    """Whether a log of that name got as far as its first checkpoint."""
    names = {Checkpoint.of_text(text_of(c.note)).origin for c in sealer.store.checkpoints()}
    return origin in names


def _set_aside(beside: Path, origin: str) -> None:
    """The last checkpoint of the log before this one is evidence: it is kept."""
    if beside.exists():
        last = Checkpoint.of_text(text_of(beside.read_bytes()))
        if last.origin != origin:
            beside.rename(beside.with_name(f"{beside.name}-{last.size}"))


def _check(origin: str) -> None:
    if origin and (len(origin) > _MOST or not _ORIGIN.fullmatch(origin)):
        raise ConfigError(
            f"{origin[:80]!r} is no name of a log",
            hint="use one like example.com/lineage: letters, digits and . _ ~ - between slashes",
        )
