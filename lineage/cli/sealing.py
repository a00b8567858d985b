"""`lineage ledger init-key | checkpoint | checkpoints | keys | prove | consistency`."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any

import click

from lineage.cli.context import emit, json_option, note_access, purpose_option, workspace
from lineage.cli.counts import counted
from lineage.cli.ledger import ledger
from lineage.errors import ConfigError, UnknownNameError
from lineage.model.canonical import iso
from lineage.model.checkpoint import Checkpoint
from lineage.model.notes import signatures_of, text_of
from lineage.model.proofs import to_line
from lineage.record.seal.changing import begin_log, make_key, rotate_key
from lineage.record.seal.folder import write_file
from lineage.record.seal.keys import LedgerKey, ledger_keys
from lineage.record.seal.proofs import (
    checkpoint_of_size,
    entry_named,
    prove_consistency,
    prove_entry,
)
from lineage.record.seal.sealer import Sealed
from lineage.store.contract import StoredCheckpoint

__all__ = ["checkpoint", "checkpoints", "consistency", "init_key", "keys", "ledger", "prove"]

_output = click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="Write it to this file."
)


def _now() -> int:
    return time.time_ns() // 1000


@ledger.command(name="init-key")
@click.option("--name", "origin", default="", help="The log's name, like example.com/lineage.")
@click.option("--rotate", is_flag=True, help="Replace the key, also where its file is lost.")
@click.option(
    "--new-log", metavar="NAME", default="", help="Go on under another name: entries were lost."
)
@click.option("--reason", default="", help="Why; it is kept in the ledger.")
@json_option
def init_key(*, origin: str, rotate: bool, new_log: str, reason: str, as_json: bool) -> None:
    """Make the key that signs checkpoints, record its public half, and seal for the first time.

    The key is the file LINEAGE_SEAL_KEY_FILE, its owner's alone; no backup has it. Give the public
    line that is printed to whoever shall check this ledger. Interrupted, it is run again.
    """
    if sum((bool(origin), rotate, bool(new_log))) > 1:
        raise ConfigError("--name, --rotate and --new-log exclude each other", hint="give one")
    with workspace() as ws:
        who = (ws.sealer, ws.recorder, ws.actor)
        if rotate:
            key, sealed = rotate_key(*who, reason=reason, now=_now())
        elif new_log:
            key, sealed = begin_log(*who, origin=new_log, reason=reason, now=_now())
        else:
            key, sealed = make_key(*who, origin=origin, now=_now())
        value = {**_key(key), "file": str(ws.settings.seal_key_file), **_sealed(sealed)}

    def human() -> None:
        click.echo(key.public.text())
        click.echo(f"key {key.number}, entry {key.seq}; it is in {value['file']}")
        _tell(sealed)

    emit(value, as_json=as_json, human=human)
    _raise_unpublished(sealed, f"the key was {'changed' if rotate or new_log else 'made'}")


@ledger.command()
@json_option
def checkpoint(*, as_json: bool) -> None:
    """Seal what is recorded now, publish it, and print the signed checkpoint."""
    with workspace() as ws:
        sealed = ws.sealer.seal()
    value = {**_sealed(sealed), "note": sealed.checkpoint.note.decode()}

    def human() -> None:
        click.echo(value["note"], nl=False)
        _tell(sealed, err=True)

    emit(value, as_json=as_json, human=human)
    _raise_unpublished(sealed)


@ledger.command()
@click.option("--after", default=0, show_default=True, help="Of more entries than this.")
@click.option("--limit", default=20, show_default=True, help="How many at most.")
@json_option
def checkpoints(*, after: int, limit: int, as_json: bool) -> None:
    """Checkpoints, one a line: entries, time, root, and whose signatures they bear."""
    with workspace(read_only=True) as ws:
        rows = [_checkpoint(sealed) for sealed in ws.store.checkpoints(after, limit)]

    def human() -> None:
        for row in rows:
            signers = ", ".join(row["signed_by"])
            click.echo(f"{row['size']:>8}  {row['sealed_at']}  {row['root'][:16]}  {signers}")

    emit(rows, as_json=as_json, human=human)


@ledger.command()
@click.option("--public", is_flag=True, help="The keys alone, one a line: what an auditor needs.")
@json_option
def keys(*, public: bool, as_json: bool) -> None:
    """Keys that checkpoints of this ledger are signed by, the first one first."""
    with workspace(read_only=True) as ws:
        current = ws.sealer.key_file.key() if ws.sealer.key_file.is_readable else None
        rows = [
            {**_key(key), "here": current is not None and current.public == key.public}
            for key in ledger_keys(ws.store)
        ]

    def human() -> None:
        for row in rows:
            if public:
                click.echo(row["key"])
                continue
            here = "  its file is here" if row["here"] else ""
            click.echo(f"{row['key']}  since entry {row['seq']}, {row['recorded_at']}{here}")

    shown = [row["key"] for row in rows] if public else rows
    emit(shown, as_json=as_json, human=human)


@ledger.command()
@click.argument("entry")
@click.option("--size", type=int, help="By the checkpoint of so many entries; default: the last.")
@_output
@purpose_option
@json_option
def prove(
    *, entry: str, size: int | None, output: Path | None, purpose: str, as_json: bool
) -> None:
    """Prove that ENTRY is in the sealed ledger: a file for `lineage-verify`.

    ENTRY is its position, or SOURCE#EVENT_ID. The proof holds the entry with its body, a path of
    hashes, and a signed checkpoint.
    """
    with workspace(read_only=True) as ws:
        seq = entry_named(ws.store, entry)
        sealed = None if size is None else checkpoint_of_size(ws.store, size)
        if sealed is not None and sealed.size < seq:
            raise UnknownNameError(
                f"the checkpoint of {sealed.size:,} entries does not cover entry {seq}",
                hint="leave --size out, or name a larger one",
            )
        bundle = prove_entry(ws.store, seq, sealed)
        place = "" if output is None else str(output.absolute())
        note_access(ws, "proof", [seq], place=place, purpose=purpose)
    what = f"entry {seq} among {_size_in(bundle['checkpoint']):,}"
    _hand_out(bundle, output, what, as_json=as_json)


@ledger.command()
@click.argument("old", type=int)
@click.argument("new", type=int, required=False)
@_output
@json_option
def consistency(*, old: int, new: int | None, output: Path | None, as_json: bool) -> None:
    """Prove that the checkpoint of NEW entries extends that of OLD: a file for `lineage-verify`.

    NEW is the last checkpoint unless it is given.
    """
    with workspace(read_only=True) as ws:
        before = checkpoint_of_size(ws.store, old)
        last = ws.store.last_checkpoint() if new is None else checkpoint_of_size(ws.store, new)
        if last is None or last.size < old:
            raise UnknownNameError(f"{new} is before {old}", hint="give the smaller size first")
        bundle = prove_consistency(ws.store, before, last)
    _hand_out(bundle, output, f"{old:,} entries to {last.size:,}", as_json=as_json)


def _hand_out(bundle: dict[str, Any], output: Path | None, what: str, *, as_json: bool) -> None:
    line = to_line(bundle)
    if output is None:
        click.echo(line, nl=False)
        return
    write_file(output.absolute(), line, 0o600)
    value = {"path": str(output), "bytes": len(line), "format": bundle["format"]}
    emit(value, as_json=as_json, human=lambda: click.echo(f"{output}: {what}, {len(line):,} bytes"))


def _size_in(note: str) -> int:
    return Checkpoint.of_text(text_of(note.encode())).size


def _key(key: LedgerKey) -> dict[str, Any]:
    return {
        "key": key.public.text(),
        "origin": key.public.name,
        "number": key.number,
        "seq": key.seq,
        "recorded_at": iso(key.recorded_at),
        "replaces": key.replaces or None,
        "reason": key.reason or None,
    }


def _checkpoint(sealed: StoredCheckpoint) -> dict[str, Any]:
    found = Checkpoint.of_text(text_of(sealed.note))
    return {
        "size": sealed.size,
        "sealed_at": iso(sealed.sealed_at),
        "origin": found.origin,
        "root": found.root.hex(),
        "root_base64": base64.b64encode(found.root).decode("ascii"),
        "signed_by": [f"{s.name}+{s.key_id.hex()}" for s in signatures_of(sealed.note)],
    }


def _sealed(sealed: Sealed) -> dict[str, Any]:
    return {
        "checkpoint": _checkpoint(sealed.checkpoint),
        "new": sealed.new,
        "published": [
            {"place": at.place, "size": at.size, "new": at.new} for at in sealed.published
        ],
    }


def _tell(sealed: Sealed, *, err: bool = False) -> None:
    again = "" if sealed.new else " before"
    click.echo(f"sealed {counted(sealed.checkpoint.size, 'entry')}{again}", err=err)
    for at in sealed.published:
        click.echo(f"published at {at.place}", err=err)


def _raise_unpublished(sealed: Sealed, done: str = "") -> None:
    """Sealed it is; that nobody else has it is the exit code's to say.

    What else is ``done`` is not to be repeated.
    """
    if not sealed.faults:
        return
    fault, *others = sealed.faults
    message, hint, where = fault.message, fault.hint, dict(fault.where)
    if others:
        where["also"] = [other.message for other in others]
    if done:
        message = f"{done}; only publishing is left: {message}"
        hint = f"{hint or 'mend that place'}; then `lineage ledger checkpoint`"
    raise type(fault)(message, hint=hint, **where)
