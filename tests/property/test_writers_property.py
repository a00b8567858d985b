"""Writers to one Neo4j, which remember what they need, come to what the definition says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lineage.model.claims import Claims
from lineage.model.ids import artifact_id, run_id, run_token, with_version
from lineage.store.contract import NewEntry, Store
from lineage.store.memory import MemoryStore
from lineage.store.neo4j import Neo4jStore
from lineage.store.neo4j.connection import Database
from lineage.testing.builders import alias, generated, retraction, used
from lineage.testing.plain import entry_of, interpret
from tests.neo4j_server import Neo4jAt

RUNS = [run_id("jobs", "j", name) for name in "123"]
ONE, OTHER = artifact_id("n", "one"), artifact_id("n", "other")
VERSIONS = [
    with_version(artifact, token)
    for artifact in (ONE, OTHER)
    for token in ("1.aa", "2.bb", "3.cc", run_token(RUNS[0]))
]
_runs, _times = st.sampled_from(RUNS), st.integers(1, 9)
_made = st.builds(generated, _runs, st.sampled_from(VERSIONS), _times)
_used = st.builds(used, st.sampled_from([ONE, OTHER]), _runs, _times)
_same = st.builds(alias, st.just(ONE), st.just(OTHER), _times)
_claims: st.SearchStrategy[Claims] = st.one_of(_made, _made, _made, _used, _used, _same)


@dataclass(frozen=True)
class Step:
    """What one of the writers appends, after a restart or not; it may take back its first."""

    writer: int
    claims: Sequence[Claims]
    restarted: bool
    taken_back: bool

    def entries(self, number: int) -> list[NewEntry]:
        """Its entries, whose ids nobody else has."""
        made = [entry_of(c, event_id=f"{number}-{n}") for n, c in enumerate(self.claims)]
        return [*made, entry_of(retraction(made[0]))] if self.taken_back else made


_seldom = st.integers(0, 5).map(lambda n: n == 0)
_steps = st.lists(
    st.builds(Step, st.integers(0, 1), st.lists(_claims, min_size=1, max_size=2), _seldom, _seldom),
    min_size=2, max_size=12,
)  # fmt: skip


def _after_restart(writer: int, then: Claims) -> list[Step]:
    """A writer that was restarted goes on with what is there; somebody says something new of it."""
    first, second, third = (
        generated(RUNS[1], version, n) for n, version in enumerate(VERSIONS[:3])
    )
    return [
        Step(0, [first], restarted=False, taken_back=False),
        Step(0, [second], restarted=True, taken_back=False),
        Step(writer, [then], restarted=False, taken_back=False),
        Step(0, [third], restarted=False, taken_back=False),
    ]


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)
@given(steps=_steps)
@example(_after_restart(0, used(ONE, RUNS[2], 9)))
@example(_after_restart(1, used(ONE, RUNS[2], 9)))
@example(_after_restart(0, alias(ONE, OTHER, 9)))
@example(_after_restart(1, alias(ONE, OTHER, 9)))
@example(_after_restart(0, generated(RUNS[1], with_version(ONE, run_token(RUNS[1])), 9)))
@example(_after_restart(1, generated(RUNS[1], with_version(ONE, run_token(RUNS[1])), 9)))
def test_two_writers_that_restart_come_to_what_is_defined(
    neo4j_stores: Callable[[], Store], neo4j_server: Neo4jAt, steps: list[Step]
) -> None:
    definition = MemoryStore(interpret)
    with ExitStack() as stack:
        writers = [stack.enter_context(closing(neo4j_stores()))]

        def fresh() -> Store:
            database = Database.open(neo4j_server.url, neo4j_server.password)
            return stack.enter_context(closing(Neo4jStore(database, interpret)))

        writers.append(fresh())
        for number, step in enumerate(steps):
            if step.restarted:
                writers[step.writer] = fresh()
            entries = step.entries(number)
            assert writers[step.writer].append(entries) == definition.append(entries)
        assert writers[0].digest(recorded=False) == definition.digest(recorded=False)
