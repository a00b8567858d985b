"""Runs and jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import strawberry

from lineage.model.canonical import FOREVER
from lineage.model.claims import EdgeType, StateType
from lineage.model.ids import JOB, RUN, job_of_run, parse_id
from lineage.query.batch import Batch
from lineage.query.facts import value_of
from lineage.query.graphql.artifacts import TheOwnership
from lineage.query.graphql.context import Paging
from lineage.query.graphql.describing import After, First, described, field
from lineage.query.graphql.links import LinkConnection, link_page
from lineage.query.graphql.nodes import Node, as_node, node_class, page_completeness
from lineage.query.graphql.pages import Connection, Edge, connect, page_info
from lineage.query.graphql.scalars import JSON, Time, shown_time
from lineage.store.contract import Direction, Store

__all__ = ["Job", "Run", "chosen_runs", "runs_of_job"]

_SCANNED = 10_000
"""Runs that are looked at for one page of a filtered list."""
_CHUNK = 500

if TYPE_CHECKING:
    from lineage.query.graphql.agents import Person

ThePerson = Annotated["Person", strawberry.lazy("lineage.query.graphql.agents")]

_UP, _DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM


@node_class(RUN)
@described
class Run(Node):
    """One execution of a job: what it was asked to do, what it used, what it made."""

    @field
    def job(self) -> Job:
        """The job it is a run of."""
        name = job_of_run(self.id)
        jobs = self.batch.other("jobs", map(job_of_run, _runs(self.batch)))
        return Job(id=strawberry.ID(name), display_name=jobs.name(name), kind=JOB, batch=jobs)

    @field
    def run_id(self) -> str:
        """Its id within the job, as the producer gave it."""
        return parse_id(self.id).texts[2]

    @field
    def state(self) -> str | None:
        """RUNNING, COMPLETE, FAIL, ABORT, ABANDONED, or CONTESTED where producers differ."""
        states = self.batch.states.get(self.id, ())
        return next((s.value for s in states if s.type is StateType.RUN_STATE), None)

    @field
    def command(self) -> list[str] | None:
        """The command line, word by word."""
        said = self.said("command")
        return [str(word) for word in said] if isinstance(said, list) else None

    @field
    def parameters(self) -> JSON | None:
        """What it was given: options of the command line."""
        return self._json("parameters")

    @field
    def variables(self) -> JSON | None:
        """Environment variables that may be recorded."""
        return self._json("variables")

    @field
    def code(self) -> JSON | None:
        """The code it ran: repository, commit, and the digests of what was not committed."""
        return self._json("code")

    @field
    def environment(self) -> JSON | None:
        """What it ran in: interpreter, platform, and the digest of what was installed."""
        return self._json("environment")

    @field
    def hardware(self) -> JSON | None:
        """The machine it ran on."""
        return self._json("hardware")

    @field
    def exit_code(self) -> int | None:
        """The exit status of the command."""
        said = self.said("exit_code")
        return said if isinstance(said, int) else None

    @field
    def started_at(self) -> Time | None:
        """When it started."""
        return self._time("started_at")

    @field
    def ended_at(self) -> Time | None:
        """When it ended."""
        return self._time("ended_at")

    @field
    def error(self) -> str | None:
        """What went wrong, as its producer says."""
        said = self.said("error")
        return said if isinstance(said, str) else None

    @field
    def user(self) -> ThePerson | None:
        """The person it ran for."""
        edges = self.batch.links(_UP, EdgeType.ATTRIBUTED_TO)
        people = self.batch.other("users", (e.up for each in edges.values() for e in each))
        own = edges.get(self.id)
        return cast("Person", as_node(people, own[0].up)) if own else None

    @field
    def inputs(self, first: First = 50, after: After = None) -> LinkConnection:
        """What it used: versions, or artifacts where the version is not known."""
        return link_page(self, _UP, EdgeType.USED, first=first, after=after)

    @field
    def outputs(self, first: First = 50, after: After = None) -> LinkConnection:
        """The versions it made."""
        return link_page(self, _DOWN, EdgeType.GENERATED, first=first, after=after)

    @field
    def removed(self, first: First = 50, after: After = None) -> LinkConnection:
        """The artifacts it deleted."""
        return link_page(self, _DOWN, EdgeType.INVALIDATED, first=first, after=after)

    @field
    def triggered_by(self, first: First = 10, after: After = None) -> LinkConnection:
        """The runs that started it."""
        return link_page(self, _UP, EdgeType.TRIGGERED_BY, first=first, after=after)

    @field
    def triggered(self, first: First = 50, after: After = None) -> LinkConnection:
        """The runs it started."""
        return link_page(self, _DOWN, EdgeType.TRIGGERED_BY, first=first, after=after)

    def _json(self, name: str) -> JSON | None:
        said = self.said(name)
        return None if said is None else JSON(said)

    def _time(self, name: str) -> Time | None:
        said = self.said(name)
        return shown_time(said) if isinstance(said, int) else None


@node_class(JOB)
@described
class Job(Node):
    """Something that runs again and again under one name."""

    @field
    def namespace(self) -> str:
        """Where the name is."""
        return parse_id(self.id).texts[0]

    @field
    def name(self) -> str:
        """The name within the namespace."""
        return parse_id(self.id).texts[1]

    @field
    def source_code(self) -> JSON | None:
        """Where its code is, as its producer says."""
        said = self.said("source_code")
        return None if said is None else JSON(said)

    @field
    def runs(self, first: First = 50, after: After = None) -> Connection[Run]:
        """Its runs, in order of their ids."""
        paging = Paging.of(
            ("job.runs", {"id": self.id}), lambda: self.batch.view, first=first, after=after
        )
        return runs_of_job(self.batch, self.id, paging)

    @field
    def owners(self) -> TheOwnership:
        """Who answers for it."""
        from lineage.query.graphql.owners import Ownership as Shown

        return Shown.of(self.batch, self.id)


def runs_of_job(any_batch: Batch, job: str, paging: Paging) -> Connection[Run]:
    """A page of runs: of one job, or of all where ``job`` is empty."""
    store = any_batch.store
    prefix = f"{RUN}:{job[len(JOB) + 1 :]}," if job else f"{RUN}:"
    ids = ids_under(store, prefix, paging)
    batch = Batch(store, paging.view, ids[: paging.first], any_batch.clock)
    return connect(
        paging,
        ids,
        lambda node: (node,),
        lambda node: _run(batch, node),
        lambda more: page_completeness(batch, batch.ids, more=more),
    )


def chosen_runs(
    any_batch: Batch, job: str, paging: Paging, span: tuple[int, int], state: str | None
) -> Connection[Run]:
    """A page of the runs that started within ``span`` (its end not included) and show ``state``.

    It looks at so many runs and no more, and its end cursor is the last that was looked at.
    """
    store, view = any_batch.store, paging.view
    prefix = f"{RUN}:{job[len(JOB) + 1 :]}," if job else f"{RUN}:"
    after = str(paging.after[0]) if paging.after else prefix
    found: list[str] = []
    looked, more = 0, True
    while more and len(found) < paging.first and looked < _SCANNED:
        page = store.page(view, after=after, limit=_CHUNK)
        ids = [node for node in page if node.startswith(prefix)]
        more = len(ids) == _CHUNK
        batch = Batch(store, view, ids, any_batch.clock)
        for n, node in enumerate(ids):
            looked, after = looked + 1, node
            if _is_chosen(batch, node, span, state):
                found.append(node)
            if len(found) == paging.first:
                more = more or n + 1 < len(ids)
                break
    shown = Batch(store, view, found, any_batch.clock)
    edges = [Edge(cursor=paging.cursor((node,)), node=_run(shown, node)) for node in found]
    info = page_info(paging, [edge.cursor for edge in edges], more=more)
    if looked:
        info.end_cursor = paging.cursor((after,))
    return Connection(
        edges=edges, page_info=info, completeness=page_completeness(shown, found, more=more)
    )


def _is_chosen(batch: Batch, run: str, span: tuple[int, int], state: str | None) -> bool:
    shown = [s.value for s in batch.states.get(run, ()) if s.type is StateType.RUN_STATE]
    if state is not None and state not in shown:
        return False
    if span == (-FOREVER, FOREVER):
        return True
    started = _started_at(batch, run)
    return started is not None and span[0] <= started < span[1]


def _started_at(batch: Batch, run: str) -> int | None:
    """When a run started, or where nobody said that, the first that was heard of it."""
    said = value_of(batch.attributes(run), "started_at")
    if isinstance(said, int):
        return said
    heard = batch.store.history(run, StateType.RUN_STATE, batch.view.position)
    return min((state.since for state in heard), default=None)


def ids_under(store: Store, prefix: str, paging: Paging) -> list[str]:
    """One more than a page of known ids that begin with ``prefix``."""
    after = str(paging.after[0]) if paging.after else prefix
    ids = store.page(paging.view, after=after, limit=paging.first + 1)
    return [node for node in ids if node.startswith(prefix)]


def _run(batch: Batch, node: str) -> Run:
    found = as_node(batch, node)
    assert isinstance(found, Run)  # noqa: S101 - the prefix says it is a run
    return found


def _runs(batch: Batch) -> list[str]:
    return [node for node in batch.ids if node.startswith(f"{RUN}:")]
