"""`lineage owners` and `lineage gate` on a real store: owners."""

from __future__ import annotations

import shlex
import time

import pytest

from lineage.model.canonical import iso
from lineage.model.changes import (
    Output,
    RunFinished,
    RunRef,
)
from lineage.model.envelope import Actor
from lineage.model.ids import artifact_id, file_token
from tests.e2e.gate.site import Site

pytestmark = pytest.mark.both_stores


def test_owners_are_listed_by_what_is_wrong_with_them(site: Site) -> None:
    def names(*flags: str) -> list[str]:
        return [row["node"] for row in site.json("owners", "list", *flags)]

    assert names() == names("--orphaned") == [site.table, site.model]
    site.lineage("owners", "claim", site.table, "risk")
    assert (names("--orphaned"), names("--unaccepted")) == ([site.model], [site.table])
    assert names("--team", "risk") == [site.table]
    site.lineage("owners", "claim", site.table, "pricing")
    assert (names("--unaccepted"), names("--contested")) == ([], [site.table])
    assert names("--team", "risk") == [site.table]
    assert names("--kind", "model") == [site.model]


def test_show_tells_both_times_apart(site: Site) -> None:
    before = iso(time.time_ns() // 1000)
    site.own()
    seq = len(site.entries("owner.accepted"))
    assert seq == 2
    assert site.json("owners", "show", "lake/tx")["status"] == "owned"
    assert site.json("owners", "show", "lake/tx", "--as-of", before)["status"] == "orphaned"
    assert site.json("owners", "show", "lake/tx", "--known-at", "2")["status"] == "orphaned"
    assert "owned by team:risk" in site.lineage("owners", "show", "lake/tx").output
    assert site.lineage("owners", "show", "nowhere").exit_code == 66


def test_accepting_twice_is_no_error_accepting_nothing_is(site: Site) -> None:
    site.own()
    assert site.json("owners", "accept", site.model, "risk")["seq"] is None
    result = site.lineage("owners", "accept", site.model, "nobody")
    assert result.exit_code == 65
    assert "nothing-to-accept" in result.stderr
    assert len(site.entries("owner.accepted")) == 2


def test_a_backdated_claim_takes_two_people(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = ("owners", "claim", site.table, "risk", "--from", "2026-01-01T00:00:00Z")
    assert site.lineage(*claim).exit_code == 65
    assert site.lineage(*claim, "--reason", "the catalog forgot it").exit_code == 0
    own = ("owners", "accept", site.table, "risk")
    assert "needs-second-person" in site.lineage(*own).stderr
    past = ("owners", "show", site.table, "--as-of", "2026-02-01T00:00:00Z")
    assert site.json(*past)["status"] == "orphaned"
    monkeypatch.setattr("lineage.wiring.workspace.local_actor", lambda _: Actor("person:bob"))
    assert site.lineage(*own).exit_code == 0
    assert site.json(*past)["status"] == "owned"
    assert site.json(*past, "--known-at", "2")["status"] == "orphaned"


def test_a_team_is_checked_and_a_claim_may_come_before_its_artifact(site: Site) -> None:
    assert "bad-team" in site.lineage("owners", "claim", site.table, "person:ann").stderr
    unknown = artifact_id("s3://lake", "features/new")
    assert site.json("owners", "claim", unknown, "risk")["ownership"]["status"] == "claimed"
    assert site.lineage("owners", "claim", "features/typo", "risk").exit_code == 66
    assert site.lineage("owners", "claim", "risk").exit_code == 2


def test_teams_have_members(site: Site) -> None:
    site.lineage("owners", "team", "add", "risk", "--title", "Risk models")
    site.lineage("owners", "team", "member", "risk", "--person", "person:ann", "--role", "lead")
    (row,) = site.json("owners", "team", "list")
    assert row == {"team": "team:risk", "members": {"person:ann": "lead"}}
    site.lineage("owners", "team", "member", "risk", "--person", "person:ann", "--remove")
    assert site.json("owners", "team", "list")[0]["members"] == {}


def test_a_proposal_is_told_to_be_one(site: Site) -> None:
    past = ("--from", "2026-01-01T00:00:00Z", "--until", "2026-02-01T00:00:00Z", "--reason", "ours")
    told = site.lineage("owners", "claim", site.table, "risk", *past)
    assert "proposal" in told.stderr
    assert "another person than you" in told.stderr
    assert f"lineage owners accept {site.table} team:risk" in told.stderr
    refused = site.lineage("owners", "accept", site.table, "risk")
    assert "needs-second-person" in refused.stderr


def test_a_contest_of_an_accepted_owner_is_warned_of(site: Site) -> None:
    site.own()
    told = site.lineage("owners", "claim", site.table, "pricing")
    assert told.exit_code == 0
    assert "warning: team:risk answered for it and had accepted. Now it is contested" in told.stderr
    take_back = f"lineage owners retract {site.table} team:pricing"
    assert take_back in told.stderr
    assert site.lineage(*shlex.split(take_back)[1:]).exit_code == 0
    assert site.json("owners", "show", site.table)["status"] == "owned"
    assert "warning" not in site.lineage("owners", "claim", site.table, "risk").stderr


def test_a_refused_claim_notes_nothing(site: Site) -> None:
    refused = site.lineage("owners", "claim", site.table, "new", "--from", "2026-01-01T00:00:00Z")
    assert refused.exit_code == 65
    assert "not heard of" not in refused.stderr
    assert "team:new was not heard of before" in (
        site.lineage("owners", "claim", site.table, "new").stderr
    )
    assert "not heard of" not in site.lineage("owners", "claim", site.model, "new").stderr


def test_members_accept_and_without_members_it_is_said_to_be_unchecked(site: Site) -> None:
    site.lineage("owners", "claim", site.table, "risk")
    site.lineage("owners", "claim", site.model, "risk")
    unchecked = site.lineage("owners", "accept", site.model, "risk")
    assert unchecked.exit_code == 0
    assert "no members of team:risk are recorded" in unchecked.stderr
    site.lineage("owners", "team", "member", "risk", "--person", "person:ann")
    accept = ("owners", "accept", site.table, "risk")
    refused = site.lineage(*accept)
    assert refused.exit_code == 65
    assert "not-a-member" in refused.stderr
    assert "person:ann" in refused.stderr
    stood_in = site.lineage(*accept, "--reason", "Ann is away")
    assert stood_in.exit_code == 0
    assert "is not a member" in stood_in.stderr
    assert site.entries("owner.accepted")[-1]["reason"] == "Ann is away"
    site.lineage("owners", "team", "member", "risk")
    site.lineage("owners", "retract", site.table, "risk")
    site.lineage("owners", "claim", site.table, "risk")
    mine = site.lineage(*accept)
    assert (mine.exit_code, mine.stderr) == (0, "")


def test_a_list_of_then_has_what_was_there_then(site: Site) -> None:
    assert site.json("owners", "list", "--as-of", "2020-01-01T00:00:00Z") == []
    assert len(site.json("owners", "list", "--as-of", iso(time.time_ns() // 1000))) == 2


def test_what_a_thing_is_can_be_said(site: Site) -> None:
    weights = {"namespace": "file", "name": f"{site.root}/out/weights.npz"}
    output = Output(**weights, version=file_token("c" * 64), at=1_000)  # type: ignore[arg-type]  # two of its fields
    run = RunRef(namespace="local", job="fit", run_id="f1")
    site.record(RunFinished(event_at=2_000, run=run, state="COMPLETE", outputs=[output]))
    assert site.lineage("show", "model:weights").exit_code == 66
    described = site.json(
        "describe", "out/weights.npz", "--kind", "model", "--set", "description=A first try"
    )
    assert (described["kind"], described["name"]) == ("model", "weights")
    assert described["attributes"] == {"description": "A first try"}
    assert "made by run fit" in site.lineage("show", "model:weights").output
    assert site.json("owners", "list", "--kind", "model", "--orphaned")[-1]["name"] == "weights"
    # What was observed counts for more.
    differs = site.lineage("describe", site.table, "--kind", "model")
    assert differs.exit_code == 0
    assert "note: kind shows as table, as was observed" in differs.stderr
    for words, status in (
        (("out/weights.npz",), 2),
        (("out/nothing", "--kind", "model"), 66),
        (("out/weights.npz", "--kind", "A model"), 65),
        (("out/weights.npz", "--set", "x"), 65),
        (("job:local,fit", "--kind", "model"), 65),
    ):
        assert site.lineage("describe", *words).exit_code == status, words
