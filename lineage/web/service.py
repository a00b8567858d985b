"""What the handlers share: the workspace, one writer for all, and threads for what blocks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request

from lineage.errors import StoreUnavailableError
from lineage.model.envelope import Actor
from lineage.query.graphql.context import Context
from lineage.record.group import GroupCommitter
from lineage.record.intake import Intake
from lineage.record.recorder import Incoming
from lineage.record.seal.schedule import Sealing
from lineage.store.contract import Receipt
from lineage.web.metrics import Metrics
from lineage.wiring import Workspace, open_accepting, open_audit_sealing, open_sealing

__all__ = ["Service", "service_of"]

T = TypeVar("T")

_READERS = 8
"""Reads at a time: as many as the store keeps connections for."""
_WRITERS = 256
"""Writers at a time: they wait together for one transaction, so many make it large."""
_LOOK_EVERY = 0.5
_CLOSING = 15.0
"""Seconds that a commit may take when the service stops: its database may hang."""


class Service:
    """The running service. Nothing in it blocks the event loop.

    Reads and writes wait for threads of their own: no number of slow questions keeps an event from
    being recorded.
    """

    def __init__(self, workspace: Workspace, shared: Path | None = None) -> None:
        """``shared`` is where the processes of one service keep their metrics together."""
        self.workspace = workspace
        self.settings = workspace.settings
        self.store = workspace.store
        self.committer = GroupCommitter(workspace.store.append)
        self.metrics = Metrics(self, shared)
        self.accepting = open_accepting(workspace, self.committer, self.metrics.spooled)
        self.intake = Intake(
            self.accepting.accept if self.accepting else self._record,
            workspace.dead_letters,
            max_event=self.settings.max_event,
        )
        self.sealing: Sealing = open_sealing(workspace, self.accepting)
        self._audit_sealing = open_audit_sealing(workspace)
        self._readers = anyio.CapacityLimiter(_READERS)
        self._writers = anyio.CapacityLimiter(_WRITERS)

    async def reading(self, question: Callable[[], T]) -> T:
        """Run what reads in a thread. It is left alone if nobody waits for it any more."""
        return await anyio.to_thread.run_sync(
            question, limiter=self._readers, abandon_on_cancel=True
        )

    async def asking(self, question: Callable[[], T]) -> T:
        """Run what asks the store in a thread, which is left alone if the store stops answering.

        A database that says nothing holds its connections for minutes; nobody waits for that here.
        Raises ``StoreUnavailableError`` then.
        """
        self.require()
        if self.accepting is None:
            return await self.reading(question)
        asked, answers = asyncio.create_task(self.reading(question)), True
        while not (await asyncio.wait({asked}, timeout=_LOOK_EVERY))[0]:
            before, answers = answers, self.accepting.pulse.answers
            if not before and not answers:  # twice: what notices it by itself says it better
                asked.cancel()
                raise StoreUnavailableError(
                    "the store stopped answering while it was asked",
                    hint="ask again in a moment; of a mutation it is not known whether it was done",
                )
        return await asked

    async def writing(self, work: Callable[[], T]) -> T:
        """Run what waits for a commit in a thread. It is not abandoned when the client goes."""
        return await anyio.to_thread.run_sync(work, limiter=self._writers)

    def context(self, actor: Actor, purpose: str = "") -> Context:
        """What a GraphQL question has at hand; ``purpose`` is why it is asked."""

        def audit(seqs: set[int], position: int) -> None:
            log = self.workspace.audit
            log.note("graphql", seqs, actor, position=position, purpose=purpose)

        return Context(self.store, actor, self._record, audit=audit)

    def require(self) -> None:
        """Raise ``StoreUnavailableError`` where the store is known not to answer."""
        if self.accepting is not None:
            self.accepting.require()

    def position(self) -> int | None:
        """Where the record ends; where the store is away, where it ended when it last answered."""
        return self.accepting.pulse.position if self.accepting else self.store.head().seq

    def close(self) -> None:
        """Record what was accepted, then stop writing."""
        self.sealing.close(_CLOSING)
        if self._audit_sealing is not None:
            self._audit_sealing.close(_CLOSING)
        if self.accepting is not None:
            self.accepting.close()
        self.committer.close(_CLOSING)

    def _record(self, incoming: Sequence[Incoming], actor: Actor) -> list[Receipt]:
        if self.accepting is not None:
            return self.accepting.record(incoming, actor)
        return self.committer.commit(self.workspace.recorder.entries(incoming, actor))


def service_of(request: Request) -> Service:
    """The service that a request came to."""
    service: Service = request.app.state.service
    return service
