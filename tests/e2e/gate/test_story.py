"""`lineage owners` and `lineage gate` on a real store: the story."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from lineage.record.ledger import verify
from lineage.settings import load_settings
from lineage.wiring import open_workspace
from tests.e2e.gate.site import Site

pytestmark = pytest.mark.both_stores


def test_a_model_ships_once_everything_upstream_has_an_accepted_owner(site: Site) -> None:
    denied = site.lineage("gate", "deploy", "model:it's new ü")
    assert denied.exit_code == 1
    for node in (site.table, site.model):
        assert node in denied.output
    assert site.lineage("owners", "claim", "model:it's new ü", "team:oncology").exit_code == 0
    assert site.lineage("owners", "claim", "--scope", "file", "lake/**", "team:data").exit_code == 0
    assert site.lineage("gate", "deploy", site.model).exit_code == 1
    assert site.lineage("owners", "accept", "model:it's new ü", "oncology").exit_code == 0
    assert site.lineage("owners", "accept", "--scope", "file", "lake/**", "data").exit_code == 0
    allowed = site.lineage("gate", "deploy", site.model)
    assert (allowed.exit_code, allowed.output[:5]) == (0, "allow")
    decisions = site.entries("gate.decided")
    assert [d["decision"] for d in decisions] == ["deny", "deny", "allow"]
    owners = {a["id"]: a["owners"] for a in decisions[-1]["evidence"]["artifacts"]}
    assert owners[site.table][0]["team"] == "team:data"
    with open_workspace(load_settings(), read_only=True) as ws:
        assert not verify(ws.store, ws.blobs).faults


def test_the_commands_that_a_denial_names_mend_it(site: Site) -> None:
    denial = site.json("gate", "deploy", site.model, exit_code=1)
    shown = site.lineage("gate", "deploy", site.model).output
    for reason in denial["reasons"]:
        for blocking in reason["blocking"]:
            for command in blocking["remedy"]:
                assert f"$ {command}\n" in shown
                words = shlex.split(command.replace("TEAM", "risk"))
                assert words[0] == "lineage"
                assert site.lineage(*words[1:]).exit_code == 0, command
    assert site.json("gate", "deploy", site.model)["decision"] == "allow"


def test_a_contest_is_named_and_mended(site: Site) -> None:
    site.own()
    site.lineage("owners", "claim", site.table, "pricing")
    denial = site.json("gate", "deploy", site.model, exit_code=1)
    (blocking,) = [b for r in denial["reasons"] for b in r["blocking"]]
    assert blocking["why"] == "contested between pricing and risk"
    assert site.lineage(*shlex.split(blocking["remedy"][0])[1:]).exit_code == 0
    assert site.lineage("gate", "deploy", site.model).exit_code == 0


def test_a_decision_can_be_left_unrecorded(site: Site) -> None:
    assert site.json("gate", "deploy", site.model, "--no-record", exit_code=1)["seq"] is None
    assert site.entries("gate.decided") == []


def test_a_policy_of_ones_own_decides(site: Site, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nactions: {publish: [{rule: run-complete}]}\n")
    value = site.json("gate", "publish", site.model, "--policy", str(policy))
    assert (value["decision"], value["policy"]["name"]) == ("allow", "policy.yaml")
    policy.write_text("")
    assert site.lineage("gate", "publish", site.model, "--policy", str(policy)).exit_code == 1
