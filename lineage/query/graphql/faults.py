"""Errors of a query as the one who asked sees them.

Ours (``LineageError``) carry their code, hint and pointer. What GraphQL itself refuses (syntax,
validation, variables) is told as it is: the asker can mend it. Anything else is a fault of this
service: it is logged with an incident id, and the id is all that is told.
"""

from __future__ import annotations

import logging
import secrets
from typing import Any

from graphql import GraphQLError

from lineage.errors import LineageError

__all__ = ["present"]

log = logging.getLogger("lineage.query")


def present(error: GraphQLError) -> dict[str, Any]:
    """A GraphQL error as plain data."""
    cause = _cause(error)
    shown: dict[str, Any] = {"message": error.message}
    if error.locations:
        shown["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path:
        shown["path"] = error.path
    if isinstance(cause, LineageError):
        facts = cause.as_dict()
        shown["message"] = facts.pop("message")
        shown["extensions"] = facts
    elif cause is None:
        shown["extensions"] = {"code": "bad-query", "docs": "docs/errors/bad-query.md"}
    else:
        incident = secrets.token_hex(8)
        log.error("incident %s", incident, exc_info=cause, extra={"incident": incident})
        shown["message"] = f"something went wrong here; the log has it as incident {incident}"
        shown["extensions"] = {
            "code": "internal", "incident": incident, "docs": "docs/errors/internal.md"
        }  # fmt: skip
    return shown


def _cause(error: GraphQLError) -> BaseException | None:
    """What was raised, below any wrapping."""
    cause: BaseException | None = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause
