"""Ownership: patterns."""

from __future__ import annotations

import pytest

from lineage.model.ids import artifact_id, job_id, parse_id, scope_id
from lineage.ownership.patterns import Pattern, scope_of


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("features/*", "features/tx", True),
        ("features/*", "features/", True),
        ("features/*", "features/a/b", False),
        ("features/**", "features/a/b", True),
        ("features/**", "features", False),
        ("**/tx", "a/b/tx", True),
        ("**/tx", "tx", False),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "a/b", False),
        ("t?", "tx", True),
        ("t?", "t/", False),
        ("t?", "t", False),
        ("*", "", True),
        ("*", "s3://lake", False),
        ("**", "s3://lake", True),
        ("****", "a/b", True),
        ("tx", "TX", False),
        ("t[xy]", "tx", False),
        ("t[xy]", "t[xy]", True),
        ("a.b", "axb", False),
        ("*.csv", "a\nb.csv", True),
        ("naïve*", "naïveté", True),
        ("*a*b*", "xxaxxbxx", True),
        ("*a*b*", "xxbxxaxx", False),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_a_pattern_matches_the_whole_text(pattern: str, text: str, matches: bool) -> None:
    assert Pattern(pattern).matches(text) is matches


def test_a_hostile_pattern_costs_no_more_than_another() -> None:
    hostile = Pattern("**a" * 200 + "b")
    assert not hostile.matches("a" * 2_000)


def test_a_scope_matches_versions_as_their_artifact_and_decoded_names() -> None:
    scope = scope_of(scope_id("s3://lake", "naïve data/**"))
    assert scope.matches(parse_id(artifact_id("s3://lake", "naïve data/x", "12.00000000")))
    assert not scope.matches(parse_id(artifact_id("s3://other", "naïve data/x")))
    assert not scope.matches(parse_id(job_id("s3://lake", "naïve data/x")))


def test_a_shortened_name_is_matched_only_where_every_continuation_is() -> None:
    long = artifact_id("s3://lake", "features/" + "é" * 1_000)
    assert "~" in long
    assert scope_of(scope_id("s3://lake", "features/**")).matches(parse_id(long))
    assert not scope_of(scope_id("s3://lake", "features/*")).matches(parse_id(long))
    assert not scope_of(scope_id("s3://lake", "**é")).matches(parse_id(long))


def test_a_narrower_scope_is_more_specific() -> None:
    ordered = [
        ("s3://lake", "features/tx"),
        ("s3://lake", "features/tx/*"),
        ("s3://lake", "features/t?"),
        ("s3://lake", "features/*.delta"),
        ("s3://lake", "features/*"),
        ("s3://lake", "features/**"),
        ("s3://lake", "**"),
        ("s3://*", "features/tx"),
        ("**", "features/tx"),
        ("**", "*"),
        ("**", "**"),
    ]
    keys = [scope_of(scope_id(*pair)).specificity for pair in ordered]
    # The deeper path has the longer literal prefix; all others fall.
    assert sorted(keys, reverse=True) == [keys[1], keys[0], *keys[2:]]
    assert len(set(keys)) == len(keys)
