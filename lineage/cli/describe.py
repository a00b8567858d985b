"""`lineage describe`: say what a thing is, and what else people should know of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from lineage.cli.context import emit, json_option, workspace
from lineage.cli.owning import SOURCE, known_or_id, now
from lineage.errors import RefusedError
from lineage.model.changes import ArtifactDescribed
from lineage.model.ids import ARTIFACT, artifact_of, class_of, parse_id
from lineage.query.batch import Batch
from lineage.query.facts import value_of
from lineage.store.contract import View

__all__ = ["describe"]

_KIND = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_NAME = re.compile(r"[A-Za-z_][\w.-]{0,127}\Z")


@click.command()
@click.argument("subject", metavar="ID")
@click.option("--kind", default="", help="What it is: table, model, training_dataset, file ...")
@click.option(
    "--set", "facts", multiple=True, metavar="NAME=VALUE", help="A fact, as text; repeat."
)
@json_option
def describe(*, subject: str, kind: str, facts: tuple[str, ...], as_json: bool) -> None:
    """Say what ID is: its kind, and facts like a description.

    ID is an id, a name or a path. The kind is of the artifact; facts are of the version where ID
    names one. What you say counts for more than a guess, and for less than what was observed.
    """
    attributes = dict(_fact(text) for text in facts)
    if not kind and not attributes:
        raise click.UsageError("say --kind or --set NAME=VALUE")
    if kind and not _KIND.match(kind):
        raise _refused(f"not a kind: {kind!r:.100}", "kinds are words like model, feature_view")
    with workspace() as ws:
        node = known_or_id(ws.store, subject, View(ws.store.head().seq), base=str(Path.cwd()))
        change = _change(node, kind, attributes)
        (receipt,) = ws.recorder.record_changes([change], source=SOURCE, actor=ws.actor)
        batch = Batch(ws.store, View(receipt.seq), [node])
        shown = {name: value_of(batch.attributes(node), name) for name in attributes}
        value: dict[str, Any] = {
            "seq": receipt.seq, "id": node, "name": batch.name(node), "kind": batch.kind(node),
            "attributes": shown,
        }  # fmt: skip

    def human() -> None:
        click.echo(f"{value['kind']} {value['name']}  {node}")
        for name, said in shown.items():
            click.echo(f"    {name}  {said}")

    emit(value, as_json=as_json, human=human)
    given = {"kind": kind, **attributes} if kind else attributes
    for name, said in given.items():
        now_shown = value["kind"] if name == "kind" else shown[name]
        if now_shown != said and not as_json:
            click.echo(f"note: {name} shows as {now_shown}, as was observed", err=True)


def _change(node: str, kind: str, attributes: dict[str, str]) -> ArtifactDescribed:
    if class_of(node) != ARTIFACT:
        raise _refused(
            f"{node} is a {class_of(node)}", "artifacts and their versions are described"
        )
    parsed = parse_id(node)
    if any(part.digest for part in parsed.parts):
        raise _refused(
            f"the name of {artifact_of(node)} was shortened", "only its producer knows the whole"
        )
    namespace, name = parsed.texts
    return ArtifactDescribed(
        event_at=now(), namespace=namespace, name=name, artifact_kind=kind, attributes=attributes,
        version=parsed.version.text if parsed.version else "",
    )  # fmt: skip


def _fact(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not _NAME.match(name) or name == "kind":
        raise _refused(f"not a fact: {text!r:.100}", "like --set description='Daily transactions'")
    return name, value


def _refused(what: str, hint: str) -> RefusedError:
    return RefusedError(what, code="bad-argument", hint=hint)
