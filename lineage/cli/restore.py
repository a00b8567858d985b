"""`lineage restore`: a store from an archive or a backup."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from lineage.cli.context import emit, json_option, workspace
from lineage.cli.keys import public_keys
from lineage.cli.ledger import kept_root
from lineage.cli.memory import collect_seldom
from lineage.cli.progress import progress
from lineage.errors import ConfigError, LineageError, NotAsSealedError
from lineage.model.canonical import micros
from lineage.model.checkpoint import Checkpoint
from lineage.model.notes import text_of
from lineage.record.archive import Archive
from lineage.record.copies import ARCHIVE, BACKUP
from lineage.record.restore import Restored
from lineage.record.restore import restore as restore_from
from lineage.record.sources import Source
from lineage.settings import Settings, load_settings
from lineage.wiring import Workspace, noted_copy, open_source


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
    roots = dict(map(kept_root, expect))
    signers = public_keys(keys)
    with open_source(place, settings) as source:
        end = _end(source, until, roots)
        had_key = settings.key_path.exists()
        kind, name = _copy_of(place)
        with (
            workspace(settings=settings) as ws,
            progress("restoring", end or source.head().seq) as tick,
            # What is redacted in this store from now on has to go from there, too.
            noted_copy(ws, kind, name),
        ):
            collect_seldom()
            # A store that is shorter than what was sealed refuses to append: until it is not.
            ws.store.guard(lambda _: None)
            done = restore_from(
                source, ws.store, ws.blobs, until=end, keys=signers, expect=roots, progress=tick
            )
            behind = _behind(ws)
    value = {
        "store": settings.store_name, **asdict(done), "new_key": not had_key, "behind": behind
    }  # fmt: skip
    emit(value, as_json=as_json, human=lambda: _tell(settings, done, behind, had_key=had_key))


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


def _tell(settings: Settings, done: Restored, behind: str, *, had_key: bool) -> None:
    click.echo(f"restored: {done.size:,} entries in {settings.store_name}, root {done.root}")
    click.echo(
        f"{done.entries:,} entries, {done.blobs:,} blobs and {done.checkpoints:,} checkpoints are "
        f"new; checkpoints cover {done.sealed:,} entries"
    )
    if done.erased_later:
        shown = ", ".join(map(str, done.erased_later[:20]))
        click.echo(
            f"{len(done.erased_later):,} entries were redacted later than this and stay so: {shown}"
        )
    for digest in done.missing_blobs:
        click.echo(f"  lost: blob {digest}")
    if behind:
        click.echo(f"it can be read, and refuses to append: {behind}")
    if not had_key:
        click.echo(
            f"{settings.key_path} is a new key: an archive does not hold the store's. Put the old "
            "one there before anything is recorded, or what is sent again is recorded again"
        )
