"""Derived edges kept step by step are those of the definition."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.model.canonical import FOREVER
from lineage.model.claims import Method
from lineage.model.ids import artifact_id, run_id, run_token, with_version
from lineage.model.resolution import DerivedEdge, Output, Use, Version, derive
from lineage.store.neo4j.derived import DerivedRow
from lineage.store.neo4j.family import Alias, Family

ARTIFACTS = [artifact_id("n", name) for name in "ab"]
RUNS = [run_id("jobs", "p", run) for run in "123"]
VERSIONS = [
    with_version(artifact, token)
    for artifact in ARTIFACTS
    for token in ("1.aa", "2.bb", "2.cc", *map(run_token, RUNS[:2]))
]


@dataclass
class Claims:
    """All that is claimed, and what would follow from it."""

    family: Family = field(default_factory=lambda: Family(ARTIFACTS))
    aliases: list[Alias] = field(default_factory=list)
    known: dict[str, None] = field(default_factory=dict)
    made: list[tuple[str, int, int]] = field(default_factory=list)
    uses: list[tuple[str, str, str, int, Method, int]] = field(default_factory=list)
    outputs: list[tuple[str, str, str, int, int]] = field(default_factory=list)
    rows: dict[int, DerivedRow] = field(default_factory=dict)

    def follows(self) -> frozenset[DerivedEdge]:
        """The definition."""
        least: dict[tuple[str, str, str], tuple[int, Method]] = {}
        for run, artifact, said, at, method, _ in self.uses:
            had = least.get((run, artifact, said), (at, method))
            least[run, artifact, said] = (min(at, had[0]), min(method, had[1]))
        made = [*self.made, *((v, at, seq) for _, v, _, at, seq in self.outputs)]
        return derive(
            ARTIFACTS,
            self.aliases,
            [
                Version(v, min((at for w, at, _ in made if w == v), default=None))
                for v in self.known
            ],
            [Use(*key, at, method) for key, (at, method) in least.items()],
            [Output(run, v, said, at) for run, v, said, at, _ in self.outputs],
        )

    def settle(self, seq: int) -> None:
        """Follow the changes, and see that what shows is what is defined."""
        for row in self.family.settle(seq):
            self.rows[id(row)] = row
        shown = {row.edge for row in self.rows.values() if row.rt == FOREVER}
        assert {
            DerivedEdge(*edge[:6], (edge.used, edge.said) if edge.used else None) for edge in shown
        } == self.follows()
        assert len(shown) == sum(row.rt == FOREVER for row in self.rows.values())


MAX = 300
_at = st.integers(1, 6)
_steps = st.one_of(
    st.tuples(st.just("use"), st.sampled_from(RUNS), st.sampled_from(ARTIFACTS), _at,
              st.sampled_from(["", "", "1", "2"]), st.sampled_from(list(Method))),
    st.tuples(st.just("output"), st.sampled_from(RUNS), st.sampled_from(VERSIONS), _at,
              st.sampled_from(["", "", "1", "2"])),
    st.tuples(st.just("commit"), st.sampled_from(VERSIONS), _at),
    st.tuples(st.just("know"), st.sampled_from(VERSIONS)),
    st.tuples(st.just("alias"), st.lists(_at, max_size=2, unique=True)),
    st.tuples(st.just("forget"), st.integers(1, 30)),
)  # fmt: skip


@settings(max_examples=MAX, deadline=None)
@given(steps=st.lists(st.lists(_steps, max_size=3), max_size=12))
def test_derived_edges_are_those_of_the_definition(
    steps: list[list[tuple[object, ...]]],
) -> None:
    claims = Claims()
    for seq, some in enumerate(steps, 1):
        for step in some:
            _take(claims, seq, *step)
        claims.settle(seq)


def _take(claims: Claims, seq: int, what: object, *rest: object) -> None:
    match what, rest:
        case "use", (str(run), str(artifact), int(at), str(said), Method() as method):
            claims.uses.append((run, artifact, said, at, method, seq))
            claims.family.use((run, artifact, said), at, method, seq)
        case "output", (str(run), str(version), int(at), str(said)):
            claims.known[version] = None
            claims.outputs.append((run, version, said, at, seq))
            claims.family.know(version)
            claims.family.output(run, version, said, at, seq)
        case "commit", (str(version), int(at)):
            claims.known[version] = None
            claims.made.append((version, at, seq))
            claims.family.know(version)
            claims.family.commit(version, at, seq)
        case "know", (str(version),):
            claims.known[version] = None
            claims.family.know(version)
        case "alias", (list(points),):
            ends = [*sorted(points), FOREVER][:2] if points else []
            claims.aliases = [(*ARTIFACTS, *ends)] if points else []
            claims.family.realias(claims.aliases)
        case "forget", (int(target),):
            _forget(claims, target)


def _forget(claims: Claims, target: int) -> None:
    uses = {claim[:3] for claim in claims.uses if claim[5] == target}
    versions = {claim[1] for claim in claims.outputs if claim[4] == target}
    versions |= {claim[0] for claim in claims.made if claim[2] == target}
    claims.uses = [claim for claim in claims.uses if claim[5] != target]
    claims.outputs = [claim for claim in claims.outputs if claim[4] != target]
    claims.made = [claim for claim in claims.made if claim[2] != target]
    claims.family.forget(target, uses, versions)
