"""`lineage witness`: cosign the checkpoints of other ledgers, or refuse to, loudly."""

from __future__ import annotations

import functools
import importlib
import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import click

from lineage.cli.context import emit, json_option, show_error
from lineage.cli.keys import public_keys
from lineage.cli.progress import progress
from lineage.cli.stopping import stopped_by_signals
from lineage.errors import ConfigError, LineageError
from lineage.model.canonical import iso
from lineage.model.keys import COSIGNATURE, SigningKey, generate_key
from lineage.model.notes import open_note
from lineage.record.seal.keyfile import KeyFile
from lineage.record.seal.places import Place
from lineage.record.seal.publishing import places_of
from lineage.settings import Settings, load_settings
from lineage.witness.following import Step, follow, show
from lineage.witness.memory import Memory
from lineage.witness.sources import Source, source_of
from lineage.witness.witness import Witness

__all__ = ["witness"]

_logs = click.option(
    "--log", "logs", multiple=True, required=True, metavar="KEY",
    help="Public key of a log, from its owner: the line, or a file of lines. Repeat.",
)  # fmt: skip


@click.group()
def witness() -> None:
    """Follow the checkpoints of other ledgers, and cosign what extends what was seen before.

    Key and memory are in the folder `witness` of LINEAGE_HOME: keep both, in a backup as well.
    """


@witness.command(name="init-key")
@click.argument("name")
@json_option
def init_key(*, name: str, as_json: bool) -> None:
    """Make the key of the witness NAME, like example.com/witness, and print its public line."""
    file = _key_file(load_settings())
    if file.key() is not None:
        raise ConfigError(f"{file.path} is there already", hint="a witness has one key")
    key = generate_key(name, COSIGNATURE)
    file.keep(key)
    value = {"key": key.public.text(), "file": str(file.path)}
    emit(value, as_json=as_json, human=lambda: click.echo(value["key"]))


@witness.command()
@json_option
def status(*, as_json: bool) -> None:
    """The public key, and the latest checkpoint of every log that was cosigned."""
    settings = load_settings()
    key = _signing_key(settings)
    rows = []
    for note in Memory(_folder(settings)).notes():
        opened = open_note(note, [key.public])
        origin, size, root = opened.text.split("\n")[:3]
        at = iso(opened.times[key.public] * 1_000_000)
        rows.append({"origin": origin, "size": int(size), "root": root, "cosigned_at": at})
    value = {"key": key.public.text(), "logs": rows}

    def human() -> None:
        click.echo(value["key"])
        for row in rows:
            click.echo(f"{row['size']:>10,}  {row['cosigned_at']}  {row['origin']}")

    emit(value, as_json=as_json, human=human)


@witness.command(name="follow")
@click.argument("source")
@_logs
@click.option("--publish", "publish_at", metavar="PLACE", help="Where cosigned checkpoints go.")
@click.option("--once", is_flag=True, help="Look once, then end.")
@click.option(
    "--interval", default=60.0, show_default=True, type=click.FloatRange(min=0.05),
    help="Seconds between looks.",
)  # fmt: skip
@json_option
def follow_log(
    *, source: str, logs: tuple[str, ...], publish_at: str | None, once: bool, interval: float,
    as_json: bool,
) -> None:  # fmt: skip
    """Cosign the checkpoints that SOURCE shows of a log, until stopped.

    SOURCE is what a log publishes to (a directory, git:/a/clone, a bucket, a URL of the same
    files), or a service (https://.../graphql). PLACE is such a directory, which has to be there,
    a clone or a bucket. Ends with status 1, and keeps the evidence, when a log contradicts what it
    signed before.
    """
    settings = load_settings()
    one, from_place = _witness(settings, logs), source_of(source, settings.token)
    places = places_of(publish_at, "--publish") if publish_at else []
    told: set[str] = set()
    with stopped_by_signals() as stop:
        while True:
            try:
                for origin in one.origins:
                    step, published = _look(one, from_place, origin, places)
                    if once or published or step.cosigned or origin not in told:
                        _tell(step, published, as_json=as_json)
                        told.add(origin)
            except LineageError as fault:
                if once or not fault.retryable:
                    raise
                show_error(fault, as_json=as_json)
            if once or stop.wait(interval):
                return


@witness.command()
@_logs
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to bind to.")
@click.option("--port", default=8081, show_default=True, type=click.IntRange(0, 65_535))
@json_option
def serve(*, logs: tuple[str, ...], host: str, port: int, as_json: bool) -> None:
    """Cosign what logs send (C2SP tlog-witness): POST /add-checkpoint, until stopped."""
    from lineage.cli.listening import bound
    from lineage.cli.serve import Server, end_by_signals

    settings = replace(load_settings(), host=host, port=port)
    one = _witness(settings, logs)
    # Named, not imported: the faces of the product do not depend on each other.
    app = importlib.import_module("lineage.web.witness").create_app(one)
    end_by_signals()
    with bound(settings) as listening:
        shown = f"[{host}]" if ":" in host else host
        value = {"url": f"http://{shown}:{listening.getsockname()[1]}", "origins": one.origins}
        said = f"witness {one.key.name} at {value['url']} for {', '.join(one.origins)}"
        ready = functools.partial(click.echo, json.dumps(value) if as_json else said)
        Server(app, ready).run([listening])


def _look(one: Witness, source: Source, origin: str, places: list[Place]) -> tuple[Step, list[str]]:
    with progress(f"checking {origin}") as tick:
        step = follow(one, source, origin, tick)
    return step, [place.name for place in places if show(one, origin, place)]


def _tell(step: Step, published: list[str], *, as_json: bool) -> None:
    if as_json:  # a line each: it may go on for years
        click.echo(json.dumps({**asdict(step), "published": published}))
        return
    where = f", published at {', '.join(published)}" if published else ""
    if step.size is None:
        click.echo(f"{step.origin}: nothing to cosign yet")
    elif step.cosigned:
        click.echo(f"{step.origin}: {step.size:,} entries cosigned{where}")
    else:
        click.echo(f"following {step.origin}, {step.size:,} entries{where}")


def _witness(settings: Settings, logs: tuple[str, ...]) -> Witness:
    keys = public_keys(logs)
    memory = Memory(_folder(settings))
    return Witness(_signing_key(settings), keys, memory, lambda: int(time.time()))


def _signing_key(settings: Settings) -> SigningKey:
    file = _key_file(settings)
    key = file.key()
    if key is None:
        raise ConfigError(
            f"there is no {file.path}", hint="`lineage witness init-key NAME` makes a key"
        )
    return key


def _key_file(settings: Settings) -> KeyFile:
    return KeyFile(_folder(settings) / "key")


def _folder(settings: Settings) -> Path:
    return settings.home / "witness"
