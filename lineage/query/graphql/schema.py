"""The schema as a whole, and the one way to ask it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.exceptions import StrawberryGraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.graphql import OperationType
from typing_extensions import override

from lineage.errors import LineageError
from lineage.query.graphql import agents, artifacts, runs
from lineage.query.graphql.context import Context
from lineage.query.graphql.fast import FastExecutor
from lineage.query.graphql.faults import present
from lineage.query.graphql.limits import EXTENSIONS
from lineage.query.graphql.mutations import Mutation
from lineage.query.graphql.queries import Query
from lineage.query.graphql.scalars import SCALARS

__all__ = ["Answered", "execute", "printed", "schema"]

log = logging.getLogger("lineage.query")


class _Schema(strawberry.Schema):
    @override
    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        """Nothing: errors are presented, and logged where they are ours, by ``execute``."""


@cache
def schema() -> strawberry.Schema:
    """The schema; made on first use, which takes a moment."""
    return _Schema(
        Query,
        Mutation,
        types=[
            artifacts.Artifact,
            artifacts.ArtifactVersion,
            runs.Run,
            runs.Job,
            agents.Team,
            agents.Person,
            agents.Service,
            agents.Scope,
        ],
        extensions=EXTENSIONS,
        execution_context_class=FastExecutor,
        config=StrawberryConfig(scalar_map=SCALARS),
    )


@cache
def printed() -> str:
    """The schema in the schema language, as ``schema/graphql/schema.graphql`` keeps it."""
    return schema().as_str().rstrip() + "\n"


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer ready for JSON. ``status`` is how HTTP tells of it: 200 wherever there is data."""

    body: dict[str, Any]
    status: int

    @property
    def failed(self) -> bool:
        """Whether there is no data at all."""
        return self.body.get("data") is None


def execute(
    context: Context,
    query: str,
    variables: dict[str, Any] | None = None,
    operation: str | None = None,
    *,
    mutations: bool = True,
) -> Answered:
    """Answer a GraphQL document. Never raises for what the document says.

    Synchronous, and not short: call it in a thread of its own. ``mutations`` False refuses them.
    """
    if not query.strip():
        return _refused("no query", 400)
    allowed = {OperationType.QUERY, OperationType.MUTATION} if mutations else {OperationType.QUERY}
    try:
        result = schema().execute_sync(
            query,
            variable_values=variables,
            context_value=context,
            operation_name=operation,
            allowed_operation_types=allowed,
        )
    except InvalidOperationTypeError:
        if not mutations:
            return _refused("a GET request only asks; send mutations with POST", 405)
        return _refused("there are queries and mutations here, no subscriptions", 400)
    except (CannotGetOperationTypeError, StrawberryGraphQLError):
        return _refused("no such operation in the document", 400)
    try:
        context.note()
    except LineageError as fault:
        shown = present(GraphQLError(fault.message, original_error=fault))
        return Answered({"data": None, "errors": [shown]}, 200)
    errors = [present(error) for error in result.errors or ()]
    body: dict[str, Any] = {"data": result.data}
    if errors:
        body["errors"] = errors
    failed = result.data is None and not any("path" in error for error in errors)
    return Answered(body, 400 if failed else 200)


def _refused(message: str, status: int) -> Answered:
    facts = {"code": "bad-query", "docs": "docs/errors/bad-query.md"}
    return Answered({"data": None, "errors": [{"message": message, "extensions": facts}]}, status)
