"""What is handed out of the ledger is noted first, in a ledger of its own, or not handed out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import apsw
import pytest

from lineage.model.changes import PersonDescribed
from lineage.wiring import open_workspace
from tests.homes import T0, Home
from tests.serving import Serving, lineage

BODY = "{ ledger { entries(first: 9) { edges { node { body } } } } }"

pytestmark = pytest.mark.sqlite


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    for n in range(3):
        home.record(PersonDescribed(event_at=T0 + n, person="person:x", attributes={"n": n}))
    return home


def _noted(home: Home, *words: str) -> list[tuple[Any, ...]]:
    rows: Any = home.does("audit", "list", *words)
    return [(row["what"], row["ranges"], row["place"], row["purpose"]) for row in rows]


def test_every_way_out_is_noted_with_its_purpose_and_the_position_stays(home: Home) -> None:
    home.does("ledger", "init-key", "--name", "test/main")
    head = home.does("ledger", "head")
    out = {name: str(home.root / name) for name in ("b.tar", "e.ndjson", "p.json", "arch", "r.db")}
    home.does("backup", out["b.tar"], "--purpose", "nightly")
    home.does("ledger", "export", out["e.ndjson"], "--purpose", "yearly audit")
    home.does("ledger", "prove", "2", "-o", out["p.json"])
    home.does("archive", out["arch"])
    home.does("rebuild", "--keep", out["r.db"])
    home.does("ledger", "show", "1")
    home.does("graphql", BODY, "--purpose", "case 12")
    home.does("graphql", '{ ledger { proof(id: "2") } }')
    whole = [[1, 4]]
    assert _noted(home) == [
        ("backup", whole, out["b.tar"], "nightly"),
        ("export", whole, out["e.ndjson"], "yearly audit"),
        ("proof", [[2, 2]], out["p.json"], ""),
        ("archive", whole, out["arch"], ""),
        ("rebuild", whole, out["r.db"], ""),
        ("body", [[1, 1]], "", ""),
        ("graphql", whole, "", "case 12"),
        ("graphql", [[2, 2]], "", ""),
    ]
    assert [row[0] for row in _noted(home, "--entry", "3")] == [
        "backup", "export", "archive", "rebuild", "graphql",
    ]  # fmt: skip
    assert home.does("ledger", "head") == head


def test_what_shows_no_body_is_not_noted(home: Home) -> None:
    home.does("ledger", "verify")
    home.does("ledger", "list")
    home.does("graphql", "{ ledger { entries(first: 9) { edges { node { leaf } } } } }")
    assert lineage(home.home, "audit", "list").returncode == 74
    assert not home.settings.audit.store_path.exists()


def test_a_service_notes_before_it_answers(home: Home) -> None:
    with Serving(home.home) as serving:
        why = {"X-Lineage-Purpose": "case 7"}
        answer = serving.client.post("/graphql", json={"query": BODY}, headers=why).json()
        assert len(answer["data"]["ledger"]["entries"]["edges"]) == 3
        assert _noted(home) == [("graphql", [[1, 3]], "", "case 7")]
        rows: Any = home.does("audit", "list")
        (row,) = rows
        assert row["verified"] == "unverified-os-user"


@pytest.mark.parametrize(
    "words",
    [
        ["backup", "b.tar"], ["ledger", "export", "e.ndjson"], ["ledger", "prove", "1"],
        ["archive", "a"], ["rebuild", "--keep", "r.db"], ["ledger", "show", "1"], ["graphql", BODY],
    ],
)  # fmt: skip
def test_what_cannot_be_noted_is_not_handed_out(
    home: Home, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    home.does("ledger", "init-key")
    monkeypatch.chdir(home.root)
    home.settings.audit.store_path.write_bytes(b"no database at all, and not an empty file either")
    before = {path.name for path in home.root.iterdir()}
    done = lineage(home.home, *words, "--json")
    assert done.returncode != 0
    assert "not-audited" in done.stdout + done.stderr
    assert "person:x" not in done.stdout
    assert {path.name for path in home.root.iterdir()} == before


def test_the_audit_log_is_sealed_proved_and_verified_as_the_ledger_is(home: Home) -> None:
    home.does("ledger", "show", "1", "--purpose", "one")
    made = home.does("audit", "init-key", "--name", "test/audit")
    assert made["file"] == str(home.settings.audit.seal_key_file)
    home.does("ledger", "show", "2", "--purpose", "two")
    sealed = home.does("audit", "checkpoint")
    assert sealed["checkpoint"]["size"] == 3
    proof = home.root / "proof.json"
    home.does("audit", "prove", "3", "-o", str(proof))
    assert json.loads(proof.read_text())["entry"]["envelope"]["kind"] == "audit.accessed"
    verified = home.does("audit", "verify")
    assert (verified["sound"], verified["entries"], verified["uninterpreted"]) == (True, 3, 0)
    file = apsw.Connection(str(home.settings.audit.store_path))
    file.execute("UPDATE entry SET recorded_at = recorded_at + 1 WHERE seq = 1")
    file.close()
    assert lineage(home.home, "audit", "verify").returncode == 1


def test_a_service_seals_the_audit_log_once_it_has_a_key(home: Home) -> None:
    home.does("ledger", "show", "1")
    home.does("audit", "init-key")
    with Serving(home.home, LINEAGE_SEAL_ENTRIES="1") as serving:
        serving.ask(BODY)

        def sealed() -> bool:
            rows: Any = home.does("audit", "checkpoints")
            return bool(rows[-1]["size"] == 3)

        for _ in range(100):
            if sealed():
                return
    pytest.fail("it was not sealed")


def test_a_redaction_names_what_was_handed_out_of_it(home: Home) -> None:
    home.does("ledger", "export", str(home.root / "e.ndjson"), "--purpose", "for the auditor")
    home.does("backup", str(home.root / "b.tar"))
    done = home.does("redact", "2", "--reason", "x")
    (handed,) = done["handed_out"]
    assert (handed["what"], handed["purpose"]) == ("export", "for the auditor")
    assert handed["place"] == str(home.root / "e.ndjson")


def test_nobody_else_writes_the_audit_log(home: Home) -> None:
    access = {"kind": "audit.accessed", "v": 1, "event_at": T0, "what": "body", "position": 1}
    body = json.dumps({"changes": [{"source": "lineage:audit", "change": access}]}).encode()
    with open_workspace(home.settings) as ws:
        (outcome,) = ws.intake.take_changes(body, ws.actor)
    assert (outcome.status, outcome.code) == ("refused", "unknown-kind")
    assert home.settings.audit.is_audit
    assert not home.settings.is_audit
    assert home.settings.audit.copies.name == "store.audit.copies"
