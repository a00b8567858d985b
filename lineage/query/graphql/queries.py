"""The roots: what can be asked. Every one takes both times and says how complete its answer is."""

from __future__ import annotations

from typing import Annotated, cast

import strawberry

from lineage.errors import RefusedError
from lineage.model.canonical import FOREVER, micros
from lineage.model.ids import ARTIFACT, JOB, class_of, token_of
from lineage.ownership.kinds import NEED_OWNER
from lineage.ownership.precedence import Status
from lineage.query.answer import ask, must_exist
from lineage.query.graphql.answers import Lineage, answer_page, of_kinds
from lineage.query.graphql.artifacts import Artifact
from lineage.query.graphql.context import Asking, Paging
from lineage.query.graphql.describing import (
    After,
    AsOf,
    First,
    KnownAtArgument,
    Name,
    about,
    described,
    field,
)
from lineage.query.graphql.ledger import Ledger
from lineage.query.graphql.nodes import Node, as_node, page_completeness
from lineage.query.graphql.owners import Ownership, ownership_page
from lineage.query.graphql.pages import Connection, connect
from lineage.query.graphql.runs import Run, chosen_runs, runs_of_job
from lineage.query.graphql.scalars import Time
from lineage.query.names import resolve_names
from lineage.store.contract import Direction, History, Hit, Store, View

__all__ = ["Query"]

MOST_IDS = 1_000

OnlyKinds = Annotated[
    list[str] | None,
    about("Show only nodes of these kinds; everything is walked, and counts in completeness."),
]
MadeSince = Annotated[
    Time | None,
    about("Of an artifact: start from its versions made (committed) at this time or later."),
]
MadeUntil = Annotated[Time | None, about("Start from its versions made before this time.")]
Since = Annotated[
    Time | None, about("Runs that started then or later (first heard of, if unsaid).")
]
Until = Annotated[Time | None, about("Runs that started before this time.")]
State = Annotated[str | None, about("Runs that show this state, like FAIL.")]

CLASSES = ("artifact", "job", "run", "team", "person", "service", "scope")


@described
class Query:
    """Questions. Names are accepted wherever an id is; answers show canonical ids."""

    @field
    def node(
        self,
        info: Asking,
        id: Name,  # noqa: A002
        as_of: AsOf = None,
        known_at: KnownAtArgument = None,
    ) -> Node:
        """One thing by its id or name; an error where nothing is known by it."""
        view = info.context.view(as_of, known_at)
        node = info.context.resolve(id, view)
        return as_node(info.context.batch(view, [node]), node)

    @field
    def nodes(
        self,
        info: Asking,
        ids: list[strawberry.ID],
        as_of: AsOf = None,
        known_at: KnownAtArgument = None,
    ) -> list[Node | None]:
        """Several things in the order asked for: null, with an error, for those unknown."""
        if len(ids) > MOST_IDS:
            raise RefusedError(
                f"{len(ids):,} ids at once", code="bad-page-size", pointer="/ids",
                hint=f"ask for at most {MOST_IDS:,} at a time",
            )  # fmt: skip
        view = info.context.view(as_of, known_at)
        found = resolve_names(info.context.store, [str(name) for name in ids], view)
        batch = info.context.batch(view, [node for node in found if isinstance(node, str)])
        # The executor reports an exception in a list as an error of that item.
        shown = [as_node(batch, node) if isinstance(node, str) else node for node in found]
        return cast("list[Node | None]", shown)

    @field
    def search(
        self,
        info: Asking,
        *,
        text: str,
        classes: list[str] | None = None,
        first: First = 20,
        after: After = None,
        as_of: AsOf = None,
        known_at: KnownAtArgument = None,
    ) -> Connection[Node]:
        """By name: exact names first, then those that begin so, then any word that does."""
        wanted = _classes(classes)
        context = info.context
        paging = Paging.of(
            _question("search", as_of, known_at, text=text, classes=wanted),
            lambda: context.view(as_of, known_at),
            first=first, after=after, shape=(int, str),
        ).within(context.head)  # fmt: skip
        last = Hit(str(paging.after[1]), int(paging.after[0])) if paging.after else None
        hits = context.store.search(text, paging.view, classes=wanted, after=last, limit=first + 1)
        batch = context.batch(paging.view, [hit.id for hit in hits[:first]])
        return connect(
            paging,
            hits,
            lambda hit: (hit.rank, hit.id),
            lambda hit: as_node(batch, hit.id),
            lambda more: page_completeness(batch, batch.ids, more=more),
        )

    @field
    def artifacts(
        self,
        info: Asking,
        kinds: list[str] | None = None,
        first: First = 50,
        after: After = None,
        as_of: AsOf = None,
        known_at: KnownAtArgument = None,
    ) -> Connection[Artifact]:
        """Artifacts in order of their ids, of some kinds or of all."""
        context = info.context
        paging = Paging.of(
            _question("artifacts", as_of, known_at, kinds=kinds),
            lambda: context.view(as_of, known_at), first=first, after=after,
        ).within(context.head)  # fmt: skip
        ids = context.store.page(
            paging.view, classes=[ARTIFACT], kinds=kinds or (),
            after=str(paging.after[0]) if paging.after else "", limit=first + 1,
        )  # fmt: skip
        batch = context.batch(paging.view, ids[:first])
        return connect(
            paging,
            ids,
            lambda node: (node,),
            lambda node: cast("Artifact", as_node(batch, node)),
            lambda more: page_completeness(batch, batch.ids, more=more),
        )

    @field
    def runs(  # noqa: PLR0913 - the arguments of the field
        self,
        info: Asking,
        *,
        job: Name | None = None,
        since: Since = None,
        until: Until = None,
        state: State = None,
        first: First = 50,
        after: After = None,
        as_of: AsOf = None,
        known_at: KnownAtArgument = None,
    ) -> Connection[Run]:
        """Runs by id. Filtered, a page may be short, or empty, while more follow (hasNextPage)."""
        context = info.context
        paging = Paging.of(
            _question("runs", as_of, known_at, job=job, since=since, until=until, state=state),
            lambda: context.view(as_of, known_at), first=first, after=after,
        ).within(context.head)  # fmt: skip
        named = context.resolve(job, paging.view) if job else ""
        if named and class_of(named) != JOB:
            raise RefusedError(
                f"{named} is no job", code="bad-argument", pointer="/job",
                hint="name it like job:<namespace>,<name>",
            )  # fmt: skip
        none = context.batch(paging.view, [])
        if since is None and until is None and state is None:
            return runs_of_job(none, named, paging)
        return chosen_runs(none, named, paging, _span(since, until, ""), state)

    @field
    def lineage(  # noqa: PLR0913 - the arguments of the field
        self,
        info: Asking,
        *,
        id: Name,  # noqa: A002
        direction: Direction = Direction.UPSTREAM,
        depth: int | None = None,
        history: History = History.CONTRIBUTING,
        kinds: OnlyKinds = None,
        made_since: MadeSince = None,
        made_until: MadeUntil = None,
        first: First = 200,
        after: After = None,
        as_of: AsOf = None,
        known_at: KnownAtArgument = None,
    ) -> Lineage:
        """Everything something came from (or that came of it), as flat nodes and edges."""
        if depth is not None and depth < 0:
            raise RefusedError(
                f"a depth of {depth}", code="bad-argument", pointer="/depth",
                hint="0 is the thing itself, 1 what is next to it; leave it out for all",
            )  # fmt: skip
        context = info.context
        made = _span(made_since, made_until, "made")
        asked = {
            "id": id, "direction": direction.value, "depth": depth, "history": history.value,
            "kinds": kinds, "madeSince": made_since, "madeUntil": made_until,
        }  # fmt: skip
        paging = Paging.of(
            _question("lineage", as_of, known_at, **asked),
            lambda: context.view(as_of, known_at),
            first=first, after=after, shape=(int, str),
        ).within(context.head)  # fmt: skip
        start = context.resolve(id, paging.view)
        starts = [start]
        if made_since or made_until:
            starts = _made_within(context.store, start, paging.view, made)
        found = ask(context.store, starts, direction, paging.view, depth=depth, history=history)
        none = context.batch(paging.view, [])
        if kinds is not None:
            found = of_kinds(found, kinds, none)
        return answer_page(start, found, none, paging)

    @field
    def owners(
        self,
        info: Asking,
        id: Name,  # noqa: A002
        as_of: AsOf = None,
        known_at: KnownAtArgument = None,
    ) -> Ownership:
        """Who answers for something: by default as of now."""
        view = info.context.view(as_of, known_at)
        node = info.context.resolve(id, view)
        if class_of(node) not in ("artifact", "run", "job"):
            raise RefusedError(
                f"{node} is not owned", code="bad-argument", pointer="/id",
                hint="artifacts, their versions, jobs and runs have owners",
            )  # fmt: skip
        return Ownership.of(info.context.batch(view, [node]), node)

    @field
    def ownership(
        self,
        info: Asking,
        *,
        statuses: list[Status] | None = None,
        kinds: list[str] | None = None,
        first: First = 50,
        after: After = None,
        as_of: AsOf = None,
        known_at: KnownAtArgument = None,
    ) -> Connection[Ownership]:
        """Artifacts that exist and who answers for them; by default of kinds that need an owner."""
        context = info.context
        wanted = sorted({status.name for status in statuses or ()})
        paging = Paging.of(
            _question("ownership", as_of, known_at, statuses=wanted, kinds=kinds),
            lambda: context.view(as_of, known_at), first=first, after=after,
        ).within(context.head)  # fmt: skip
        return ownership_page(
            context, paging, statuses or (), NEED_OWNER if kinds is None else kinds
        )

    @field
    def ledger(self, info: Asking) -> Ledger:
        """The record itself, with the means to check it."""
        return Ledger(store=info.context.store)


def _question(
    name: str, as_of: str | None, known_at: str | None, **asked: object
) -> tuple[str, dict[str, object]]:
    return name, {**asked, "asOf": as_of, "knownAt": known_at}


def _classes(classes: list[str] | None) -> list[str]:
    unknown = sorted(set(classes or ()) - set(CLASSES))
    if unknown:
        raise RefusedError(
            f"no such class: {unknown[0]!r:.100}", code="bad-argument", pointer="/classes",
            hint=f"one of {', '.join(CLASSES)}",
        )  # fmt: skip
    return sorted(set(classes or ()))


def _span(since: str | None, until: str | None, name: str) -> tuple[int, int]:
    """A stretch of time in microseconds, its end not included."""
    begin, end = (f"/{name}Since", f"/{name}Until") if name else ("/since", "/until")
    return micros(since, begin) if since else -FOREVER, micros(until, end) if until else FOREVER


def _made_within(store: Store, artifact: str, view: View, span: tuple[int, int]) -> list[str]:
    """The versions of an artifact, under its own name, that were made within a stretch of time."""
    if class_of(artifact) != ARTIFACT or token_of(artifact):
        raise RefusedError(
            f"{artifact} has no versions", code="bad-argument", pointer="/id",
            hint="madeSince and madeUntil choose among the versions of an artifact",
        )  # fmt: skip
    must_exist(store, artifact, view)
    made = store.versions(artifact, view)
    return [node for node, at in made if at is not None and span[0] <= at < span[1]]
