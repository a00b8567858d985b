"""`/healthz` (it runs), `/readyz` (it accepts, it records), `/metrics`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from lineage.errors import LineageError
from lineage.model.canonical import iso
from lineage.record.accepting import Accepting
from lineage.store.contract import Head
from lineage.web.replies import reply
from lineage.web.service import Service, service_of

__all__ = ["router"]

router = APIRouter()


@router.get("/healthz")
async def healthz() -> Response:
    """Whether the process answers at all."""
    return reply({"status": "ok"})


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Whether it accepts (the status), whether it records, and where the record ends.

    With an embedded store accepting and recording are one step.
    """
    service = service_of(request)
    if service.accepting is not None:
        return await _with_backlog(service, service.accepting)
    try:
        head = await service.reading(lambda: _head(service))
    except LineageError as fault:
        refusal = {"status": "not ready", "accepting": False, "recording": False}
        return reply({**refusal, "error": fault.as_dict()}, 503)
    ready = {"status": "ready", "accepting": True, "recording": True}
    facts = {"position": head.seq, "waiting": service.committer.depth, "seal": _seal(service)}
    return reply({**ready, **facts})


def _head(service: Service) -> Head:
    """The head, if it is none that lacks what was sealed: then nothing is recorded."""
    head = service.store.head()
    service.workspace.sealer.guard.require(head)
    return head


def _seal(service: Service) -> dict[str, Any]:
    """How far the record is sealed. That sealing fails is no reason to take nothing in."""
    sealing = service.sealing
    size, at = sealing.sealed or (0, None)
    return {
        "position": size,
        "at": None if at is None else iso(at),
        **({"error": sealing.fault.as_dict()} if sealing.fault else {}),
    }


async def _with_backlog(service: Service, way: Accepting) -> Response:
    """Nothing here asks the store: it may be away, and the answer is wanted now."""
    fault = way.pulse.fault
    waiting = way.backlog.waiting()
    recording = fault is None
    accepting = (recording and not waiting.events) or way.backlog.has_room()
    facts = {
        "status": "ready" if accepting else "not ready",
        "accepting": accepting,
        "recording": recording,
        "position": way.pulse.position,
        "waiting": service.committer.depth,
        "spool": {
            "events": waiting.events, "bytes": waiting.bytes, "age": round(waiting.age, 3),
            "most": service.settings.spool_max,
        },
        "seal": _seal(service),
        **({"error": fault.as_dict()} if fault else {}),
    }  # fmt: skip
    return reply(facts, 200 if accepting else 503)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Counters and gauges in the format of Prometheus."""
    service = service_of(request)
    text = await service.reading(service.metrics.exposed)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
