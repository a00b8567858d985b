"""`lineage graphql`: ask the store in GraphQL, without a service."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from lineage.cli.context import json_option, note_access, purpose_option, workspace
from lineage.errors import ConfigError, MalformedError
from lineage.model.canonical import parse_json

__all__ = ["graphql"]


@click.command()
@click.argument("query", required=False)
@click.option("--variables", default="", help="Variables as a JSON object.")
@click.option("--schema", "show_schema", is_flag=True, help="Print the schema and stop.")
@purpose_option
@json_option
def graphql(
    *, query: str | None, variables: str, show_schema: bool, purpose: str, as_json: bool
) -> None:
    """Answer a GraphQL QUERY (or `-`: read it from standard input). Always prints JSON."""
    from lineage.query.graphql.context import Context
    from lineage.query.graphql.schema import execute, printed

    if show_schema:
        click.echo(printed(), nl=False)
        return
    if not query:
        raise ConfigError("no query", hint="like lineage graphql '{ ledger { head { seq } } }'")
    text = sys.stdin.read() if query == "-" else query
    with workspace() as ws:
        context = Context(ws.store, ws.actor, ws.recorder.record)
        context.audit = lambda seqs, _: note_access(ws, "graphql", seqs, purpose=purpose)
        answered = execute(context, text, _variables(variables))
    click.echo(json.dumps(answered.body, ensure_ascii=as_json, indent=2))
    if answered.body.get("errors"):
        raise SystemExit(65 if answered.status == 400 else 1)


def _variables(text: str) -> dict[str, Any] | None:
    if not text:
        return None
    value = parse_json(text)
    if not isinstance(value, dict):
        raise MalformedError("variables are a JSON object", pointer="/variables")
    return value
