"""Replies: JSON, and errors as JSON with code, hint, pointer and the page that says more."""

from __future__ import annotations

import json
import logging
import secrets
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lineage.errors import LineageError, RefusedError, UnknownNameError
from lineage.web.service import service_of

__all__ = ["HANDLERS", "Unexpected", "error_reply", "reply"]

log = logging.getLogger("lineage.web")

_STATUS = {
    "wrong-content-type": 415,
    "wrong-method": 405,
    "wrong-host": 421,
    "not-authorized": 401,
}
"""HTTP statuses of codes that have no class of their own."""
_RETRY_AFTER = {"spool-full": "5"}
"""Seconds after which to try again, where that is not one: room comes with the database."""


def reply(value: Any, status: int = 200, *, media_type: str = "application/json") -> Response:
    """A reply in JSON. ASCII: names of producers may hold what UTF-8 cannot say."""
    body = json.dumps(value, separators=(",", ":"), default=str)
    return Response(body.encode("ascii"), status, media_type=media_type)


def error_reply(fault: LineageError) -> Response:
    """One of our errors as a reply."""
    made = reply(fault.as_dict(), _STATUS.get(fault.code, fault.http_status))
    if fault.retryable:
        made.headers["Retry-After"] = _RETRY_AFTER.get(fault.code, "1")
    if fault.code == "not-authorized":
        made.headers["WWW-Authenticate"] = "Bearer"
    return made


async def _ours(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, LineageError)  # noqa: S101 - registered for this class
    service_of(request).metrics.refused.labels(fault.code).inc()
    return error_reply(fault)


async def _http(request: Request, fault: Exception) -> Response:
    status = fault.status_code if isinstance(fault, HTTPException) else 500
    if status == 404:
        return error_reply(
            UnknownNameError("there is nothing at this address", hint="GET / lists what there is")
        )
    allowed = getattr(fault, "headers", None) or {}
    made = error_reply(
        RefusedError(
            f"{request.method} is not understood here", code="wrong-method",
            hint=f"use {allowed.get('Allow', 'another method')}",
        )
    )  # fmt: skip
    made.headers.update(allowed)
    return made


async def _gone(_request: Request, _fault: Exception) -> Response:
    return Response(status_code=499)  # nobody reads it; the log shows it


HANDLERS: Any = {LineageError: _ours, HTTPException: _http, ClientDisconnect: _gone}
"""For ``FastAPI(exception_handlers=...)``."""


class Unexpected:
    """The last resort: what nobody expected becomes an incident in the log, and a 500."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and answer for it if that fails."""
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as fault:
            incident = secrets.token_hex(8)
            log.exception("unexpected", extra={"incident": incident, "path": scope.get("path")})
            if started or scope["type"] != "http":
                raise
            error = LineageError(
                f"something went wrong here; the log has it as incident {incident}",
                incident=incident,
            )
            error.__cause__ = fault
            await error_reply(error)(scope, receive, send)
