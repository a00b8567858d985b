"""The pre-flight decision, from hand-made facts: what is found, and what it comes to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lineage.model.changes import (
    CodeFacts,
    EnvironmentFacts,
    GapFacts,
    RunFinished,
    RunRef,
    RunStarted,
    Use,
)
from lineage.reproduce.code import CodeSeen, Restored
from lineage.reproduce.edited import Edited
from lineage.reproduce.environment import Difference, EnvironmentSeen
from lineage.reproduce.facts import RunFacts
from lineage.reproduce.findings import Effect, FileSeen, Observed, Preflight
from lineage.reproduce.preflight import decide
from lineage.reproduce.tables import TableSeen

RUN = "run:local://here,job,1"
REF = RunRef(namespace="local://here", job="job", run_id="1")
TABLE = "artifact:file,/lake/tx@3.0a1b2c3d"
RESTORED = Restored(Path("/code"), Path("/scratch/code"), frozenset({"train.py"}), ())


def run(
    *,
    started: dict[str, Any] | None = None,
    finished: dict[str, Any] | None = None,
    erased: tuple[str, ...] = (),
) -> RunFacts:
    facts = {
        "command": ["python", "train.py"],
        "hardware": {"machine": "x86_64", "cpu": "A", "cpus_usable": 8, "memory": 1},
    }
    ended = {
        "state": "COMPLETE",
        "exit_code": 0,
        "code": CodeFacts(root="/code", commit="c0ffee"),
        "environment": EnvironmentFacts(
            digest="a" * 64, interpreter="/venv/bin/python", version="cpython 3.11.7"
        ),
    }
    return RunFacts(
        RUN,
        RUN,
        RunStarted(event_at=1, run=REF, **(facts | (started or {}))),
        RunFinished(event_at=2, run=REF, **(ended | (finished or {}))),  # type: ignore[arg-type]
        erased,
    )


AS_IT_WAS = Observed(
    tables=(TableSeen(TABLE, "/lake/tx", "3.0a1b2c3d", source=Path("/lake/tx"), latest=3),),
    files=(FileSeen("artifact:file,/in.csv@sha256.ff", "/in.csv", "ff", "ff"),),
    code=CodeSeen(RESTORED, entry_point_same=True),
    environment=EnvironmentSeen("/venv/bin/python", same=True, version="cpython 3.11.7"),
    hardware={"machine": "x86_64", "cpu": "A", "cpus_usable": 8, "memory": 2},
)


def named(answer: Preflight) -> set[tuple[str, str, str]]:
    return {(one.effect.name, one.what, one.subject) for one in answer.findings}


def test_nothing_found_is_reproducible() -> None:
    answer = decide(run(), AS_IT_WAS)
    assert (answer.verdict, answer.findings, answer.exit_status) == ("REPRODUCIBLE", (), 0)
    assert answer.can_run


def table(**changes: Any) -> dict[str, Any]:
    return {"tables": (replace(AS_IT_WAS.tables[0], **changes),)}


def file(now: str, kept: str = "") -> dict[str, Any]:
    return {"files": (replace(AS_IT_WAS.files[0], now=now, kept=kept),)}


def restored(**changes: Any) -> dict[str, Any]:
    return {"code": CodeSeen(replace(RESTORED, **changes), entry_point_same=True)}


def installed(**changes: Any) -> dict[str, Any]:
    assert AS_IT_WAS.environment is not None
    return {"environment": replace(AS_IT_WAS.environment, same=False, **changes)}


def edited(*files: str) -> dict[str, Any]:
    assert AS_IT_WAS.environment is not None
    changed = (Edited("mylib", "1.0", files),)
    return {"environment": replace(AS_IT_WAS.environment, edited=changed)}


@pytest.mark.parametrize(
    ("seen", "verdict", "found"),
    [
        (table(latest=9), "REPRODUCIBLE", ("NOTE", "table", TABLE)),
        (table(latest=None, pinned=True), "REPRODUCIBLE", ("NOTE", "table", TABLE)),
        (table(source=None, fault="gone", missing=("a",), missing_count=7), "LOST",
         ("LOST", "table", TABLE)),
        (file("00", "blobs"), "REPRODUCIBLE", ("NOTE", "file", "artifact:file,/in.csv@sha256.ff")),
        (file("", "code"), "REPRODUCIBLE", ("NOTE", "file", "artifact:file,/in.csv@sha256.ff")),
        (file("00"), "LOST", ("LOST", "file", "artifact:file,/in.csv@sha256.ff")),
        (file(""), "LOST", ("LOST", "file", "artifact:file,/in.csv@sha256.ff")),
        (restored(changed=("train.py",)), "REPRODUCIBLE", ("NOTE", "code", "/code")),
        (restored(newer=("new.py",)), "REPRODUCIBLE", ("NOTE", "code", "/code")),
        (restored(doubtful=("new.py",)), "DEGRADED", ("DEGRADED", "code", "/code")),
        ({"code": CodeSeen(fault="no commit")}, "LOST", ("LOST", "code", "/code")),
        ({"code": CodeSeen(fault="no commit", entry_point_same=True)}, "DEGRADED",
         ("DEGRADED", "code", "/code")),
        (installed(differences=(Difference("numpy", "1", "2"),)), "DEGRADED",
         ("DEGRADED", "environment", "numpy")),
        (installed(version="cpython 3.12.1"), "DEGRADED",
         ("DEGRADED", "environment", "/venv/bin/python")),
        (installed(fault="it does not run"), "DEGRADED",
         ("DEGRADED", "environment", "/venv/bin/python")),
        (installed(), "DEGRADED", ("DEGRADED", "environment", "/venv/bin/python")),
        (edited("train.py"), "DEGRADED", ("DEGRADED", "environment", "mylib")),
        ({"hardware": {**AS_IT_WAS.hardware, "cpu": "B"}}, "DEGRADED",
         ("DEGRADED", "hardware", "cpu")),
    ],
)  # fmt: skip
def test_what_stands_now_decides(
    seen: dict[str, Any], verdict: str, found: tuple[str, str, str]
) -> None:
    answer = decide(run(), replace(AS_IT_WAS, **seen))
    assert answer.verdict == verdict
    assert named(answer) == {found}


def use(**changes: Any) -> dict[str, Any]:
    plain = {"namespace": "file", "name": "/lake/tx", "artifact_kind": "table", "at": 1}
    return {"finished": {"uses": [Use.model_validate(plain | changes)]}}


@pytest.mark.parametrize(
    ("recorded", "found"),
    [
        ({"finished": {"state": "FAIL", "exit_code": 1}}, ("DEGRADED", "run", RUN)),
        ({"finished": {"gaps": [GapFacts(reason="static-binary")]}}, ("DEGRADED", "capture", RUN)),
        ({"started": {"command": ["python", "train.py", "--token", "***"]}},
         ("DEGRADED", "command", RUN)),
        (use(version="3.0a1b2c3d", method="inferred"), ("DEGRADED", "table", TABLE)),
        (use(version="", candidates=["1.0a1b2c3d", "2.0a1b2c3d"]),
         ("DEGRADED", "table", "artifact:file,/lake/tx")),
        (use(version="", said="12"), ("DEGRADED", "table", "artifact:file,/lake/tx")),
        (use(namespace="s3://lake", name="tx", version="3.0a1b2c3d"),
         ("DEGRADED", "network", "artifact:s3://lake,tx@3.0a1b2c3d")),
    ],
)  # fmt: skip
def test_what_was_recorded_decides_too(
    recorded: dict[str, Any], found: tuple[str, str, str]
) -> None:
    answer = decide(run(**recorded), AS_IT_WAS)
    assert answer.verdict == "DEGRADED"
    assert named(answer) == {found}


def test_an_erased_run_is_erased_whatever_else_is_found() -> None:
    answer = decide(run(erased=("run.started",)), replace(AS_IT_WAS, **file("")))
    assert answer.verdict == "ERASED"
    assert [one.effect.name for one in answer.findings] == ["ERASED", "LOST"]
    assert answer.exit_status == 2
    assert not answer.can_run


def test_a_lost_table_names_its_files_and_how_many() -> None:
    lost = table(source=None, fault="7 files", missing=("a", "b"), missing_count=7)
    (finding,) = decide(run(), replace(AS_IT_WAS, **lost)).findings
    plain = finding.as_dict()
    assert (plain["files"], plain["missing"]) == (["a", "b"], 7)
    assert "pin" in plain["remedy"]


def test_every_difference_of_an_environment_is_named() -> None:
    differences = (
        Difference("numpy", "1.26", "2.0"), Difference("new", "", "1"), Difference("old", "1", ""),
    )  # fmt: skip
    answer = decide(run(), replace(AS_IT_WAS, **installed(differences=differences)))
    assert {one.detail for one in answer.findings} == {
        "1.26 -> 2.0",
        "not installed -> 1",
        "1 -> not installed",
    }


def test_a_script_outside_of_any_repository_must_be_the_same() -> None:
    loose = {"code": CodeFacts(root="/code", entry_point="/code/t.py", entry_point_sha256="b" * 64)}
    assert decide(run(finished=loose), replace(AS_IT_WAS, code=CodeSeen(entry_point_same=True))
                  ).verdict == "REPRODUCIBLE"  # fmt: skip
    assert decide(run(finished=loose), replace(AS_IT_WAS, code=CodeSeen())).verdict == "LOST"
    assert decide(run(finished={"code": None}), replace(AS_IT_WAS, code=None)).verdict == "DEGRADED"


def test_lost_code_is_no_matter_of_tables() -> None:
    gone = (FileSeen("x", "/x", "ff", "00"),)
    remedies = {
        name: next(one.remedy for one in decide(run(), seen).findings if one.effect is Effect.LOST)
        for name, seen in (
            ("files", replace(AS_IT_WAS, files=gone)),
            ("code_files", replace(AS_IT_WAS, code_files=gone)),
        )
    }
    assert "versioned tables" in remedies["files"]
    assert "git" in remedies["code_files"]
    assert "table" not in remedies["code_files"]


def test_the_reason_of_a_verdict_is_what_it_rests_on() -> None:
    seen = replace(AS_IT_WAS, **table(source=None, fault="gone"), **file("00"), **edited("x.py"))
    reason = decide(run(), seen).reason
    assert TABLE in reason
    assert "gone" in reason
    assert "/in.csv" in reason
    assert "mylib" not in reason
