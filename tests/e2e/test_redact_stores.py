"""Redaction on every kind of store: what a team's database has of it, and what it keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lineage.model.changes import PersonDescribed, UserFacts
from tests.homes import T0, Home

NAME, PERSON = "Erica Mustermann", "person:3f2a"

pytestmark = pytest.mark.both_stores


def test_a_person_is_erased_from_any_store_and_what_is_left_is_named(
    tmp_path: Path, store_kind: str
) -> None:
    home = Home(tmp_path)
    home.record(
        PersonDescribed(event_at=T0, person=PERSON, attributes={"name": NAME}),
        home.run(user=UserFacts(person=PERSON, name=NAME), parameters={"lr": 1}),
    )
    tar = home.root / "b.tar"
    home.does("backup", str(tar))
    assert home.holds(NAME.encode())
    own_file = store_kind == "sqlite"
    done = home.does("redact", PERSON, "--reason", "Art. 17")
    assert (done["redacted"], done["rewritten"]) == (2, [str(tar)])
    assert (done["left"], done["complete"]) == ([], True)
    reminders = [each["place"] for each in done["reminders"]]
    assert reminders == ([] if own_file else ["the database"])
    assert home.holds(NAME.encode()) == []
    home.is_sound()
    assert all(NAME not in json.dumps(json.loads(e["body"])) for e in home.entries())
    search = '{ node(id: "person:3f2a") { displayName } }'
    assert home.does("graphql", search)["data"]["node"] == {"displayName": "3f2a"}
    assert not home.does("redactions", "list")["unfinished"]
