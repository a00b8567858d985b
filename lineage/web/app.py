"""The application: routes, and what stands before them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
from fastapi import FastAPI

from lineage.web import asking, health, home, keeping, taking
from lineage.web.logs import RequestLog
from lineage.web.replies import HANDLERS, Unexpected
from lineage.web.security import Guard, SecurityHeaders
from lineage.web.service import Service
from lineage.wiring import Workspace

__all__ = ["create_app"]

log = logging.getLogger("lineage.web")

_TOLD_EVERY = 1.0


def create_app(workspace: Workspace, shared: Path | None = None) -> FastAPI:
    """The service over a workspace, which stays the caller's to close.

    ``settings.host`` says whether it is on loopback; shutting down records what was accepted.
    ``shared`` is where the processes of one service keep their metrics together.
    """
    service = Service(workspace, shared)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            if shared is not None:
                tasks.start_soon(_tell, service)
            yield
            tasks.cancel_scope.cancel()
        await anyio.to_thread.run_sync(service.close)

    app = FastAPI(
        title="Lineage",
        # The interactive pages load scripts from elsewhere; the schema is GraphQL's.
        openapi_url=None,
        lifespan=life,
        exception_handlers=HANDLERS,
        redirect_slashes=False,
    )
    app.state.service = service
    # The last one added comes first: nothing answers without its headers, or unmeasured.
    app.add_middleware(Unexpected)
    app.add_middleware(Guard, settings=workspace.settings, local=workspace.actor)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestLog, metrics=service.metrics)
    for router in (home.router, taking.router, keeping.router, asking.router, health.router):
        app.include_router(router)
    return app


async def _tell(service: Service) -> None:
    """Keep the gauges of this process fresh for whichever process is asked."""
    while True:
        try:
            await anyio.to_thread.run_sync(service.metrics.refresh)
        except Exception as fault:  # noqa: BLE001 - old numbers are no reason to end
            log.warning("metrics are not up to date: %r", fault)
        await anyio.sleep(_TOLD_EVERY)
