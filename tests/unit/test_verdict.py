"""The verdict on a run that was run again, and where two files first differ."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.reproduce.differences import compare, compare_directories, first_byte
from lineage.reproduce.verdict import Compared, Ending, OutputState, Verdict, decide

AS_BEFORE = Ending(exit_code=0, recorded_exit_code=0)


def output(name: str, state: str) -> Compared:
    return Compared(id=f"artifact:file,/{name}@1", path=f"/{name}", state=OutputState(state))


@pytest.mark.parametrize(
    ("states", "verdict"),
    [
        (["IDENTICAL", "IDENTICAL"], "IDENTICAL"),
        (["IDENTICAL", "EQUIVALENT"], "EQUIVALENT"),
        (["EQUIVALENT", "DIFFERENT", "IDENTICAL"], "DIFFERENT"),
        (["IDENTICAL", "MISSING"], "DIFFERENT"),
        (["IDENTICAL", "NOT_COMPARED"], "IDENTICAL"),
        (["NOT_COMPARED"], "FAILED"),
        ([], "FAILED"),
    ],
)
def test_the_worst_output_decides_and_nothing_compared_is_no_success(
    states: list[str], verdict: str
) -> None:
    outputs = [output(f"{n}", state) for n, state in enumerate(states)]
    assert decide(AS_BEFORE, outputs).verdict == verdict


def test_who_asks_for_one_output_gets_the_verdict_on_that_one() -> None:
    outputs = [output("model", "IDENTICAL"), output("log", "DIFFERENT")]
    assert decide(AS_BEFORE, outputs).verdict == "DIFFERENT"
    assert decide(AS_BEFORE, outputs, outputs[0].id).verdict == "IDENTICAL"
    assert decide(AS_BEFORE, outputs, outputs[1].id).decisive == outputs[1]


@pytest.mark.parametrize(
    "ending",
    [
        Ending(exit_code=1, recorded_exit_code=0),
        Ending(exit_code=0, recorded_exit_code=3),
        Ending(exit_code=None, recorded_exit_code=0, signal=9),
        Ending(exit_code=0, recorded_exit_code=0, timed_out=True),
        Ending(exit_code=127, recorded_exit_code=0, not_started="No such file or directory"),
    ],
)
def test_a_program_that_does_not_end_as_it_had_failed(ending: Ending) -> None:
    outcome = decide(ending, [output("model", "IDENTICAL")])
    assert outcome.verdict is Verdict.FAILED
    assert outcome.reason == ending.fault() != ""


def test_a_program_that_fails_as_it_had_is_compared() -> None:
    ending = Ending(exit_code=3, recorded_exit_code=3)
    assert decide(ending, [output("model", "IDENTICAL")]).verdict == "IDENTICAL"


@pytest.mark.parametrize(
    ("verdict", "status"), [("IDENTICAL", 0), ("EQUIVALENT", 0), ("DIFFERENT", 1), ("FAILED", 2)]
)
def test_exit_codes(verdict: str, status: int) -> None:
    assert Verdict(verdict).exit_status == status


# --- differences


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "recorded", tmp_path / "reproduced"


def differ(
    pair: tuple[Path, Path], name: str, one: bytes, other: bytes, tolerance: float = 0.0
) -> dict[str, Any] | None:
    pair[0].write_bytes(one)
    pair[1].write_bytes(other)
    found = compare(*pair, name, tolerance)
    return None if found.same else found.where


def test_bytes_are_shown_around_the_first_that_differs(pair: tuple[Path, Path]) -> None:
    one = bytes(range(64)) * 40_000
    other = one[:2_000_001] + b"\xff" + one[2_000_002:] + b"more"
    where = differ(pair, "model.bin", one, other)
    assert where is not None
    assert where["byte"] == 2_000_001
    assert where["sizes"] == [len(one), len(other)]
    assert where["reproduced"].split(" | ")[1].startswith("ff ")
    assert where["recorded"].split(" | ")[0] == where["reproduced"].split(" | ")[0]


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_the_first_byte_is_the_first(tmp_path_factory: Any, one: bytes, other: bytes) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "one").write_bytes(one)
    (folder / "other").write_bytes(other)
    where = first_byte(folder / "one", folder / "other")
    if one == other:
        assert where is None
    else:
        assert where is not None
        at = where["byte"]
        assert one[:at] == other[:at]
        assert one[at : at + 1] != other[at : at + 1]


def test_json_names_the_pointer(pair: tuple[Path, Path]) -> None:
    one = {"a/b": [1, {"score": 0.5}], "same": True}
    other = {"same": True, "a/b": [1, {"score": 0.75}]}
    where = differ(pair, "m.json", json.dumps(one).encode(), json.dumps(other).encode())
    assert where == {"pointer": "/a~1b/1/score", "recorded": "0.5", "reproduced": "0.75"}


@pytest.mark.parametrize(
    ("one", "other", "tolerance", "pointer"),
    [
        ('{"a": 1.0000001}', '{"a": 1.0}', 1e-6, None),
        ('{"a": 1.0000001}', '{"a": 1.0}', 1e-9, "/a"),
        ('{"a": 1000000.5}', '{"a": 1000000.6}', 1e-6, None),
        ('{"a": 1000000001}', '{"a": 1000000002}', 1e-6, "/a"),
        ('{"a": NaN}', '{"a": NaN }', 0, None),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', 0, None),
        ('{"a": true}', '{"a": 1}', 1.0, "/a"),
        ('{"a": "1.0"}', '{"a": "1.1"}', 1.0, "/a"),
        ("[1, 2]", "[1]", 0, "/1"),
        ('{"a": null}', "{}", 0, "/a"),
    ],
)
def test_json_values_are_equal_within_the_tolerance(
    pair: tuple[Path, Path], one: str, other: str, tolerance: float, pointer: str | None
) -> None:
    where = differ(pair, "m.json", one.encode(), other.encode(), tolerance)
    assert (where and where["pointer"]) == pointer


def test_what_is_not_json_is_compared_as_bytes(pair: tuple[Path, Path]) -> None:
    where = differ(pair, "m.json", b"{broken", b"{brokem")
    assert where is not None
    assert where["byte"] == 6


def test_csv_names_row_and_column(pair: tuple[Path, Path]) -> None:
    where = differ(pair, "m.csv", b"id,score\n1,0.5\n2,0.25\n", b"id,score\n1,0.5\n2,0.26\n")
    assert where == {"row": 3, "column": "score", "recorded": "0.25", "reproduced": "0.26"}
    assert differ(pair, "m.csv", b"id,s\n1,0.5\n", b"id,s\r\n1,0.50000001\r\n", 1e-6) is None
    assert differ(pair, "m.csv", b"id\n1\n", b"id\n1\n2\n") == {"row": 3, "only in": "reproduced"}


def test_text_names_the_line_and_knows_numbers(pair: tuple[Path, Path]) -> None:
    one, other = b"start\nloss 0.123456 after 10\n", b"start\nloss 0.123457 after 10\n"
    assert differ(pair, "train.log", one, other, 1e-5) is None
    where = differ(pair, "train.log", one, other)
    assert where is not None
    assert where["line"] == 2
    assert differ(pair, "train.log", b"loss 1.0", b"gain 1.0", 1.0) is not None


def test_archives_name_the_member(pair: tuple[Path, Path]) -> None:
    def packed(weights: bytes) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("model/data.pkl", b"same")
            archive.writestr("model/data/0", weights)
        return buffer.getvalue()

    where = differ(pair, "model.pt", packed(b"\x01\x02"), packed(b"\x01\x03"))
    assert where == {"member": "model/data/0", "byte": 1, "recorded": "02", "reproduced": "03"}


def test_pickles_name_what_stands_before(pair: tuple[Path, Path]) -> None:
    one, other = {"depth": 3, "leaves": 7}, {"depth": 3, "leaves": 8}
    where = differ(pair, "model.pkl", pickle.dumps(one), pickle.dumps(other))
    assert where is not None
    assert where["after"] == "depth leaves"


def test_directories_name_the_file(tmp_path: Path) -> None:
    for side, weight in (("one", b"\x01"), ("other", b"\x02")):
        (tmp_path / side / "deep").mkdir(parents=True)
        (tmp_path / side / "a").write_bytes(b"same")
        (tmp_path / side / "deep/w").write_bytes(weight)
    found = compare_directories(tmp_path / "one", tmp_path / "other", 0.0)
    assert found.where["file"] == "deep/w"
    (tmp_path / "other/0").touch()
    found = compare_directories(tmp_path / "one", tmp_path / "other", 0.0)
    assert found.where == {"file": "0", "only in": "reproduced"}
