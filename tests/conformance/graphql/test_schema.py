"""GraphQL answers alike over every store: the schema."""

from __future__ import annotations

from pathlib import Path

from lineage.model.claims import EdgeType
from lineage.query.graphql.links import Relation
from lineage.query.graphql.schema import printed

SCHEMA = Path(__file__).parents[3] / "schema" / "graphql" / "schema.graphql"


def test_the_published_schema_is_what_the_code_says() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == printed(), (
        "run `python -m lineage.query.graphql > schema/graphql/schema.graphql`"
    )


def test_every_edge_type_has_a_relation() -> None:
    assert {kind.name for kind in EdgeType} - {"CARRIES"} == {kind.name for kind in Relation}
