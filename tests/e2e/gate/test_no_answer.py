"""`lineage owners` and `lineage gate` on a real store: what is no answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineage.errors import StoreBusyError
from lineage.model.canonical import micros
from lineage.model.changes import (
    ArtifactDescribed,
    GapFacts,
    Output,
    RunFinished,
    RunRef,
)
from lineage.model.ids import file_token
from lineage.ownership.rules import OwnerAccepted
from lineage.record.recorder import Recorder
from tests.e2e.gate.site import SECOND, TRAIN, Site

pytestmark = pytest.mark.both_stores


def test_doubt_is_two(site: Site) -> None:
    site.own()
    site.train(gaps=[GapFacts(reason="static-child")])
    value = site.json("gate", "deploy", site.model, exit_code=2)
    assert value["decision"] == "undecided"
    assert site.entries("gate.decided")[-1]["decision"] == "undecided"


def test_a_run_that_fails_in_the_far_future_is_two_and_named(site: Site) -> None:
    site.own()
    site.record(RunFinished(event_at=micros("9999-01-01T00:00:00Z"), run=TRAIN, state="FAIL"))
    shown = site.lineage("gate", "deploy", site.model)
    assert shown.exit_code == 2
    assert "RUN_STATE FAIL: dated 9999-01-01T00:00:00.000000Z, later than now" in shown.output
    assert site.entries("gate.decided")[-1]["evidence"]["ahead"][0]["node"] == "run:local,train,r1"


def test_a_host_whose_clock_is_a_minute_ahead_does_not_block(site: Site) -> None:
    site.own()
    again = RunRef(namespace="local", job="train", run_id="r2")
    at = time.time_ns() // 1000 + 60 * SECOND
    model = Output(namespace="file", name=f"{site.root}/models/it's new ü.joblib",
                   artifact_kind="model", version=file_token("b" * 64), at=at)  # fmt: skip
    site.record(RunFinished(event_at=at, run=again, state="COMPLETE", outputs=[model]))
    allowed = site.json("gate", "deploy", site.model)
    assert (allowed["subject"][-64:], allowed["as_of"]) == ("b" * 64, at)


@pytest.mark.parametrize(
    "words",
    [
        ("deploy", "model:nothing"),
        ("deploy", "artifact:file,/nothing"),
        ("deploy", "run:local,train,r1"),
        ("deploy", "%%%"),
        ("deploy", ""),
        ("launch", "model:it's new ü"),
        ("deploy",),
        ("deploy", "a", "b"),
        ("deploy", "model:it's new ü", "--polciy", "x"),
        ("deploy", "model:it's new ü", "--policy", "nowhere.yaml"),
        ("deploy", "model:it's new ü", "--policy", "."),
    ],
)
def test_what_cannot_be_asked_is_two(site: Site, words: tuple[str, ...]) -> None:
    site.own()
    for extra in ((), ("--json",)):
        result = site.lineage("gate", *words, *extra)
        assert result.exit_code == 2, result.output
        assert result.stdout == ""


def test_an_ambiguous_name_is_two(site: Site) -> None:
    other = ArtifactDescribed(
        event_at=1, namespace="file", name="/b/it's new ü.joblib", artifact_kind="model"
    )
    site.record(other)
    result = site.lineage("gate", "deploy", "model:it's new ü")
    assert result.exit_code == 2
    assert site.model in result.stderr


def _raises(fault: BaseException) -> Callable[..., Any]:
    def broken(*args: object, **named: object) -> Any:
        raise fault

    return broken


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        ("lineage.ownership.gate.collect", StoreBusyError("held")),
        ("lineage.ownership.gate.collect", KeyboardInterrupt()),
        ("lineage.ownership.gate.collect", MemoryError()),
        ("lineage.ownership.policy.parse_policy", ZeroDivisionError()),
        ("lineage.cli.context.open_workspace", ImportError("no such part")),
    ],
)
def test_whatever_breaks_is_two(
    site: Site, monkeypatch: pytest.MonkeyPatch, broken: str, fault: BaseException
) -> None:
    site.own()
    monkeypatch.setattr(broken, _raises(fault))
    assert site.lineage("gate", "deploy", site.model).exit_code == 2


def test_a_rule_that_breaks_is_two_and_on_record(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.own()
    monkeypatch.setattr(OwnerAccepted, "blocking", _raises(ZeroDivisionError("oh")))
    assert site.lineage("gate", "deploy", site.model).exit_code == 2
    assert "the rule broke: ZeroDivisionError: oh" in json.dumps(site.entries("gate.decided"))


def test_an_allow_that_cannot_be_recorded_is_two(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.own()
    monkeypatch.setattr(Recorder, "record_changes", _raises(StoreBusyError("held")))
    result = site.lineage("gate", "deploy", site.model)
    assert (result.exit_code, result.stdout) == (2, "")
    assert site.lineage("gate", "deploy", site.model, "--no-record").exit_code == 0


@pytest.mark.sqlite
@pytest.mark.parametrize("store", ["sqlite:////dev/null/x.db", "oracle://x", "damaged"])
def test_a_store_that_cannot_be_read_is_two(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    site.own()
    if store == "damaged":
        path = tmp_path / "broken.db"
        path.write_bytes(b"this is no database, and it is long enough to tell " * 100)
        store = f"sqlite:///{path}"
    monkeypatch.setenv("LINEAGE_STORE", store)
    assert site.lineage("gate", "deploy", site.model).exit_code == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_an_allow_that_nobody_can_read_is_no_allow(site: Site) -> None:
    site.own()
    command = [sys.executable, "-m", "lineage", "gate", "deploy", site.model]
    with Path("/dev/full").open("wb") as full:
        full_out = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert full_out.returncode not in (0, 1)
    reading, writing = os.pipe()
    os.close(reading)
    closed = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert closed.returncode not in (0, 1)
    heard = subprocess.run(command, capture_output=True, check=False)
    assert heard.returncode == 0, heard.stderr
