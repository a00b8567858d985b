"""Who may ask: the host a request was meant for, the token it carries, and the actor it is.

On loopback without a token every request is this machine's user, unverified; a page from elsewhere
that a browser shows must not reach us under a name that resolves here (DNS rebinding), so the Host
header has to be a loopback name. On other addresses a token is required for all but ``/healthz``.
"""

from __future__ import annotations

import hmac
import ipaddress
import re

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lineage.errors import LineageError, RefusedError
from lineage.model.envelope import Actor
from lineage.model.ids import service_id
from lineage.settings import Settings
from lineage.web.replies import error_reply

__all__ = ["Guard", "SecurityHeaders", "actor_of", "is_loopback"]

_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(:\d{1,5})?\Z")
_OPEN = frozenset({"/healthz"})

_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Whether an address or a name is this machine's own."""
    name = host.strip().strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def actor_of(request: Request) -> Actor:
    """Who a request is from, as far as that was verified."""
    actor: Actor = request.scope["lineage.actor"]
    return actor


def _host_name(header: str) -> str:
    """The host of a Host header without its port, or the empty string for what is no host."""
    found = _HOST.match(header)
    return found["host"] if found else ""


class Guard:
    """Checks host and token before anything else looks at a request."""

    def __init__(self, app: ASGIApp, settings: Settings, local: Actor) -> None:
        self._app = app
        self._token = settings.token.encode()
        self._only_loopback = is_loopback(settings.host)
        self._local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its actor, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            scope["lineage.actor"] = self._actor(Request(scope))
        except LineageError as fault:
            await error_reply(fault)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _actor(self, request: Request) -> Actor:
        host = request.headers.get("host", "")
        if self._only_loopback and not is_loopback(_host_name(host)):
            raise RefusedError(
                f"a request for the host {host[:100]!r}",
                code="wrong-host",
                hint="use http://127.0.0.1 or http://localhost with the port of this service",
            )
        if not self._token and self._only_loopback:
            return self._local
        if request.url.path in _OPEN:
            return self._local
        scheme, _, said = request.headers.get("authorization", "").partition(" ")
        given = said.strip().encode("utf-8", "surrogateescape")
        # Compared even without one configured: an empty token opens nothing.
        good = hmac.compare_digest(given, self._token)
        if scheme.lower() != "bearer" or not self._token or not good:
            raise RefusedError(
                "no token, or not the right one",
                code="not-authorized",
                hint="send the header Authorization: Bearer <the service's LINEAGE_TOKEN>",
            )
        return Actor(service_id("lineage", "bearer-token"), "token")


class SecurityHeaders:
    """Adds headers that keep browsers from doing more with an answer than showing it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._added = [(k.encode(), v.encode()) for k, v in _HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back with the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._added]
            await send(message)

        await self._app(scope, receive, sending)
