"""What people type means one thing, or says why not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineage.errors import AmbiguousNameError, UnknownNameError
from lineage.model.changes import (
    AliasDeclared,
    ArtifactDescribed,
    Change,
    RunFinished,
    RunRef,
    TableCommitted,
)
from lineage.model.ids import artifact_id, delta_token, file_token, job_id, run_id, run_token
from lineage.query.names import resolve_name, resolve_names
from lineage.record.interpret import interpret
from lineage.record.recorder import Incoming, Recorder
from lineage.store.contract import Store, View
from lineage.store.memory import MemoryStore
from lineage.store.sqlite import SqliteStore
from tests.conformance.worlds import (
    ACTOR,
    CHURN,
    LAKE,
    MODEL,
    RAW,
    RISK,
    SHA,
    T0,
    TABLE_ID,
    TRAIN,
    TRAIN_JOB,
    TX,
    World,
    load,
    small_world,
    tx,
)

S3 = artifact_id("s3://bucket", "data/events")
DB = artifact_id("postgres://db", "shop.public.orders")
CUSTOMERS = artifact_id("s3://bucket", "crm/customers")


@pytest.fixture(params=["memory", "sqlite"])
def told(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store where runs said numbers of what they wrote."""
    store: Store = MemoryStore(interpret)
    if request.param == "sqlite":
        store = SqliteStore(tmp_path / "s.db", interpret)
    recorder = Recorder(store, key=b"k" * 32)
    for n, (run, number) in enumerate([("a", "1"), ("b", "2"), ("c", "2"), ("d", 3)]):
        version = {"version": {"datasetVersion": number}}
        output = {"namespace": "s3://lake", "name": "features/tx", "facets": version}
        event = {
            "eventTime": f"2026-11-20T00:00:0{n}Z", "eventType": "COMPLETE",
            "run": {"runId": run}, "job": {"namespace": "etl", "name": "n"}, "outputs": [output],
            "producer": "https://x.example",
        }  # fmt: skip
        body = json.dumps(event).encode()
        recorder.record([Incoming("openlineage.run", 1, "openlineage:x", body, T0 + n)], ACTOR)
    yield store
    store.close()


def made_by(run: str) -> str:
    return artifact_id("s3://lake", "features/tx", run_token(run_id("etl", "n", run)))


def test_a_number_that_only_the_producer_said_names_the_version(told: Store) -> None:
    view = View(told.head().seq)
    assert resolve_name(told, "s3://lake/features/tx@1", view) == made_by("a")
    assert resolve_name(told, "features/tx@3", view) == made_by("d")
    with pytest.raises(AmbiguousNameError) as twice:
        resolve_name(told, "s3://lake/features/tx@2", view)
    assert sorted(twice.value.where["candidates"]) == sorted([made_by("b"), made_by("c")])
    with pytest.raises(UnknownNameError):
        resolve_name(told, "s3://lake/features/tx@4", view)


def test_the_number_of_a_version_itself_comes_before_what_was_said(told: Store) -> None:
    table = {"namespace": "s3://lake", "name": "features/tx", "table_id": TABLE_ID}
    commit = TableCommitted(event_at=T0, version=1, carries=False, **table)  # type: ignore[arg-type]  # three of its fields
    Recorder(told, key=b"k" * 32).record_changes([commit], source="watch", actor=ACTOR)
    own = artifact_id("s3://lake", "features/tx", delta_token(1, TABLE_ID))
    assert resolve_name(told, "s3://lake/features/tx@1", View(told.head().seq)) == own


@pytest.fixture(scope="module")
def world() -> World:
    made = small_world()
    described: list[Change] = [
        ArtifactDescribed(event_at=T0, namespace="s3://bucket", name="data/events"),
        ArtifactDescribed(event_at=T0, namespace="postgres://db", name="shop.public.orders"),
        ArtifactDescribed(event_at=T0, namespace="file", name="/a/odd@name.csv"),
        ArtifactDescribed(event_at=T0, namespace="file", name="/a/Größe, neu.csv"),
    ]
    made.add(described)
    return made


NAMES = [
    # ids, whole and the beginning of one
    (TX, TX),
    (tx(2), tx(2)),
    (TRAIN, TRAIN),
    (LAKE, LAKE),
    ("run:local://laptop,train.py,0193", TRAIN),
    (TX[:-1], TX),
    # an id with the number people see, or the start of a digest
    (f"{TX}@2", tx(2)),
    (f"{MODEL}@{SHA[:6]}", CHURN),
    (f"{MODEL}@sha256.{SHA[:6]}", CHURN),
    # kind and name
    ("model:churn", MODEL),
    (f"model:churn@{SHA[:8]}", CHURN),
    ("table:features/tx", TX),
    ("table:tx", TX),
    ("table:features/tx@4", tx(4)),
    (f"table:features/tx@{delta_token(4, TABLE_ID)}", tx(4)),
    ("job:train.py", TRAIN_JOB),
    ("run:load-3", load(3)),
    ("team:risk", RISK),
    # paths and URIs
    ("/lake/features/tx", TX),
    ("/lake/features/tx/", TX),
    ("/lake//features/./tx@1", tx(1)),
    ("file:///lake/raw.csv", RAW),
    ("s3://bucket/data/events", S3),
    ("s3a://bucket/data/events/", S3),
    ("postgres://db:5432/shop.public.orders", DB),
    ("/a/odd@name.csv", artifact_id("file", "/a/odd@name.csv")),
    ("/a/Größe, neu.csv", artifact_id("file", "/a/Größe, neu.csv")),
    # plain names: as shown, any case, beginnings
    ("churn", MODEL),
    ("CHURN", MODEL),
    ("churn.joblib", MODEL),
    ("features/tx", TX),
    ("tx@3", tx(3)),
    ("train.py", TRAIN_JOB),
    ("risk", RISK),
    ("Größe, neu.csv", artifact_id("file", "/a/Größe, neu.csv")),
    ("01936893-9751", TRAIN),
]


@pytest.mark.parametrize(("typed", "meant"), NAMES)
def test_what_people_type(world: World, typed: str, meant: str) -> None:
    assert resolve_name(world.store, typed, View(world.store.head().seq)) == meant


@pytest.mark.parametrize(
    "typed",
    [
        "", " ", "@", "@3", "nothing", "model:", ":", "model:tx", "table:churn", "tx@99", "tx@",
        "lake/features/tx2", "/lake/features", "s3://", "s3://bucket", "file://", "run:",
        "team:nobody", "/features/tx", "/models/churn", "s3://elsewhere/data/events",
        "artifact:file,/lake/features/tx@sha256.00", "x" * 10_000, "%", "a,b", "\x00", "chu",
    ],
)  # fmt: skip
def test_what_means_nothing_is_said_to(world: World, typed: str) -> None:
    with pytest.raises(UnknownNameError):
        resolve_name(world.store, typed, View(world.store.head().seq))


def test_relative_paths_need_a_directory_to_start_from(world: World) -> None:
    view = View(world.store.head().seq)
    assert resolve_name(world.store, "raw.csv", view, base="/lake") == RAW
    assert resolve_name(world.store, "../lake/features/tx@0", view, base="/elsewhere") == tx(0)
    with pytest.raises(UnknownNameError):
        resolve_name(world.store, "../lake/features/tx", view)


def test_a_version_that_is_not_there_is_told_apart_from_a_name_that_is_not(world: World) -> None:
    with pytest.raises(UnknownNameError) as caught:
        resolve_name(world.store, "table:features/tx@77", View(world.store.head().seq))
    assert TX in caught.value.hint


def test_what_nobody_knew_yet_has_no_name(world: World) -> None:
    with pytest.raises(UnknownNameError):
        resolve_name(world.store, "model:churn", View(3))


def test_the_valid_time_does_not_change_what_a_name_means(world: World) -> None:
    assert resolve_name(world.store, "table:tx@4", View(world.store.head().seq, T0)) == tx(4)


def commit(name: str, version: int, table_id: str) -> TableCommitted:
    return TableCommitted(
        event_at=T0 + version, namespace="s3://bucket", name=name, table_id=table_id,
        version=version, carries=False,
    )  # fmt: skip


def test_several_things_of_one_name_are_listed() -> None:
    world = World()
    world.add([commit("a/sales", 1, "one"), commit("b/sales", 1, "two")])
    view = View(world.store.head().seq)
    a, b = artifact_id("s3://bucket", "a/sales"), artifact_id("s3://bucket", "b/sales")
    with pytest.raises(AmbiguousNameError) as caught:
        resolve_name(world.store, "table:sales", view)
    assert caught.value.where["candidates"] == [a, b]
    assert resolve_name(world.store, "table:a/sales", view) == a


def test_a_table_made_again_has_two_versions_of_one_number() -> None:
    world = World()
    world.add([commit("sales", 3, "first"), commit("sales", 3, "second")])
    table = artifact_id("s3://bucket", "sales")
    versions = [f"{table}@{delta_token(3, made)}" for made in ("first", "second")]
    view = View(world.store.head().seq)
    with pytest.raises(AmbiguousNameError) as caught:
        resolve_name(world.store, "table:sales@3", view)
    assert caught.value.where["candidates"] == sorted(versions)
    assert resolve_name(world.store, versions[0], view) == versions[0]


def test_two_names_of_one_thing_are_not_ambiguous() -> None:
    world = World()
    world.add([commit("a/sales", 1, "one"), commit("b/sales", 1, "one")])
    a, b = artifact_id("s3://bucket", "a/sales"), artifact_id("s3://bucket", "b/sales")
    world.add([AliasDeclared(event_at=T0, a=a, b=b)])
    assert resolve_name(world.store, "table:sales", View(world.store.head().seq)) == a


def test_kind_tells_a_job_from_a_run_of_that_name() -> None:
    world = World()
    run = RunRef(namespace="n", job="nightly", run_id="nightly")
    world.add([RunFinished(event_at=T0, run=run, state="COMPLETE")])
    view = View(world.store.head().seq)
    with pytest.raises(AmbiguousNameError):
        resolve_name(world.store, "nightly", view)
    assert resolve_name(world.store, "job:nightly", view) == job_id("n", "nightly")
    assert resolve_name(world.store, "run:nightly", view) == run_id("n", "nightly", "nightly")


def test_more_candidates_than_are_listed() -> None:
    world = World()
    world.add([
        ArtifactDescribed(event_at=T0, namespace="file", name=f"/{n}/data.csv") for n in range(30)
    ])  # fmt: skip
    with pytest.raises(AmbiguousNameError) as caught:
        resolve_name(world.store, "data.csv", View(world.store.head().seq))
    assert len(caught.value.where["candidates"]) == 10
    assert "more than 10" in caught.value.message


def test_many_names_at_once_each_with_its_own_error(world: World) -> None:
    view = View(world.store.head().seq)
    found = resolve_names(world.store, [TX, "nothing", "model:churn"], view)
    assert (found[0], found[2]) == (TX, MODEL)
    assert isinstance(found[1], UnknownNameError)


def test_a_prefix_of_a_digest_needs_four_characters(world: World) -> None:
    view = View(world.store.head().seq)
    with pytest.raises(UnknownNameError):
        resolve_name(world.store, f"model:churn@{SHA[:3]}", view)
    assert file_token(SHA).startswith("sha256.")
