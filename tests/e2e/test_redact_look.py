"""Before a redaction: finding the entry or person, and what it would reach. And after it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lineage.cli.redacting import tell
from lineage.model.changes import PersonDescribed, UserFacts
from lineage.record.redact.erase import Order, redact
from lineage.record.redact.plan import plan_entries
from lineage.wiring import erasing_places, open_workspace
from tests.homes import T0, Home
from tests.serving import SECONDS, environment, lineage

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "redact.md"
LOGIN, PERSON, OTHER = "annsmith", "person:3f2a", "person:77b0"

pytestmark = pytest.mark.sqlite


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def _found(home: Home, text: str, *more: str) -> list[dict[str, Any]]:
    rows: Any = home.does("ledger", "list", "--grep", text, *more)
    return list(rows)


def test_a_login_that_a_run_told_names_its_person(home: Home) -> None:
    subprocess.run(
        [sys.executable, "-m", "lineage", "run", "--", "true"], cwd=home.root, check=True,
        env=environment(home.home, {"LOGNAME": LOGIN}), timeout=SECONDS,
    )  # fmt: skip
    (entry,) = _found(home, LOGIN)
    dry = home.does("redact", LOGIN.upper(), "--reason", "Art. 17", "--dry-run")
    assert [each["seq"] for each in dry["entries"]] == [entry["seq"]]
    assert dry["person"] == entry["actor"]
    assert home.does("redact", LOGIN, "--reason", "Art. 17")["redacted"] == 1
    assert home.holds(LOGIN.encode()) == []
    home.is_sound()
    again = home.does("redact", LOGIN, "--reason", "Art. 17", status=66)
    assert again["error"]["code"] == "not-found"
    assert home.does("redact", entry["actor"], "--reason", "Art. 17")["entries"] == []


def test_a_name_of_two_people_erases_neither_and_lists_them(home: Home) -> None:
    home.record(
        home.run(user=UserFacts(person=PERSON, name=LOGIN)),
        PersonDescribed(event_at=T0, person=OTHER, attributes={"displayName": LOGIN}),
    )
    before = home.entries()
    said = home.does("redact", LOGIN, "--reason", "x", status=66)["error"]
    assert (said["code"], said["where"]["candidates"]) == ("ambiguous-name", [PERSON, OTHER])
    assert home.entries() == before


def test_a_login_of_machines_goes_from_its_person_and_stays_as_a_word(home: Home) -> None:
    home.record(
        home.run(user=UserFacts(person=PERSON, name="ubuntu"), parameters={"image": "ubuntu 24"})
    )
    assert home.does("redact", "ubuntu", "--reason", "Art. 17")["redacted"] == 1
    body = json.loads(home.entries()[0]["body"])
    assert (body["user"], body["parameters"]) == ({"person": PERSON}, {"image": "ubuntu 24"})


def test_entries_are_found_by_a_text_however_it_is_written(home: Home) -> None:
    texts = ['Käthe said "hi"\n', "nothing", "Käthe", "\N{GRINNING FACE}"]
    for each in texts:
        home.record(home.run(parameters={"p": each}))

    def found(text: str, *more: str) -> list[int]:
        return [row["seq"] for row in _found(home, text, *more)]

    assert found("Käthe") == [1, 3]
    assert found("Käthe", "--limit", "1") == [1]
    assert found("Käthe", "--after", "1") == [3]
    assert found('said "hi"') == [1]
    assert found("\N{GRINNING FACE}") == [4]
    assert found("Kathe") == []
    said = lineage(home.home, "ledger", "list", "--grep", "nothing").stdout
    assert _found(home, "nothing")[0]["actor"] in said


def test_looking_names_every_copy_and_what_was_handed_out(home: Home) -> None:
    home.record(home.run())
    tar, exported = home.root / "b.tar", home.root / "all.ndjson"
    home.does("backup", str(tar))
    home.does("ledger", "export", str(exported))
    dry = home.does("redact", "1", "--reason", "x", "--dry-run")
    assert dry["copies"] == [{"kind": "backup", "place": str(tar)}]
    assert [(each["what"], each["place"]) for each in dry["handed_out"]] == [
        ("export", str(exported))
    ]
    said = lineage(home.home, "redact", "1", "--reason", "x", "--dry-run").stdout
    assert "1 entry, 0 blobs\n" in said
    assert f"would be rewritten  backup {tar}\n" in said
    assert f"handed out export {exported}" in said
    said = lineage(home.home, "redact", "1", "--reason", "x").stdout
    assert said.startswith("1 entry redacted; erased: 0 waiting changes, 0 dead letters, 0 blobs\n")
    assert f"rewritten  {tar}\n" in said
    assert home.does("redact", "1", "--reason", "x", "--dry-run")["copies"] == []


def test_the_list_tells_what_was_redacted_in_words(home: Home) -> None:
    for _ in range(3):
        home.record(home.run())
    home.does("redact", "1", "3", "--reason", "by mistake")
    (done,) = home.does("redactions", "list")["redactions"]
    assert (done["entries"], done["reason"]) == ([1, 3], "by mistake")
    said = lineage(home.home, "redactions", "list").stdout
    assert said.startswith("a redaction takes one person\nredacted  at ")
    assert f"by {done['by']}  2 entries (1, 3)\n" in said
    assert "reason: by mistake\n" in said
    home.does("redactions", "require", "2", "--reason", "policy")
    home.does("redact", "2", "--reason", "as well")
    said = lineage(home.home, "redactions", "list").stdout
    assert said.startswith("a redaction takes two people\n")
    assert "  1 entry\n          reason: as well\n          approve: lineage redactions" in said


def test_a_redacted_entry_is_proved_from_the_next_checkpoint_on(home: Home) -> None:
    home.does("ledger", "init-key", "--name", "example.test/log")
    seq = home.record(home.run())
    home.does("ledger", "checkpoint")
    home.does("redact", str(seq), "--reason", "x")
    proof = str(home.root / "proof.json")
    home.does("ledger", "prove", str(seq), "-o", proof, status=66)
    home.does("ledger", "checkpoint")
    home.does("ledger", "prove", str(seq), "-o", proof)


def test_what_no_program_can_clear_is_a_reminder_and_not_a_failure(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on a database, which keeps what it deleted until it uses the place again."""
    home.record(home.run())
    with open_workspace(home.settings) as ws:
        places = replace(erasing_places(ws), beyond="prune its logs")
        plan = plan_entries(ws.store, ws.blobs, [1])
        report = redact(places, plan, Order("x", ws.actor, T0))
        tell(report, {}, as_json=False)
        assert not places.unfinished()
    assert "remember   the database: prune its logs\n" in capsys.readouterr().out
    assert report.as_dict()["complete"]


def test_the_page_can_be_followed_word_by_word(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    part = text[text.index("## Find it") : text.index("| place |")]
    commands = [line[4:] for line in part.splitlines() if line.startswith("    ")]
    tools, place = tmp_path / "bin", tmp_path / "page"
    tools.mkdir()
    place.mkdir()
    program = tools / "lineage"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lineage "$@"\n')
    program.chmod(0o755)
    # Runs tell the login that the machine knows, if no variable says another.
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LINEAGE_")}
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        kept.pop(name, None)
    done = subprocess.run(
        ["bash", "-ec", "\n".join(commands)], cwd=place, capture_output=True, text=True,
        env={**kept, "PATH": f"{tools}:{kept['PATH']}", "PYTHONPATH": str(PAGE.parents[2])},
        timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 entry redacted" in done.stdout
    assert done.stdout.count("run.started") == 3, "found once, in both plans, and not again"
