"""GraphQL over HTTP: POST, GET for queries, one operation a request.

Answers are ``application/graphql-response+json``, with 4xx where there is no answer at all; who
accepts only ``application/json`` gets 200 for every well-formed request, as its specification says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from lineage.errors import OutcomeUnknownError, RefusedError, StoreUnavailableError
from lineage.model.canonical import parse_json
from lineage.query.graphql.schema import Answered, execute, printed
from lineage.web.body import read_json_body
from lineage.web.replies import reply
from lineage.web.security import actor_of
from lineage.web.service import service_of

__all__ = ["router"]

router = APIRouter()

_MODERN = "application/graphql-response+json"
_MOST_PURPOSE = 1_000
_MAX_QUERY = 1 << 20
"""Largest GraphQL request, bytes."""


@dataclass(frozen=True, slots=True)
class _Asked:
    query: str
    variables: dict[str, Any] | None
    operation: str | None


@router.api_route("/graphql", methods=["GET", "POST"])
async def ask(request: Request) -> Response:
    """A query, or with POST a mutation."""
    if request.method == "GET":
        said = dict(request.query_params)
        return await _answer(request, lambda: _asked(_with_variables(said)), mutations=False)
    limit = min(_MAX_QUERY, service_of(request).settings.max_body)
    body = await read_json_body(request, limit)
    return await _answer(request, lambda: _asked(parse_json(body)), mutations=True)


@router.get("/graphql/schema.graphql")
async def schema() -> Response:
    """The schema in the schema language."""
    return Response(printed(), media_type="text/plain; charset=utf-8")


def _with_variables(said: dict[str, str]) -> dict[str, Any]:
    variables = said.get("variables")
    return {**said, "variables": parse_json(variables) if variables else None}


def _asked(said: Any) -> _Asked:
    if isinstance(said, list):
        raise _bad("a batch of queries: send one at a time", "")
    if not isinstance(said, dict):
        raise _bad("a request is a JSON object", "")
    query, variables = said.get("query"), said.get("variables") or None
    operation = said.get("operationName") or None
    if not isinstance(query, str):
        raise _bad("no query", "/query")
    if variables is not None and not isinstance(variables, dict):
        raise _bad("variables are a JSON object", "/variables")
    if operation is not None and not isinstance(operation, str):
        raise _bad("an operation's name is a string", "/operationName")
    return _Asked(query, variables, operation)


async def _answer(
    request: Request, understand: Callable[[], _Asked], *, mutations: bool
) -> Response:
    service = service_of(request)
    purpose = request.headers.get("x-lineage-purpose", "")[:_MOST_PURPOSE]
    context = service.context(actor_of(request), purpose)
    accepted = request.headers.get("accept", "*/*")
    modern = _MODERN in accepted or "*/*" in accepted or "application/*" in accepted

    def answer() -> Response:
        asked = understand()
        found = execute(context, asked.query, asked.variables, asked.operation, mutations=mutations)
        if _is_away(found):
            away = reply(found.body, 503, media_type=_MODERN if modern else "application/json")
            away.headers["Retry-After"] = "1"
            return away
        if modern:
            return reply(found.body, found.status, media_type=_MODERN)
        return reply(found.body, 200 if found.status == 400 else found.status)

    return await service.asking(answer)


def _is_away(found: Answered) -> bool:
    """Whether the store went away while it was asked: there is no answer, or half of one."""
    codes = {error.get("extensions", {}).get("code") for error in found.body.get("errors", ())}
    return not codes.isdisjoint({StoreUnavailableError.code, OutcomeUnknownError.code})


def _bad(message: str, pointer: str) -> RefusedError:
    return RefusedError(
        message, code="bad-query", pointer=pointer,
        hint='send {"query": "{ ledger { head { seq } } }"} as application/json; '
        "GET /graphql/schema.graphql says what can be asked",
    )  # fmt: skip
