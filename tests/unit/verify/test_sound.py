"""What an auditor checks alone: what is sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage import verify
from tests.handed import ledger, put
from tests.unit.verify.checking import FILES, check


def test_all_of_it_together_holds(tmp_path: Path) -> None:
    result = check(tmp_path, FILES)
    assert result["verdict"] == "HOLDS", result
    assert [found["format"] for found in result["files"]] == [
        "checkpoint", "lineage-proof/1", "lineage-proof/1", "lineage-consistency/1",
        "lineage-ledger/1",
    ]  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
def test_every_entry_of_every_ledger_is_proved(tmp_path: Path, size: int) -> None:
    handed = ledger(size - 1 if size > 3 else 3, sealed=(size,))
    for seq in range(1, size + 1):
        (entry,) = handed.store.entries(seq - 1, 1)
        by = (size,) if entry.salt is None and size > 3 else ()
        result = check(tmp_path, proof=handed.proof(seq, size, by))
        sound = entry.salt is not None or bool(by)
        assert result["verdict"] == ("HOLDS" if sound else "DOES NOT HOLD"), (seq, result)


def test_an_export_without_checkpoints_holds_for_who_kept_a_root(tmp_path: Path) -> None:
    handed = ledger(5, sealed=())
    (path,) = put(tmp_path, export=handed.export())
    root = handed.store.head().frontier.root()
    assert verify.check([path], [], set(), 0)["verdict"] == "UNDECIDED"
    assert verify.check([path], [], {(6, root)}, 0)["verdict"] == "HOLDS"
    assert verify.check([path], [], {(6, bytes(32))}, 0)["verdict"] == "DOES NOT HOLD"
    assert verify.check([path], [], {(7, root)}, 0)["verdict"] == "UNDECIDED"
    early = handed.leaves()[0]
    assert verify.check([path], [], {(1, early)}, 0)["verdict"] == "HOLDS"


def test_what_no_checkpoint_covers_is_told(tmp_path: Path) -> None:
    handed = ledger(11, sealed=(4, 9))
    result = check(tmp_path, export=handed.export())
    assert result["verdict"] == "HOLDS"
    told = result["files"][0]["facts"][0]
    assert "checkpoints that hold: 2; 3 are after the last checkpoint" in told
