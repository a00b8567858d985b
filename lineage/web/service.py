"""What the handlers share: the workspace, one writer for all, and threads for what blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request

from lineage.model.envelope import Actor
from lineage.query.graphql.context import Context
from lineage.record.group import GroupCommitter
from lineage.record.intake import Intake
from lineage.web.metrics import Metrics
from lineage.wiring import Workspace

__all__ = ["Service", "service_of"]

T = TypeVar("T")

_READERS = 8
"""Reads at a time: as many as the store keeps connections for."""
_WRITERS = 256
"""Writers at a time: they wait together for one transaction, so many make it large."""


class Service:
    """The running service. Nothing in it blocks the event loop.

    Reads and writes wait for threads of their own: no number of slow questions keeps an event from
    being recorded.
    """

    def __init__(self, workspace: Workspace) -> None:
        settings = workspace.settings
        self.workspace = workspace
        self.settings = settings
        self.store = workspace.store
        self.committer = GroupCommitter(workspace.recorder)
        self.intake = Intake(
            self.committer.record, workspace.dead_letters, max_event=settings.max_event
        )
        self.metrics = Metrics(self)
        self._readers = anyio.CapacityLimiter(_READERS)
        self._writers = anyio.CapacityLimiter(_WRITERS)

    async def reading(self, question: Callable[[], T]) -> T:
        """Run what reads in a thread."""
        return await anyio.to_thread.run_sync(question, limiter=self._readers)

    async def writing(self, work: Callable[[], T]) -> T:
        """Run what waits for a commit in a thread. It is not abandoned when the client goes."""
        return await anyio.to_thread.run_sync(work, limiter=self._writers)

    def context(self, actor: Actor) -> Context:
        """What a GraphQL question has at hand."""
        return Context(self.store, actor, self.committer.record)

    def close(self) -> None:
        """Record what was accepted, then stop writing."""
        self.committer.close()


def service_of(request: Request) -> Service:
    """The service that a request came to."""
    service: Service = request.app.state.service
    return service
