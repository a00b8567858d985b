"""The service as its users meet it: started, asked, sent to, and stopped: asking."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.service.asking import HEAD, post, run
from tests.serving import Serving, event, lineage

pytestmark = pytest.mark.both_stores


def test_what_was_sent_can_be_asked(serving: Serving) -> None:
    post(serving, event(run(40)))
    answer = serving.ask(f"""{{ lineage(id: "s3://lake/out-{run(40)}") {{
      nodes {{ depth node {{ id kind ... on Run {{ state }} }} }}
      completeness {{ complete unresolved {{ artifact }} }} }} }}""")["lineage"]
    assert [item["node"].get("state") for item in answer["nodes"] if item["depth"] == 1] == [
        "COMPLETE"
    ]
    assert answer["completeness"]["unresolved"] == [{"artifact": "artifact:s3://lake,raw"}]


def test_questions_by_get_and_changes_only_by_post(serving: Serving) -> None:
    query = "query($n: Int!) { artifacts(first: $n) { edges { node { id } } } }"
    answer = serving.client.get("/graphql", params={"query": query, "variables": '{"n": 1}'})
    assert answer.status_code == 200
    assert "data" in answer.json()
    mutation = 'mutation { claimOwner(team: "t", target: "artifact:file,/t") { seq } }'
    before = serving.ask(HEAD)
    refused = serving.client.get("/graphql", params={"query": mutation})
    assert refused.status_code == 405
    assert refused.json()["errors"][0]["extensions"]["code"] == "bad-query"
    assert serving.ask(HEAD) == before


def test_media_types_of_answers(serving: Serving) -> None:
    for accept, kind, bad in (
        ("application/graphql-response+json", "application/graphql-response+json", 400),
        ("*/*", "application/graphql-response+json", 400),
        ("application/json", "application/json", 200),
    ):
        headers = {"accept": accept}
        good = serving.client.post("/graphql", json={"query": HEAD}, headers=headers)
        assert (good.status_code, good.headers["content-type"]) == (200, kind)
        wrong = serving.client.post("/graphql", json={"query": "{ nope }"}, headers=headers)
        assert (wrong.status_code, wrong.headers["content-type"]) == (bad, kind)


def test_the_schema_is_served_as_it_is_published(serving: Serving) -> None:
    published = Path(__file__).parents[3] / "schema" / "graphql" / "schema.graphql"
    served = serving.client.get("/graphql/schema.graphql")
    assert served.text == published.read_text(encoding="utf-8")


def test_the_same_answer_from_the_command_line(serving: Serving) -> None:
    post(serving, event(run(41)))
    query = f'{{ lineage(id: "s3://lake/out-{run(41)}") {{ nodes {{ node {{ id }} }} }} }}'
    printed = lineage(serving.home, "graphql", query)
    assert printed.returncode == 0, printed.stderr
    answer = json.loads(printed.stdout)["data"]
    assert answer == serving.ask(query)
    shown = lineage(serving.home, "show", f"s3://lake/out-{run(41)}", "--json", "--all-versions")
    nodes = [node["id"] for node in json.loads(shown.stdout)["nodes"]]
    assert nodes == [item["node"]["id"] for item in answer["lineage"]["nodes"]]
