"""What an auditor checks alone: what is false."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from lineage import verify
from tests.handed import ledger
from tests.unit.verify.checking import FILES, HANDED, KEYS, check


def test_two_ledgers_shown_under_one_name_are_found(tmp_path: Path) -> None:
    other = ledger()  # recorded at other times: other leaves
    result = check(tmp_path, one=HANDED.notes[9], other=other.notes[9])
    assert result["verdict"] == "DOES NOT HOLD"
    assert result["faults"][0]["where"] == "root at 9"
    result = check(tmp_path, kept=other.notes[4], export=FILES["export"])
    assert result["verdict"] == "DOES NOT HOLD"


def test_a_ledger_that_was_cut_off_is_found(tmp_path: Path) -> None:
    lines = FILES["export"].splitlines(keepends=True)
    for kept in range(1, len(lines)):
        result = check(tmp_path, export=b"".join(lines[:kept]))
        assert result["verdict"] == "DOES NOT HOLD"
    shorter = ledger(8, sealed=(4,))
    result = check(tmp_path, keys=KEYS[:1], kept=HANDED.notes[9], export=shorter.export())
    assert result["verdict"] != "HOLDS"


def test_a_ledger_that_was_written_anew_is_found_where_it_departs(tmp_path: Path) -> None:
    # With all hashes and the end made right again: only the signatures stand in the way.
    lines = FILES["export"].splitlines(keepends=True)
    forged = _forged(lines, seq=6)
    result = check(tmp_path, export=forged)
    assert result["verdict"] == "DOES NOT HOLD"
    assert "entries 5 to 9" in result["files"][0]["faults"][0]["what"]


def _forged(lines: list[bytes], seq: int) -> bytes:
    tree, out, count = verify.Tree(), [lines[0]], 0
    for line in lines[1:]:
        value = json.loads(line)
        if "envelope" in value:
            count += 1
            if count == seq:
                value["envelope"]["source"] = "somebody else"
            leaf = verify.sha256(b"\x00" + verify.canonical(value["envelope"]))
            value["leaf"] = _base64(leaf)
            tree.push(leaf)
        if "entries" in value:
            value["root"] = _base64(tree.root())
            value["sha256"] = verify.sha256(b"".join(out)).hex()
        out.append(verify.canonical(value) + b"\n")
    return b"".join(out)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_a_stub_that_no_redaction_committed_to_is_found(tmp_path: Path) -> None:
    assert check(tmp_path, proof=HANDED.proof(3, 12))["verdict"] == "DOES NOT HOLD"
    bundle = json.loads(FILES["redaction"])
    bundle["entry"]["body"] = _base64(b"{}")
    result = check(tmp_path, proof=json.dumps(bundle).encode())
    assert result["verdict"] == "DOES NOT HOLD"
    assert result["files"][0]["faults"][0]["where"] == "proof, entry, body"


def test_a_body_may_not_be_taken_away_and_called_redacted(tmp_path: Path) -> None:
    bundle = json.loads(FILES["proof"])
    bundle["entry"]["salt"] = None
    assert check(tmp_path, p=json.dumps(bundle).encode())["verdict"] == "DOES NOT HOLD"
