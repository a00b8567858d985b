"""What OpenLineage events mean, event by event."""

from __future__ import annotations

import json
from typing import Any

from lineage.model.claims import Claims, EdgeType, StateType
from lineage.model.ids import run_token
from lineage.record.interpret import interpret

RUN = "run:n,j,r1"


def read(event_type: str = "COMPLETE", **fields: Any) -> Claims:
    event = {
        "eventTime": "2026-11-21T08:00:00Z",
        "eventType": event_type,
        "run": {"runId": "r1", **fields.pop("run", {})},
        "job": {"namespace": "n", "name": "j", **fields.pop("job", {})},
        **fields,
    }
    return interpret("openlineage.run", 1, json.dumps(event).encode())


def dataset(name: str, **facets: Any) -> dict[str, Any]:
    return {"namespace": "file", "name": name, "facets": facets}


def version(said: str) -> dict[str, Any]:
    return {"datasetVersion": said}


def edges(claims: Claims, kind: EdgeType) -> list[tuple[str, str, str]]:
    return [(e.up, e.down, e.said) for e in claims.occurrences if e.type is kind]


def shown(claims: Claims, kind: StateType) -> dict[tuple[str, str], str]:
    return {(s.subject, s.object): s.value for s in claims.states if s.type is kind}


def test_an_unversioned_output_is_what_this_run_wrote() -> None:
    claims = read(outputs=[dataset("/tx")])
    assert edges(claims, EdgeType.GENERATED) == [(RUN, f"artifact:file,/tx@{run_token(RUN)}", "")]


def test_a_bare_number_is_said_not_a_token() -> None:
    claims = read(inputs=[dataset("/tx", version=version("12"))])
    assert edges(claims, EdgeType.USED) == [("artifact:file,/tx", RUN, "12")]


def test_a_token_or_an_opaque_version_is_taken_as_it_is() -> None:
    claims = read(
        inputs=[dataset("/tx", version=version("12.1f3a9c2e"))],
        outputs=[dataset("/m", version=version("v3"))],
    )
    assert edges(claims, EdgeType.USED) == [("artifact:file,/tx@12.1f3a9c2e", RUN, "")]
    assert edges(claims, EdgeType.GENERATED) == [(RUN, "artifact:file,/m@v3", "")]


def test_output_versions_count_on_complete_only() -> None:
    """Spark's START names the version before."""
    started = read("START", outputs=[dataset("/tx", version=version("0"))])
    assert [said for _, _, said in edges(started, EdgeType.GENERATED)] == [""]
    ended = read("COMPLETE", outputs=[dataset("/tx", version=version("1"))])
    assert [said for _, _, said in edges(ended, EdgeType.GENERATED)] == ["1"]


def test_an_input_version_that_is_the_output_version_is_ignored() -> None:
    """Spark's MERGE says the new version as input at COMPLETE: a cycle."""
    claims = read(
        inputs=[dataset("/tx", version=version("2"))],
        outputs=[dataset("/tx", version=version("2"))],
    )
    assert edges(claims, EdgeType.USED) == [("artifact:file,/tx", RUN, "")]


def test_the_parent_triggers_unless_it_cannot_be_told() -> None:
    parent = {"run": {"runId": "p"}, "job": {"namespace": "n", "name": "dag"}}
    claims = read(run={"facets": {"parent": parent}})
    assert edges(claims, EdgeType.TRIGGERED_BY) == [("run:n,dag,p", RUN, "")]
    broken = {"run": {"noRunId": "p"}, "job": {"namespace": "n", "name": "dag"}}
    assert not edges(read(run={"facets": {"parent": broken}}), EdgeType.TRIGGERED_BY)


def test_symlinks_are_aliases_and_drop_ends_existence() -> None:
    link = {"identifiers": [{"namespace": "hive://h", "name": "db.tx", "type": "TABLE"}]}
    claims = read(outputs=[dataset("/tx", symlinks=link)])
    assert shown(claims, StateType.SAME_AS) == {
        ("artifact:file,/tx", "artifact:hive://h,db.tx"): "on"
    }
    dropped = read(outputs=[dataset("/tx", lifecycleStateChange={"lifecycleStateChange": "DROP"})])
    assert edges(dropped, EdgeType.INVALIDATED) == [(RUN, "artifact:file,/tx", "")]
    assert shown(dropped, StateType.EXISTS) == {("artifact:file,/tx", ""): "off"}
    assert not edges(dropped, EdgeType.GENERATED)


def test_a_rename_derives_the_new_name_from_the_old() -> None:
    facet = {
        "lifecycleStateChange": "RENAME",
        "previousIdentifier": {"namespace": "file", "name": "/old"},
    }
    claims = read(outputs=[dataset("/new", lifecycleStateChange=facet)])
    ((up, down, _),) = edges(claims, EdgeType.DERIVED_FROM)
    assert (up, down) == ("artifact:file,/old", f"artifact:file,/new@{run_token(RUN)}")
    assert shown(claims, StateType.EXISTS)["artifact:file,/old", ""] == "off"


def test_teams_own_and_people_are_contacts() -> None:
    owners = [{"name": "team:risk"}, {"name": "ann@example.test"}, {"no-name": 1}, "x"]
    claims = read(job={"facets": {"ownership": {"owners": owners}}})
    assert shown(claims, StateType.OWNED_BY) == {
        ("job:n,j", "team:risk|catalog:openlineage"): "claimed"
    }
    assert shown(claims, StateType.ATTRIBUTE)["job:n,j", "contacts"] == '["ann@example.test"]'


def test_facets_of_any_shape_break_nothing() -> None:
    junk: list[Any] = [None, 3, "x", [], [3], {}, {"fields": "x"}, {"owners": {}}, {"job": 3}]
    for value in junk:
        names = ("schema", "version", "ownership", "symlinks", "lifecycleStateChange",
                 "documentation", "dataSource")  # fmt: skip
        facets = dict.fromkeys(names, value)
        claims = read(
            inputs=[{"namespace": "f", "name": "a", "facets": facets}],
            outputs=[{"namespace": "f", "name": "b", "facets": facets}],
            run={"facets": {"parent": value, "errorMessage": value, "processing_engine": value}},
            job={"facets": {"ownership": value, "sourceCodeLocation": value, "jobType": value}},
        )
        assert edges(claims, EdgeType.GENERATED)


def test_a_kind_from_the_future_says_nothing() -> None:
    assert interpret("openlineage.run", 2, b"{}") == Claims()
    assert interpret("quantum.run", 1, b"not even json") == Claims()


def test_job_and_dataset_events_speak_of_designs() -> None:
    job = {
        "eventTime": "2026-11-21T08:00:00Z",
        "job": {"namespace": "n", "name": "j"},
        "inputs": [dataset("/a")],
        "outputs": [dataset("/b")],
    }
    claims = interpret("openlineage.job", 1, json.dumps(job).encode())
    assert edges(claims, EdgeType.USED) == [("artifact:file,/a", "job:n,j", "")]
    assert edges(claims, EdgeType.GENERATED) == [("job:n,j", "artifact:file,/b", "")]
    fields = [{"name": "id", "type": "long"}]
    event = {
        "eventTime": "2026-11-21T08:00:00Z",
        "dataset": dataset("/a", schema={"fields": fields}),
    }
    said = interpret("openlineage.dataset", 1, json.dumps(event).encode())
    assert json.loads(shown(said, StateType.ATTRIBUTE)["artifact:file,/a", "schema"]) == fields
