"""`POST /api/v1/lineage` (OpenLineage) and `POST /api/v1/changes` (our own): taking in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response

from lineage.model.envelope import Actor
from lineage.record.intake import Outcome
from lineage.web.body import read_json_body
from lineage.web.replies import reply
from lineage.web.security import actor_of
from lineage.web.service import service_of

__all__ = ["router"]

router = APIRouter()


@router.post("/api/v1/lineage")
async def take_openlineage(request: Request) -> Response:
    """One OpenLineage event, or an array of them."""
    body, outcomes = await _take(request, service_of(request).intake.take_openlineage)
    if body.lstrip()[:1] == b"[":
        return _several(outcomes)
    (outcome,) = outcomes
    return reply(_shown(outcome), _status(outcome))


@router.post("/api/v1/changes")
async def take_changes(request: Request) -> Response:
    """Our own changes: ``{"changes": [{"source", "event_id", "change"}, ...]}``."""
    _, outcomes = await _take(request, service_of(request).intake.take_changes)
    return _several(outcomes)


async def _take(
    request: Request, take: Callable[[bytes, Actor], list[Outcome]]
) -> tuple[bytes, list[Outcome]]:
    service = service_of(request)
    body = await read_json_body(request, service.settings.max_body)
    actor = actor_of(request)
    outcomes = await service.writing(lambda: take(body, actor))
    service.metrics.took(outcomes)
    return body, outcomes


def _status(outcome: Outcome) -> int:
    if outcome.status != "refused":
        return 201
    return 413 if outcome.code == "too-large" else 422


def _several(outcomes: list[Outcome]) -> Response:
    refused = sum(outcome.status == "refused" for outcome in outcomes)
    status = 201 if not refused else 422 if refused == len(outcomes) else 207
    summary = {"accepted": len(outcomes) - refused, "refused": refused}
    return reply({"summary": summary, "results": [_shown(o) for o in outcomes]}, status)


def _shown(outcome: Outcome) -> dict[str, Any]:
    shown = outcome.as_dict()
    if outcome.status == "refused":
        return {**shown, "docs": f"docs/errors/{outcome.code}.md"}
    return {"status": outcome.status, "seq": outcome.seq, "warnings": list(outcome.warnings)}
