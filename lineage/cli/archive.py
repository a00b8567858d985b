"""`lineage archive`: the ledger and its blobs into Delta tables."""

from __future__ import annotations

from dataclasses import asdict

import click

from lineage.cli.context import emit, json_option, note_access, purpose_option, workspace
from lineage.cli.counts import counted
from lineage.cli.progress import progress
from lineage.errors import ArchiveDamagedError, ConfigError
from lineage.record.archive import Archive, Archived, ArchiveSource
from lineage.record.archive import archive as archive_into
from lineage.record.archive.checking import verify_archive
from lineage.record.copies import ARCHIVE
from lineage.wiring import noted_copy


@click.command()
@click.argument("place")
@click.option("--unsealed", is_flag=True, help="Up to the head, not to the last checkpoint.")
@click.option("--compact", is_flag=True, help="Merge the archive's small files afterwards.")
@click.option("--verify", is_flag=True, help="Only re-read the archive; name what does not hold.")
@click.option(
    "--skip-missing-blobs", is_flag=True, help="Archive although blobs were lost; they are named."
)
@purpose_option
@json_option
def archive(
    *,
    place: str,
    unsealed: bool,
    compact: bool,
    verify: bool,
    skip_missing_blobs: bool,
    purpose: str,
    as_json: bool,
) -> None:
    """Archive what is sealed to PLACE, a directory or s3://bucket/path: Delta tables.

    Goes on where the last run ended, and reads everything back before it says so. Credentials of
    an address come from the environment (AWS_...). The store's key is not archived.
    """
    target = Archive(place)
    if verify:
        if unsealed or compact or skip_missing_blobs:
            raise ConfigError("--verify writes nothing", hint="leave out the other options")
        _verify(target, as_json=as_json)
        return
    with (
        workspace(read_only=True) as ws,
        progress("archiving", ws.store.head().seq) as tick,
        noted_copy(ws, ARCHIVE, target.uri),
    ):
        entries = range(1, ws.store.head().seq + 1)
        note_access(ws, "archive", entries, place=target.uri, purpose=purpose)
        done = archive_into(
            ws.store, ws.blobs, target,
            unsealed=unsealed, skip_missing=skip_missing_blobs, progress=tick,
        )  # fmt: skip
        waiting = ws.store.head().seq - done.size
    merged = target.compact() if compact else None
    value = {"place": target.uri, **asdict(done), "waiting": waiting, "compacted": merged}
    emit(value, as_json=as_json, human=lambda: _tell(target, done, waiting, merged))


def _tell(target: Archive, done: Archived, waiting: int, merged: tuple[int, int] | None) -> None:
    click.echo(f"archived: {counted(done.size, 'entry')}, root {done.root}")
    click.echo(
        f"new in {target.uri}: {counted(done.entries, 'entry')}, {counted(done.blobs, 'blob')}, "
        f"{counted(done.checkpoints, 'checkpoint')}"
    )
    if done.erased:
        click.echo(f"redacted in it: {counted(done.erased, 'entry')}")
    if waiting:
        click.echo(
            f"{counted(waiting, 'entry')} after the last checkpoint "
            f"{'waits' if waiting == 1 else 'wait'}: seal, or archive with --unsealed"
        )
    if merged and merged[0] == merged[1]:
        click.echo(f"compacted: nothing to merge, {counted(merged[0], 'file')}")
    elif merged:
        click.echo(f"compacted: {counted(merged[0], 'file')} merged into {merged[1]:,}")
    for digest in done.missing_blobs:
        click.echo(f"  lost: blob {digest}")


def _verify(target: Archive, *, as_json: bool) -> None:
    source = ArchiveSource(target)
    with progress("verifying", source.head().seq) as tick:
        result = verify_archive(source, progress=tick)
    value = {
        "place": target.uri,
        "sound": not result.faults,
        "entries": result.entries,
        "root": result.root,
        "redacted": result.redacted,
        "blobs": result.blobs,
        "first_bad": result.first_bad,
        "faults": [
            {**asdict(fault), **source.blame(fault.position)} for fault in result.faults[:100]
        ],
    }

    def human() -> None:
        shown = "sound" if value["sound"] else "NOT SOUND"
        click.echo(
            f"{shown}: {counted(result.entries, 'entry')}, {counted(result.blobs, 'blob')}, "
            f"root {result.root}"
        )
        for fault in result.faults[:20]:
            click.echo(f"  {f'entry {fault.position}' if fault.position else 'head'}: {fault.what}")

    emit(value, as_json=as_json, human=human)
    if result.faults:
        raise ArchiveDamagedError(
            f"the archive does not hold: {result.faults[0].what}",
            hint="bring it back from a copy, or archive to a new place",
            position=result.first_bad, **source.blame(result.first_bad or 0),
        )  # fmt: skip
