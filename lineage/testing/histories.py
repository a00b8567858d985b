"""Random histories, small and dense: few names, few instants, so that claims meet.

They hold runs with versioned and open uses (with and without a number said), outputs that name no
version, tables whose commits overwrite, delete, optimise and restore files, aliases that come and
go, ownership, attributes, late and repeated entries, retractions and redactions, also of entries
that arrive later, told by two sources.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from lineage.model.canonical import FOREVER
from lineage.model.claims import (
    Claims,
    EdgeType,
    EntryRef,
    Method,
    Occurrence,
    Redaction,
    StateOp,
    StateType,
    TableCommit,
)
from lineage.model.ids import (
    artifact_id,
    delta_token,
    job_id,
    person_id,
    run_id,
    run_token,
    team_id,
    with_version,
)
from lineage.store.contract import LATEST, NewEntry, View
from lineage.testing.plain import body_of, entry_of

__all__ = ["ARTIFACTS", "RUNS", "TABLES", "histories", "views"]

ARTIFACTS = [artifact_id("n", name) for name in "abcd"]
TABLES = [artifact_id("lake", name) for name in ("t", "features/u")]
RUNS = [run_id("jobs", job, run) for job in "pq" for run in "12"]
FURTHER_RUNS = [run_id("jobs", "r", str(n)) for n in range(8)]
"""Runs that most histories see once: a store may take a short way for what is new."""
JOBS = [job_id("jobs", "p"), job_id("jobs", "q")]
TEAMS = [team_id("x"), team_id("y")]
PEOPLE = [person_id("1")]
SOURCES = ["s1", "s2"]
TOKENS = ["1.aa", "2.bb", "2.cc", "sha256.ff"]

_times = st.integers(1, 9)
_methods = st.sampled_from(list(Method))
_said = st.sampled_from(["", "", "1", "2", "7"])
_details = st.sampled_from(["", "", '{"role":"training"}', '{"columns":[1,2]}'])


def _some(strategy: st.SearchStrategy[Occurrence]) -> st.SearchStrategy[list[Occurrence]]:
    return st.lists(strategy, max_size=3)


@st.composite
def _uses(draw: st.DrawFn, run: str, at: int) -> Occurrence:
    thing = draw(st.sampled_from([*ARTIFACTS, *TABLES]))
    said = ""
    if draw(st.booleans()):
        said = draw(_said)
    elif thing in TABLES:
        thing = with_version(thing, delta_token(draw(st.integers(0, 5)), "L"))
    else:
        thing = with_version(thing, draw(st.sampled_from(TOKENS)))
    return Occurrence(EdgeType.USED, thing, run, at, draw(_methods), said, draw(_details))


@st.composite
def _outputs(draw: st.DrawFn, run: str, at: int) -> Occurrence:
    thing = draw(st.sampled_from(ARTIFACTS))
    said = ""
    if draw(st.booleans()):
        said = draw(_said)
        token = run_token(draw(st.sampled_from([run, run, run, RUNS[0]])))
    else:
        token = draw(st.sampled_from(TOKENS))
    made = with_version(thing, token)
    return Occurrence(EdgeType.GENERATED, run, made, at, draw(_methods), said, draw(_details))


@st.composite
def _run_events(draw: st.DrawFn) -> Claims:
    run, at = draw(st.sampled_from(RUNS + FURTHER_RUNS)), draw(_times)
    kinds = ["START", "RUNNING", "COMPLETE", "COMPLETE", "FAIL", "ABANDONED", "OTHER"]
    event, method = draw(st.sampled_from(kinds)), draw(_methods)
    made_at = at if draw(st.integers(0, 3)) else draw(_times)
    edges = draw(_some(_uses(run, at))) + draw(_some(_outputs(run, made_at)))
    if draw(st.integers(0, 5)) == 0:
        parent = draw(st.sampled_from(RUNS))
        edges.append(Occurrence(EdgeType.TRIGGERED_BY, parent, run, at, method))
    state = StateOp(run, StateType.RUN_STATE, "", event, at, method, at)
    return Claims(tuple(edges), (state,), mentions=(draw(st.sampled_from(JOBS)),))


@st.composite
def _other_edges(draw: st.DrawFn) -> Claims:
    kind = draw(st.sampled_from([
        EdgeType.DERIVED_FROM, EdgeType.INVALIDATED, EdgeType.ATTRIBUTED_TO, EdgeType.REVISION_OF,
    ]))  # fmt: skip
    ends = [with_version(a, t) for a in ARTIFACTS[:2] for t in TOKENS[:2]]
    up, down = draw(st.permutations(ends))[:2]
    if kind is EdgeType.ATTRIBUTED_TO:
        up, down = PEOPLE[0], draw(st.sampled_from(RUNS))
    return Claims((Occurrence(kind, up, down, draw(_times), draw(_methods)),))


# --- tables


@dataclass(frozen=True)
class _Truth:
    """What a table's log really holds: per commit the files added and removed."""

    table: str
    commits: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]


_OPERATIONS = ["append", "append", "overwrite", "delete", "restore", "vector", "again"]


@st.composite
def _truths(draw: st.DrawFn, table: str) -> _Truth:
    live: list[str] = []
    gone: list[str] = []
    commits = []
    for number in range(draw(st.integers(0, 6))):
        new = [f"part-{number}-{n}" for n in range(draw(st.integers(0, 2)))]
        operation = draw(st.sampled_from(_OPERATIONS))
        removed: list[str] = []
        if operation == "overwrite":
            removed = live[:]
        elif operation == "delete" and live:
            removed = [draw(st.sampled_from(live))]
        elif operation == "vector" and live:  # a deletion vector: the path goes and comes back
            removed = [draw(st.sampled_from(live))]
            new += removed
        elif operation == "restore" and gone:
            new.append(draw(st.sampled_from(gone)))
        elif operation == "again" and live:  # told as added, though it is there
            new.append(draw(st.sampled_from(live)))
        live = [path for path in dict.fromkeys(live + new) if path in new or path not in removed]
        gone = sorted({*gone, *removed} - set(live))
        commits.append((tuple(new), tuple(removed)))
    return _Truth(table, tuple(commits))


@st.composite
def _commits(draw: st.DrawFn, truths: Sequence[_Truth]) -> Claims:
    truth = draw(st.sampled_from([truth for truth in truths if truth.commits]))
    number = draw(st.integers(0, len(truth.commits) - 1))
    return _commit(draw, truth, number)


def _commit(draw: st.DrawFn, truth: _Truth, number: int) -> Claims:
    version = with_version(truth.table, delta_token(number, "L"))
    at = number + 2 if draw(st.integers(0, 3)) else draw(_times)
    added, removed = truth.commits[number]
    known = draw(st.integers(0, 7)) > 0
    if draw(st.integers(0, 7)) == 0:
        added = added[:1]
    edges = []
    carries = draw(st.integers(0, 4)) > 0
    if number > 0:
        before = with_version(truth.table, delta_token(number - 1, "L"))
        kind = EdgeType.CARRIES if carries else EdgeType.REVISION_OF
        edges.append(Occurrence(kind, before, version, at, Method.OBSERVED))
    if draw(st.booleans()):
        run = draw(st.sampled_from(RUNS + FURTHER_RUNS))
        edges.append(Occurrence(EdgeType.GENERATED, run, version, at, Method.OBSERVED))
    if draw(st.integers(0, 3)) == 0 and number > 0:
        run = draw(st.sampled_from(RUNS))
        before = with_version(truth.table, delta_token(number - 1, "L"))
        edges.append(Occurrence(EdgeType.USED, before, run, at, Method.OBSERVED))
    files = (added, removed) if known else ((), ())
    commit = TableCommit(truth.table, version, number, "L", at, *files, known, carries)
    exists = StateOp(truth.table, StateType.EXISTS, "", "on", at, Method.OBSERVED, at)
    return Claims(tuple(edges), (exists,), (commit,))


# --- states


_STATES = [
    StateType.ATTRIBUTE, StateType.OWNED_BY, StateType.MEMBER_OF, StateType.TAGGED,
    StateType.EXISTS, StateType.GAP, StateType.DEPLOYED_AS, StateType.RUN_STATE,
]  # fmt: skip


@st.composite
def _states(draw: st.DrawFn, kinds: Sequence[StateType]) -> Claims:
    kind = draw(st.sampled_from(kinds))
    subjects, objects, values = _shape(kind)
    at, method = draw(_times), draw(_methods)
    since = draw(_times) if draw(st.integers(0, 2)) == 0 else at
    until = since + draw(st.integers(0, 5)) if draw(st.integers(0, 2)) == 0 else FOREVER
    op = StateOp(
        draw(st.sampled_from(subjects)), kind, draw(st.sampled_from(objects)),
        draw(st.sampled_from(values)), at, method, since, until,
    )  # fmt: skip
    ops = [op]
    if draw(st.integers(0, 3)) == 0:
        when = draw(st.sampled_from([at, at + 1]))
        value = draw(st.sampled_from(values))
        ops.append(replace(op, value=value, at=when, since=when, until=FOREVER))
    return Claims(states=tuple(ops))


def _shape(kind: StateType) -> tuple[list[str], list[str], list[str]]:
    version = with_version(ARTIFACTS[0], TOKENS[0])
    if kind is StateType.ATTRIBUTE:
        return [*ARTIFACTS[:2], version], ["kind", "doc"], ['"file"', '"model"', '"x"']
    if kind is StateType.OWNED_BY:
        claims = [f"{team}|{source}" for team in TEAMS for source in ("explicit", "\ud800")]
        return ARTIFACTS[:2], claims, ["claimed", "claimed", "accepted", "retracted"]
    if kind is StateType.RUN_STATE:
        return RUNS[:1], [""], ["START", "RUNNING", "COMPLETE", "FAIL", "ABANDONED"]
    if kind is StateType.MEMBER_OF:
        return PEOPLE, TEAMS, ["member", "lead", "off"]
    if kind is StateType.DEPLOYED_AS:
        return [version], [artifact_id("prod", "scorer")], ["production", "off"]
    return ARTIFACTS[:2], ["", "pii"], ["on", "off", "é"]


@st.composite
def _aliases(draw: st.DrawFn) -> Claims:
    names = draw(st.sampled_from([[*ARTIFACTS, TABLES[0]], [*ARTIFACTS, TABLES[0]], RUNS]))
    low, high = sorted(draw(st.permutations(names))[:2])
    at = draw(_times)
    since = draw(_times) if draw(st.integers(0, 2)) == 0 else at
    until = since + draw(st.integers(1, 5)) if draw(st.integers(0, 3)) == 0 else FOREVER
    value, method = draw(st.sampled_from(["on", "on", "on", "off"])), draw(_methods)
    return Claims(states=(StateOp(low, StateType.SAME_AS, high, value, at, method, since, until),))


# --- whole histories


@st.composite
def _reaching_back(draw: st.DrawFn, history: Sequence[NewEntry]) -> Claims:
    target = draw(st.sampled_from(list(history)))
    ref = EntryRef(target.source, target.event_id)
    if draw(st.booleans()):
        return Claims(retracts=(ref,))
    stub = _stub(draw, target.claims)
    return Claims(redacts=(Redaction(ref, body_of(stub)),))


def _stub(draw: st.DrawFn, claims: Claims) -> Claims:
    """The same names with other contents: what a redaction may leave."""
    keep: Callable[[], bool] = lambda: draw(st.integers(0, 3)) > 0  # noqa: E731
    return Claims(
        tuple(claim for claim in claims.occurrences if keep()),
        tuple(
            op if keep() else replace(op, value="off") for op in claims.states if keep()
        ),
        tuple(commit for commit in claims.commits if keep()),
        claims.nodes(), claims.retracts, claims.redacts,
    )  # fmt: skip


def _parts(draw: st.DrawFn, truths: Sequence[_Truth]) -> list[st.SearchStrategy[Claims]]:
    """What a history is made of: a few kinds of claims, so that those of one kind meet."""
    kinds = draw(st.lists(st.sampled_from(_STATES), min_size=1, max_size=3))
    parts = [_run_events(), _states(kinds), _aliases(), _other_edges()]
    if any(truth.commits for truth in truths):
        parts.append(_commits(truths))
    return draw(st.lists(st.sampled_from(parts), min_size=1, max_size=4))


@st.composite
def histories(draw: st.DrawFn, *, max_size: int = 16) -> list[list[NewEntry]]:
    """A history as batches to append, with repeated entries."""
    truths = [draw(_truths(table)) for table in TABLES]
    claims = draw(st.lists(st.one_of(_parts(draw, truths)), min_size=1, max_size=max_size))
    if draw(st.booleans()):
        claims += [
            _commit(draw, truth, number)
            for truth in truths for number in range(len(truth.commits))
        ]  # fmt: skip
    entries = [entry_of(said, source=draw(st.sampled_from(SOURCES))) for said in claims]
    for _ in range(draw(st.integers(0, 3))):
        entries.append(entry_of(draw(_reaching_back(entries)), source="ops"))
    entries += draw(st.lists(st.sampled_from(entries), max_size=3))
    if draw(st.booleans()):
        entries = draw(st.permutations(entries))
    return _batches(draw, entries)


def _batches(draw: st.DrawFn, entries: Sequence[NewEntry]) -> list[list[NewEntry]]:
    batches, rest = [], list(entries)
    while rest:
        size = draw(st.integers(1, 4))
        batches.append(rest[:size])
        rest = rest[size:]
    return batches


def views(last: int) -> st.SearchStrategy[View]:
    """Views of a ledger of ``last`` entries; the head and the latest time more often."""
    positions = st.one_of(st.just(last), st.integers(0, last))
    times = st.one_of(st.just(LATEST), st.integers(0, 12))
    return st.builds(View, positions, times)
