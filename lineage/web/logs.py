"""Logs: one JSON object a line on stderr, without bodies, queries or secrets."""

from __future__ import annotations

import json
import logging
import time
from typing import Any, TextIO

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from lineage.model.canonical import iso
from lineage.web.metrics import Metrics

__all__ = ["JsonLines", "RequestLog", "log_to"]

_FIELDS = ("method", "path", "status", "ms", "incident")

requests = logging.getLogger("lineage.requests")


class JsonLines(logging.Formatter):
    """A record as one JSON object."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": iso(int(record.created * 1_000_000)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_to(stream: TextIO, level: str) -> None:
    """Send what this package and its server log to ``stream``.

    That the server starts and stops is for ``debug``: what people want to know is announced.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    for name in ("lineage", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel("WARNING" if (name, level) == ("uvicorn", "info") else level.upper())
        logger.propagate = False


class RequestLog:
    """Measures and logs every request: its path, never its query string or body."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            self._note(scope, status, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        # By the route that matched: paths that match none are anybody's to invent.
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if route != "none" else "any"
        self._metrics.requests.labels(route, method, str(status)).observe(seconds)
        requests.info(
            "request",
            extra={
                "method": scope["method"],
                "path": scope["path"][:200],
                "status": status,
                "ms": round(seconds * 1000, 2),
            },
        )
