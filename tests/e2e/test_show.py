"""`lineage show` and `lineage search`, as a person and as a program read them."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lineage.model.canonical import iso
from lineage.model.changes import Output, RunFinished, RunRef, Use
from lineage.model.ids import artifact_id, file_token
from lineage.settings import load_settings
from lineage.wiring import open_workspace
from tests.conformance.worlds import (
    ACTOR,
    CHURN,
    HOUR,
    MODEL,
    PERSON,
    REPORT,
    T0,
    TRAIN,
    gap_changes,
    people_changes,
    table_changes,
    training_changes,
    tx,
)
from tests.serving import SECONDS, environment, lineage

pytestmark = pytest.mark.both_stores


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, store_kind: str) -> Path:
    made = tmp_path_factory.mktemp("show") / ".lineage"
    with open_workspace(load_settings(environment(made))) as ws:
        for changes in (table_changes(), training_changes(), people_changes(), gap_changes()):
            ws.recorder.record_changes(changes, source="test", actor=ACTOR)
    return made


def shown(home: Path, *words: str) -> str:
    done = lineage(home, "show", *words)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def told(home: Path, *words: str) -> dict[str, Any]:
    story: dict[str, Any] = json.loads(shown(home, *words, "--json"))
    return story


def test_the_story_of_a_model(home: Path) -> None:
    text = shown(home, "model:churn")
    for fact in (
        CHURN, "made by run train.py", TRAIN, "python train.py --depth 3", "depth=3", "exit 0",
        "COMPLETE", f"Ada  {PERSON}", "2026-09-22 00:13:20Z to 2026-09-22 01:13:20Z",
        "git c0ffeec0ffee on main with an uncommitted diff of 321 bytes, sha256 d1d1d1d1d1d1",
        "CPython 3.11.7 linux-x86_64", "used table features/tx@2", tx(2), "risk (claimed)",
        "contains table features/tx@1", "contains table features/tx@0", "used code src/train",
        "complete: nothing is known to be missing (position 18,",
    ):  # fmt: skip
        assert fact in text, fact
    assert tx(3) not in text
    assert "\x1b" not in text
    # What a commit holds stands below the version that holds it.
    lines = text.splitlines()
    depth = {re.sub(r"  .*", "", line.strip()): len(line) - len(line.lstrip()) for line in lines}
    assert depth["used table features/tx@2"] < depth["contains table features/tx@1"]


def test_what_is_missing_is_said_in_words(home: Path) -> None:
    text = shown(home, "/out/report.csv")
    assert "incomplete (position 18" in text
    assert "gap at report.py r1: static-child (a child could not be watched)" in text
    assert "unknown which version of public.people was used by report.py r1" in text
    cut = shown(home, "model:churn", "--depth", "1")
    assert "cut by depth: there is more" in cut
    assert "features/tx" not in cut


def test_history_and_direction(home: Path) -> None:
    none = shown(home, "tx@2", "--history", "none")
    assert "contains" not in none
    down = shown(home, "tx@1", "--direction", "down")
    assert "contained in table features/tx@2" in down
    assert "used by run train.py" in down
    assert "made model churn" in down


def test_the_latest_version_unless_all_are_asked_for(home: Path) -> None:
    latest = shown(home, "table:tx")
    assert "latest of 5 versions" in latest
    assert tx(2) not in latest  # version 3 overwrote it
    assert tx(2) in shown(home, "table:tx", "--all-versions")
    before = told(home, "table:tx", "--as-of", iso(T0 + HOUR))
    assert (before["id"], before["versions"]) == (tx(1), 2)
    known = told(home, "table:tx", "--known-at", "6")
    assert (known["id"], known["completeness"]["position"]) == (tx(2), 6)


def test_what_was_not_there_yet_is_said_to_be_so(home: Path) -> None:
    done = lineage(home, "show", "model:churn", "--as-of", iso(T0), "--json")
    assert done.returncode == 66
    error = json.loads(done.stderr)["error"]
    assert error["code"] == "not-found"
    assert "was not there yet at 2026-09-21T14:13:20" in error["message"]
    assert "the first that is known of it is of 2026-09-22T01:13:19" in error["hint"]


def test_a_table_version_that_nobody_saw_being_made(tmp_path: Path) -> None:
    made = tmp_path / ".lineage"
    table = Use(namespace="file", name="/lake/my customers", artifact_kind="table",
                version="3.00000000", at=T0)  # fmt: skip
    output = Output(namespace="file", name="/out/n.txt", version=file_token("9" * 64), at=T0)
    run = RunRef(namespace="local", job="t.py", run_id="1")
    finished = RunFinished(event_at=T0, run=run, state="COMPLETE", uses=[table], outputs=[output])
    with open_workspace(load_settings(environment(made))) as ws:
        ws.recorder.record_changes([finished], source="test", actor=ACTOR)
    text = shown(made, "/out/n.txt")
    assert "incomplete (position 1" in text
    assert (
        "  nobody recorded what made lake/my customers@3; "
        "`lineage watch delta '/lake/my customers'` reads its log" in text
    )
    (origin,) = told(made, "/out/n.txt")["completeness"]["unknown_origins"]
    assert origin["id"] == artifact_id("file", "/lake/my customers", "3.00000000")


def test_relative_paths_start_where_the_person_stands(home: Path, tmp_path: Path) -> None:
    here = {**environment(home), "PWD": "/"}
    done = subprocess.run(
        [sys.executable, "-m", "lineage", "show", "models/churn.joblib", "--json"],
        env=here, cwd="/", capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert json.loads(done.stdout)["artifact"] == MODEL


def test_json_has_everything_that_is_printed(home: Path) -> None:
    story = told(home, "model:churn")
    nodes = {node["id"]: node for node in story["nodes"]}
    run = nodes[TRAIN]
    assert run["command"] == ["python", "train.py", "--depth", "3"]
    assert run["user"] == {"id": PERSON, "name": "Ada"}
    assert run["environment"]["digest"] == "e4" * 32
    assert nodes[tx(2)]["owner"] == {"status": "owned", "team": "team:data"}
    assert {edge["type"] for edge in story["edges"]} == {"USED", "GENERATED", "REVISION_OF"}
    assert story["completeness"]["complete"]


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (["nothing"], 66, "not-found"),
        (["table:tx@99"], 66, "not-found"),
        (["model:churn", "--as-of", "yesterday"], 65, "bad-time"),
        (["model:churn", "--as-of", "2026-09-22"], 65, "time-without-zone"),
        (["model:churn", "--known-at", "999"], 66, "not-found"),
        (["model:churn", "--known-at", "2"], 66, "not-found"),
    ],
)
def test_what_cannot_be_shown(home: Path, words: list[str], status: int, code: str) -> None:
    done = lineage(home, "show", *words, "--json")
    assert done.returncode == status
    assert done.stdout == ""
    assert json.loads(done.stderr)["error"]["code"] == code


def test_a_terminal_gets_a_tree(home: Path) -> None:
    reader, writer = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "lineage", "show", "model:churn"],
        env={**environment(home), "TERM": "xterm-256color", "COLUMNS": "100"},
        stdout=writer, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writer)
    parts: list[bytes] = []
    try:
        while part := os.read(reader, 65_536):
            parts.append(part)
    except OSError:  # the other end was closed
        pass
    os.close(reader)
    assert process.wait(SECONDS) == 0
    text = re.sub(r"\x1b\[[0-9;]*m", "", b"".join(parts).decode())
    assert "└──" in text
    assert "python train.py --depth 3" in text
    assert f"{REPORT}" not in text


def test_search(home: Path) -> None:
    text = lineage(home, "search", "tr")
    assert text.returncode == 0
    assert "job:local://laptop,train.py" in text.stdout
    found = json.loads(lineage(home, "search", "load", "--limit", "2", "--json").stdout)
    assert len(found["results"]) == 2
    assert found["truncated"]
    nothing = lineage(home, "search", "zzz")
    assert nothing.returncode == 0
    assert "nothing is called 'zzz'" in nothing.stdout
