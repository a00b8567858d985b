"""The witness over HTTP (C2SP tlog-witness): one request, ``POST /add-checkpoint``.

Nobody has to prove who they are: the signature of the log on the checkpoint is what counts.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from lineage.errors import LineageError
from lineage.web.body import read_body
from lineage.witness.requests import MOST_BYTES, answer
from lineage.witness.witness import Witness

__all__ = ["create_app"]


def create_app(witness: Witness) -> Starlette:
    """The application of one witness."""

    async def add_checkpoint(request: Request) -> Response:
        try:
            body = await read_body(request, MOST_BYTES)
        except LineageError as fault:
            return PlainTextResponse(f"{fault.message}\n", fault.http_status)
        said = await run_in_threadpool(answer, witness, body)
        return Response(said.body, said.status, {"content-type": said.type})

    return Starlette(routes=[Route("/add-checkpoint", add_checkpoint, methods=["POST"])])
