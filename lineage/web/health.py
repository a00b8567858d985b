"""`/healthz` (it runs), `/readyz` (it can record), `/metrics`."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from lineage.errors import LineageError
from lineage.web.replies import reply
from lineage.web.service import service_of

__all__ = ["router"]

router = APIRouter()


@router.get("/healthz")
async def healthz() -> Response:
    """Whether the process answers at all."""
    return reply({"status": "ok"})


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Whether the store answers, and where the record ends.

    With an embedded store accepting and recording are one step.
    """
    service = service_of(request)
    try:
        head = await service.reading(service.store.head)
    except LineageError as fault:
        refusal = {"status": "not ready", "accepting": False, "recording": False}
        return reply({**refusal, "error": fault.as_dict()}, 503)
    ready = {"status": "ready", "accepting": True, "recording": True}
    return reply({**ready, "position": head.seq, "waiting": service.committer.depth})


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Counters and gauges in the format of Prometheus."""
    service = service_of(request)
    text = await service.reading(service.metrics.exposed)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
