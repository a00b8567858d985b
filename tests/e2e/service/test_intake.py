"""The service as its users meet it: started, asked, sent to, and stopped: taking in."""

from __future__ import annotations

import gzip
import json

import pytest

from tests.e2e.service.asking import JSON, nameless, post, run
from tests.serving import Serving, event

pytestmark = pytest.mark.both_stores


def test_an_event_is_recorded_once(serving: Serving) -> None:
    first = post(serving, event(run(10)))
    assert first.status_code == 201
    assert first.json() == {"status": "recorded", "seq": first.json()["seq"], "warnings": []}
    again = post(serving, event(run(10)))
    assert again.status_code == 201
    assert again.json() == {"status": "duplicate", "seq": first.json()["seq"], "warnings": []}


def test_warnings_come_back(serving: Serving) -> None:
    answer = post(serving, event("not-a-uuid")).json()
    assert answer["status"] == "recorded"
    assert answer["warnings"]


def test_an_array_gets_a_result_for_each(serving: Serving) -> None:
    good, bad = event(run(20)), nameless(21)
    accepted = post(serving, [good, event(run(22))])
    assert accepted.status_code == 201
    assert accepted.json()["summary"] == {"accepted": 2, "refused": 0}
    mixed = post(serving, [good, bad, event(run(23))])
    assert mixed.status_code == 207
    statuses = [result["status"] for result in mixed.json()["results"]]
    assert statuses == ["duplicate", "refused", "recorded"]
    refusal = mixed.json()["results"][1]
    assert (refusal["code"], refusal["pointer"]) == ("no-run-id", "/run/runId")
    assert refusal["dead_letter"]
    assert post(serving, [bad, bad]).status_code == 422


def test_spark_compresses_what_it_sends(serving: Serving) -> None:
    body = gzip.compress(json.dumps(event(run(30))).encode())
    for content, encoding in ((body, "gzip"), (body[:100], "gzip"), (body + body, "gzip")):
        answer = serving.client.post(
            "/api/v1/lineage", content=content, headers={**JSON, "content-encoding": encoding}
        )
        if content == body:
            assert answer.json()["status"] == "recorded"
        else:
            assert answer.status_code == 400


def test_a_body_in_several_gzip_members_is_one_body(serving: Serving) -> None:
    text = json.dumps([event(run(31)), event(run(32))]).encode()
    body = gzip.compress(text[:77]) + gzip.compress(text[77:])
    headers = {**JSON, "content-encoding": "gzip"}
    answer = serving.client.post("/api/v1/lineage", content=body, headers=headers)
    assert answer.json()["summary"] == {"accepted": 2, "refused": 0}


def test_our_own_changes(serving: Serving) -> None:
    change = {
        "kind": "tag.added", "event_at": 1, "target": "artifact:file,/t", "tag": "pii",
    }  # fmt: skip
    sent = {"changes": [{"source": "tester", "event_id": "1", "change": change}]}
    first = serving.client.post("/api/v1/changes", json=sent)
    assert (first.status_code, first.json()["results"][0]["status"]) == (201, "recorded")
    again = serving.client.post("/api/v1/changes", json=sent)
    assert again.json()["results"][0]["status"] == "duplicate"
    states = '{ node(id: "artifact:file,/t") { states(types: [TAGGED]) { object } } }'
    assert serving.ask(states)["node"]["states"] == [{"object": "pii"}]
