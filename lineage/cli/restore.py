"""`lineage restore`: a store from an archive or a backup."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import click

from lineage.cli.context import emit, json_option, workspace
from lineage.cli.counts import counted
from lineage.cli.keys import public_keys
from lineage.cli.ledger import kept_root
from lineage.cli.memory import collect_seldom
from lineage.cli.progress import progress
from lineage.errors import ConfigError, LineageError, NotAsSealedError
from lineage.model.canonical import micros
from lineage.model.checkpoint import Checkpoint
from lineage.model.keys import PublicKey
from lineage.model.notes import text_of
from lineage.record.archive import Archive
from lineage.record.copies import ARCHIVE, BACKUP
from lineage.record.restore import Restored
from lineage.record.restore import restore as restore_from
from lineage.record.sources import Source
from lineage.settings import Settings, load_settings
from lineage.wiring import Workspace, copy_key, noted_copy, open_source


@click.command()
@click.option(
    "--from", "place", required=True, metavar="PLACE",
    help="An archive (a directory, s3://bucket/path), or the file of a `lineage backup`.",
)  # fmt: skip
@click.option(
    "--until", metavar="SEQ|TIME|CHECKPOINT",
    help="Only up to an entry, a recorded time, or the checkpoint in a file.",
)  # fmt: skip
@click.option(
    "--key", "keys", multiple=True, metavar="KEY",
    help="Who has to have signed: the line, or a file of lines, of which one is enough. Repeat.",
)  # fmt: skip
@click.option(
    "--expect", multiple=True, metavar="SEQ:ROOT", help="A root that was kept elsewhere; repeat."
)
@json_option
def restore(
    *,
    place: str,
    until: str | None,
    keys: tuple[str, ...],
    expect: tuple[str, ...],
    as_json: bool,
) -> None:
    """Restore a ledger into the store that LINEAGE_STORE names, which has to be empty.

    Everything is proved by its Merkle roots and checkpoints before it is appended; times, salts
    and commitments stay what they were. Interrupted, it goes on when it is repeated.
    """
    settings = load_settings()
    signers = public_keys(keys)
    outcome = _restore(settings, place, until, signers, dict(map(kept_root, expect)))
    copied = _copy_key(settings) if outcome.had_key else ""
    value = {
        "store": settings.store_name, **asdict(outcome.done), "new_key": not outcome.had_key,
        "key_copy": copied, "behind": outcome.behind,
    }  # fmt: skip

    def human() -> None:
        _tell(settings, outcome)
        _tell_key(settings, copied, had_key=outcome.had_key)

    emit(value, as_json=as_json, human=human)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """``behind`` says why the store refuses to append, ``earlier`` that the source goes on."""

    done: Restored
    had_key: bool
    behind: str
    earlier: bool


def _restore(
    settings: Settings,
    place: str,
    until: str | None,
    signers: list[PublicKey],
    roots: dict[int, bytes],
) -> _Outcome:
    with open_source(place, settings) as source:
        end = _end(source, until, roots)
        had_key = settings.key_path.exists()
        kind, name = _copy_of(place)
        with (
            # A key that is made now is not the store's yet: somebody may have the old one.
            workspace(settings=settings, bind=had_key and not settings.store_path.exists()) as ws,
            progress("restoring", end or source.head().seq) as tick,
            # What is redacted in this store from now on has to go from there, too.
            noted_copy(ws, kind, name),
        ):
            collect_seldom()
            # A store that is shorter than what was sealed refuses to append: until it is not.
            ws.store.guard(lambda _: None)
            done = restore_from(
                source, ws.store, ws.blobs, until=end, keys=signers, expect=roots,
                keep=ws.sealer.guard.expect, progress=tick,
            )  # fmt: skip
            return _Outcome(done, had_key, _behind(ws), done.size < source.head().seq)


def _copy_key(settings: Settings) -> str:
    """Where a copy of the key is now for a shell that does not name it; of a file's store only."""
    if settings.store_kind != "sqlite" or settings.key_path.absolute() == _beside(settings):
        return ""
    return str(_beside(settings)) if copy_key(settings) else ""


def _beside(settings: Settings) -> Path:
    return settings.key_beside.absolute()


def _copy_of(place: str) -> tuple[str, str]:
    """What sort of copy it is, and where, as it is noted."""
    if Path(place).is_file():
        return BACKUP, str(Path(place).absolute())
    return ARCHIVE, Archive(place).uri


def _behind(ws: Workspace) -> str:
    """Why the store still refuses to append, if it does."""
    try:
        ws.sealer.guard.judge(thorough=True)
    except NotAsSealedError as fault:
        return fault.message
    return ""


def _end(source: Source, until: str | None, roots: dict[int, bytes]) -> int | None:
    """The position that ``--until`` means; the root of a checkpoint joins those expected."""
    if until is None:
        return None
    if until.isdecimal():
        return int(until)
    if Path(until).is_file():
        checkpoint = Checkpoint.of_text(text_of(Path(until).read_bytes()))
        roots[checkpoint.size] = checkpoint.root
        return checkpoint.size
    try:
        return source.position_at(micros(until))
    except LineageError as fault:
        raise ConfigError(
            f"--until is no position, time or file: {until!r}",
            hint="write 1200, 2026-11-21T08:00:00Z, or the path of a checkpoint",
        ) from fault


def _tell(settings: Settings, outcome: _Outcome) -> None:
    done = outcome.done
    click.echo(
        f"restored: {counted(done.size, 'entry')} in {settings.store_name}, root {done.root}"
    )
    click.echo(
        f"new: {counted(done.entries, 'entry')}, {counted(done.blobs, 'blob')}, "
        f"{counted(done.checkpoints, 'checkpoint')}; "
        f"checkpoints cover {counted(done.sealed, 'entry')}"
    )
    if done.erased_later:
        shown = ", ".join(map(str, done.erased_later[:20]))
        click.echo(
            f"{counted(len(done.erased_later), 'entry')} redacted later than this, "
            f"and still so: {shown}"
        )
    for digest in done.missing_blobs:
        click.echo(f"  lost: blob {digest}")
    if outcome.behind:
        click.echo(f"it can be read, and refuses to append: {outcome.behind}")
    elif outcome.earlier:
        click.echo(
            "it can be appended to: no later checkpoint is known. What is recorded in it is "
            "another history than the one that it was taken from"
        )


def _tell_key(settings: Settings, copied: str, *, had_key: bool) -> None:
    if copied:
        click.echo(f"its key {settings.key_path} was copied to {copied}")
    elif had_key and settings.key_path.absolute() != _beside(settings):
        click.echo(
            f"its key is {settings.key_path}: without LINEAGE_STORE_KEY_FILE it has to be at "
            f"{_beside(settings)}"
        )
    if not had_key:
        click.echo(
            f"{settings.key_path} is a new key: an archive does not hold the store's. Put the old "
            "one there before anything is recorded, or what is sent again is recorded again"
        )
