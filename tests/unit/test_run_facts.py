"""Which run made a thing, and what the record says of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineage.errors import ReproduceError, UnknownNameError
from lineage.model.changes import (
    Change,
    EntryRedacted,
    Output,
    RunFinished,
    RunRef,
    RunStarted,
    Use,
)
from lineage.model.envelope import Actor
from lineage.model.ids import artifact_id, run_id
from lineage.record.interpret import interpret
from lineage.record.recorder import Recorder
from lineage.reproduce.contents import contents_of
from lineage.reproduce.facts import load_run
from lineage.store.blobs import DirectoryBlobs
from lineage.store.contract import View
from lineage.store.memory import MemoryStore

ACTOR = Actor("service:file,test")
MODEL = "/models/m.joblib"
HOST = "local://here"


class Record:
    def __init__(self) -> None:
        self.store = MemoryStore(interpret)
        self.recorder = Recorder(self.store, key=b"k" * 32)

    def say(self, change: Change, name: str) -> None:
        self.recorder.record_changes([change], source="run", actor=ACTOR, event_ids=[name])

    def start(self, name: str, at: int) -> None:
        ref = RunRef(namespace=HOST, job="train", run_id=name)
        self.say(RunStarted(event_at=at, run=ref, command=["train", name]), f"{name}.started")

    def finish(self, name: str, at: int, **facts: Any) -> None:
        ref = RunRef(namespace=HOST, job="train", run_id=name)
        change = RunFinished(event_at=at, run=ref, state="COMPLETE", exit_code=0, **facts)
        self.say(change, f"{name}.finished")

    def run(self, name: str, at: int, digest: str) -> str:
        """A run that writes the model."""
        self.start(name, at)
        made = Output(namespace="file", name=MODEL, version=f"sha256.{digest}", at=at + 1)
        self.finish(name, at + 2, outputs=[made])
        return run_id(HOST, "train", name)

    @property
    def view(self) -> View:
        return View(self.store.head().seq)


@pytest.fixture
def record() -> Record:
    return Record()


def test_a_thing_is_made_by_its_run_and_the_latest_one_is_meant(record: Record) -> None:
    record.run("a", 10, "aa")
    last = record.run("b", 20, "bb")
    record.run("c", 15, "bb")
    model = artifact_id("file", MODEL)
    for asked, subject in (
        (model, f"{model}@sha256.bb"),
        (f"{model}@sha256.bb", f"{model}@sha256.bb"),
        (last, last),
    ):
        facts = load_run(record.store, asked, record.view)
        assert (facts.run, facts.subject) == (last, subject)
        assert facts.started.command == ["train", "b"]
    first = load_run(record.store, f"{model}@sha256.aa", record.view)
    assert first.started.command == ["train", "a"]


def test_what_no_run_made_is_not_found(record: Record) -> None:
    record.start("a", 10)
    used = Use(namespace="file", name="/in.csv", version="sha256.cc", at=11)
    record.finish("a", 12, uses=[used])
    with pytest.raises(UnknownNameError):
        load_run(record.store, artifact_id("file", "/in.csv"), record.view)


def test_a_run_without_an_end_or_a_command_cannot_be_run_again(record: Record) -> None:
    record.start("a", 10)
    with pytest.raises(ReproduceError, match="not ended"):
        load_run(record.store, run_id(HOST, "train", "a"), record.view)
    record.finish("b", 12)
    with pytest.raises(ReproduceError, match="command"):
        load_run(record.store, run_id(HOST, "train", "b"), record.view)


@pytest.mark.parametrize("part", ["started", "finished"])
def test_a_redacted_run_is_erased(record: Record, part: str) -> None:
    run = record.run("a", 10, "aa")
    stub: dict[str, Any] = {
        "kind": f"run.{part}", "v": 1, "event_at": 12,
        "run": {"namespace": HOST, "job": "train", "run_id": "a"},
    }  # fmt: skip
    if part == "started":
        stub["command"] = []
    else:
        stub["state"] = "COMPLETE"
        stub["outputs"] = [{"namespace": "file", "name": MODEL, "version": "sha256.aa", "at": 11}]
    record.say(
        EntryRedacted(
            event_at=20, source="run", event_id=f"a.{part}", stub=json.dumps(stub),
            reason="asked for", by="person:x",
        ),
        "redaction",
    )  # fmt: skip
    facts = load_run(record.store, run, record.view)
    assert facts.erased == (f"run.{part}",)


def test_a_folder_is_every_file_that_was_met_in_it(record: Record, tmp_path: Any) -> None:
    blobs = DirectoryBlobs(tmp_path)
    inner = blobs.put(json.dumps([["1.png", "sha256.11", ""]]).encode())
    outer = blobs.put(json.dumps([["0.png", "sha256.00", ""], ["deep", "", inner]]).encode())
    used = Use.model_validate({
        "namespace": "file", "name": "/images", "artifact_kind": "directory", "at": 1,
        "manifest": outer,
    })  # fmt: skip
    run = record.run("a", 10, "aa")
    facts = load_run(record.store, run, record.view)
    parts = contents_of(facts, used, blobs)
    assert [(part.path, part.sha256) for part in parts] == [
        ("/images/0.png", "00"),
        ("/images/deep/1.png", "11"),
    ]
    gone = used.model_copy(update={"manifest": "f" * 64})
    assert [part.kind for part in contents_of(facts, gone, blobs)] == ["directory"]


@pytest.mark.parametrize(("command", "erased"), [("train", ()), ("[erased]", ("run.started",))])
def test_a_run_whose_person_was_erased_is_whole(
    record: Record, command: str, erased: tuple[str, ...]
) -> None:
    """Unless the person was in what it takes to run it again."""
    run = record.run("a", 10, "aa")
    stub = {
        "kind": "run.started", "v": 1, "event_at": 10, "command": [command],
        "run": {"namespace": HOST, "job": "train", "run_id": "a"},
    }  # fmt: skip
    change = EntryRedacted(
        event_at=20, source="run", event_id="a.started", stub=json.dumps(stub), reason="asked for",
        by="person:x",
    )  # fmt: skip
    record.say(change, "redaction")
    assert load_run(record.store, run, record.view).erased == erased
