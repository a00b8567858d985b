"""Bodies of requests: read as they come, refused as soon as they are too large."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request

from lineage.errors import MalformedError, RefusedError, TooLargeError

__all__ = ["read_body", "read_json_body"]

_GZIP = 16 + zlib.MAX_WBITS
_DRAINED = 256 << 20
"""Bytes of an oversize body that are read and thrown away. A client that is cut off while it sends
sees a broken connection; one that may finish sees the error."""


async def read_json_body(request: Request, limit: int) -> bytes:
    """The body of a request that says it is JSON. Raises as :func:`read_body`."""
    _check_type(request)
    return await read_body(request, limit)


async def read_body(request: Request, limit: int) -> bytes:
    """The body of a request, decompressed: at most ``limit`` bytes.

    Never holds more than that. Raises ``RefusedError`` (``wrong-content-type``),
    ``TooLargeError``, ``MalformedError`` for what is no gzip stream.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("gzip", "x-gzip"):
        sink: _Plain | _Gunzip = _Gunzip(limit)
    elif encoding in ("identity", ""):
        sink = _Plain(limit)
    else:
        raise RefusedError(
            f"a body in {encoding[:40]!r}", code="wrong-content-type", hint="send it plain or gzip"
        )
    incoming = _Incoming(request)
    try:
        declared = request.headers.get("content-length", "0")
        if declared.isdecimal() and int(declared) > limit:
            raise _too_large(limit)
        async for chunk in incoming:
            sink.feed(chunk)
        return sink.finish()
    except (TooLargeError, MalformedError):
        await incoming.drain()
        raise


def _check_type(request: Request) -> None:
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if said != "application/json" and not (
        said.startswith("application/") and said.endswith("+json")
    ):
        raise RefusedError(
            f"a body of type {said[:80]!r}" if said else "a body without a type",
            code="wrong-content-type",
            hint="send JSON with the header Content-Type: application/json",
        )


class _Incoming:
    """The chunks of a body, which can be read on after a fault was seen."""

    def __init__(self, request: Request) -> None:
        self._receive = request.receive
        self._more = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            self._more = message.get("more_body", False)
            yield message.get("body", b"")

    async def drain(self) -> None:
        """Let the client finish sending, without keeping any of it."""
        left = _DRAINED
        async for chunk in self:
            left -= len(chunk)
            if left < 0:
                return


class _Plain:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._limit:
            raise _too_large(self._limit)
        self._parts.append(chunk)

    def finish(self) -> bytes:
        return b"".join(self._parts)


class _Gunzip:
    """Decompresses as it comes, and stops at the limit: a bomb is never unpacked."""

    def __init__(self, limit: int) -> None:
        self._plain = _Plain(limit)
        self._left = limit
        self._stream = zlib.decompressobj(_GZIP)

    def feed(self, chunk: bytes) -> None:
        while chunk:
            if self._stream.eof:  # another member of the same body
                self._stream = zlib.decompressobj(_GZIP)
            try:
                out = self._stream.decompress(chunk, self._left + 1)
            except zlib.error as fault:
                raise MalformedError(f"not a gzip stream: {fault}") from fault
            self._left -= len(out)
            self._plain.feed(out)
            chunk = self._stream.unconsumed_tail or self._stream.unused_data

    def finish(self) -> bytes:
        if not self._stream.eof:
            raise MalformedError("a gzip stream without its end", hint="it was cut on the way")
        return self._plain.finish()


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(
        f"a body of more than {limit:,} bytes",
        hint="send less at a time, or raise LINEAGE_MAX_BODY where the service runs",
    )
