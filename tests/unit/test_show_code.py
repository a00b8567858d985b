"""What a person reads of the code of a run."""

from __future__ import annotations

from typing import Any

import pytest

from lineage.cli.show import _code

DIFF = {"sha256": "d1" * 32, "size": 321}
TAR = {"sha256": "e1" * 32, "size": 10240}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, ""),
        ({"dirty": True, "untracked": TAR}, " with untracked source"),
        ({"dirty": True, "diff": DIFF},
         " with an uncommitted diff of 321 bytes, sha256 d1d1d1d1d1d1"),
        ({"dirty": True, "diff": DIFF, "untracked": TAR},
         " with an uncommitted diff of 321 bytes, sha256 d1d1d1d1d1d1 and untracked source"),
    ],
)  # fmt: skip
def test_a_diff_is_named_only_where_there_is_one(facts: dict[str, Any], said: str) -> None:
    assert _code({"commit": "c0ffee" * 7, **facts}) == f"git c0ffeec0ffee{said}"
