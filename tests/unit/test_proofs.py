"""What is handed to an auditor says what it was made of, and comes back as it went."""

from __future__ import annotations

from typing import Any

import pytest

from lineage.errors import ProofError
from lineage.model.canonical import parse_json
from lineage.model.proofs import Consistency, consistency_bundle, to_line

GOOD: dict[str, Any] = consistency_bundle(b"old\n", b"new\n", [bytes(32), b"\x01" * 32])


def test_a_consistency_proof_comes_back_as_it_went() -> None:
    found = Consistency.of_value(parse_json(to_line(GOOD)))
    assert found == Consistency(b"old\n", b"new\n", (bytes(32), b"\x01" * 32))
    assert found.as_dict() == GOOD


@pytest.mark.parametrize("value", [
    None, [], {}, {**GOOD, "format": "lineage-proof/1"}, {**GOOD, "old": None},
    {**GOOD, "new": 1}, {**GOOD, "proof": "x"}, {**GOOD, "proof": [1]},
    {**GOOD, "proof": ["AAAA"]}, {**GOOD, "proof": ["\u00e4"]},
    {**GOOD, "proof": GOOD["proof"] * 40},
])  # fmt: skip
def test_what_is_no_consistency_proof_is_refused(value: Any) -> None:
    with pytest.raises(ProofError):
        Consistency.of_value(value)
