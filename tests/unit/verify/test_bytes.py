"""What an auditor checks alone: every byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage import verify
from tests.unit.verify.checking import FILES, check

REGIONS = {
    "checkpoint": [(b"log.example/l\n9", "checkpoint"), (b"\n9\n", "checkpoint")],
    "proof": [
        (b'"body":"', "entry"), (b'"salt":"', "entry"), (b'"commitment":"', "entry"),
        (b'"recorded_at":', "inclusion"), (b'"source":"', "inclusion"), (b'"kind":"', "inclusion"),
        (b'"inclusion":["', "inclusion"), (b'"index":', "index"), (b'"checkpoint":"', "checkpoint"),
        (b'"format":"', "format"),
    ],
    "consistency": [(b'"old":"', "old"), (b'"new":"', "new"), (b'"proof":["', "proof")],
    "export": [
        (b'"body":"', "(entry 1), body"), (b'"salt":"', "(entry 1), body"),
        (b'"leaf":"', "(entry 1), envelope"), (b'"event_id":"', "(entry 1), envelope"),
        (b'"checkpoint":"', "line 6, checkpoint"), (b'"root":"', ", root"),
        (b'"sha256":"', ", sha256"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("name", "region", "where"), [
    (name, region, where) for name, regions in REGIONS.items() for region, where in regions
])  # fmt: skip
def test_what_was_changed_is_named(tmp_path: Path, name: str, region: bytes, where: str) -> None:
    data = bytearray(FILES[name])
    at = data.index(region) + (len(region) if region.endswith((b'"', b":")) else 1)
    data[at] = ord("3") if data[at] in b"012456789" else ord("B") if data[at] != ord("B") else 67
    result = check(tmp_path, file=bytes(data))
    assert result["verdict"] == "DOES NOT HOLD", result
    assert where in result["files"][0]["faults"][0]["where"], result["files"][0]["faults"]


@pytest.mark.parametrize("name", FILES)
@given(at=st.integers(0, 1 << 20), bit=st.integers(0, 7))
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_flipped_bit_is_missed(tmp_path: Path, name: str, at: int, bit: int) -> None:
    data = bytearray(FILES[name])
    data[at % len(data)] ^= 1 << bit
    result = check(tmp_path, file=bytes(data))
    assert _told(name, bytes(data), result)


def _told(name: str, data: bytes, result: Any) -> bool:
    """Whether the change was noticed, or is none: \u00e9 may be written \u00e9 in a proof.

    A signature that became another's does no harm beside one that is known, and is told.
    """
    if result["verdict"] != "HOLDS":
        return bool(result["questions"] or any(found["faults"] for found in result["files"]))
    if name == "export":
        return False
    checkpoints = result["files"][0]["checkpoints"]
    return any(c["unchecked"] for c in checkpoints) or bool(
        name != "checkpoint" and json.loads(data) == json.loads(FILES[name])
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_no_byte_of_any_file_can_be_changed(tmp_path: Path, name: str) -> None:
    for at in range(len(FILES[name])):
        data = bytearray(FILES[name])
        data[at] ^= 1 << at % 7
        result = check(tmp_path, file=bytes(data))
        assert _told(name, bytes(data), result), at


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 1 << 70) | st.text(max_size=5)
    | st.sampled_from(["\ud800", "AAAA", "\u2014 a AAAAAAAA", [[[[]]]], {"envelope": {}}]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)  # fmt: skip


def _with_junk(value: Any, data: st.DataObject, junk: Any) -> Any:
    """The value with one part of it, at any depth, replaced by junk."""
    if isinstance(value, dict | list) and value and data.draw(st.integers(0, 4)):
        inner = list(value) if isinstance(value, dict) else range(len(value))
        key = data.draw(st.sampled_from(inner))
        changed = dict(value) if isinstance(value, dict) else list(value)
        changed[key] = _with_junk(value[key], data, junk)
        return changed
    return junk


@pytest.mark.parametrize("name", ["proof", "redaction", "consistency"])
@given(data=st.data(), junk=JUNK)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_junk_breaks_the_check(
    tmp_path: Path, name: str, data: st.DataObject, junk: Any
) -> None:
    value = _with_junk(json.loads(FILES[name]), data, junk)
    result = check(tmp_path, file=json.dumps(value).encode())
    assert result["verdict"] != "HOLDS" or value == json.loads(FILES[name])


@given(data=st.data(), junk=JUNK)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_junk_in_an_export_breaks_the_check(
    tmp_path: Path, data: st.DataObject, junk: Any
) -> None:
    lines = FILES["export"].splitlines(keepends=True)
    at = data.draw(st.integers(1, len(lines) - 1))
    lines[at] = verify.canonical(_with_junk(json.loads(lines[at]), data, junk)) + b"\n"
    result = check(tmp_path, file=b"".join(lines))
    assert result["verdict"] != "HOLDS" or b"".join(lines) == FILES["export"]


@pytest.mark.parametrize("depth", [10, 300, 900, 990, 1000, 5000, 100_000])
def test_no_depth_breaks_the_check(tmp_path: Path, depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    line = b'{"body":' + deep + b"}\n"
    result = check(tmp_path, one=line, other=FILES["export"].partition(b"\n")[0] + b"\n" + line)
    assert result["verdict"] == "DOES NOT HOLD"
    assert all(found["faults"] for found in result["files"])
