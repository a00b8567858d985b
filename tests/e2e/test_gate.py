"""`lineage owners` and `lineage gate` on a real store: the story, the exits, what is recorded."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lineage.cli.main import main
from lineage.errors import StoreBusyError
from lineage.model.canonical import iso, micros
from lineage.model.changes import (
    ArtifactDescribed,
    Change,
    GapFacts,
    Output,
    RunFinished,
    RunRef,
    TableCommitted,
    Use,
)
from lineage.model.envelope import Actor
from lineage.model.ids import artifact_id, delta_token, file_token
from lineage.ownership.rules import OwnerAccepted
from lineage.record.ledger import verify
from lineage.record.recorder import Recorder
from lineage.settings import load_settings
from lineage.wiring import open_workspace
from tests.serving import play_in

pytestmark = pytest.mark.both_stores

TRAIN = RunRef(namespace="local", job="train", run_id="r1")
SECOND = 1_000_000


class Site:
    """A directory with a model trained on a table, both recorded."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.table = artifact_id("file", f"{root}/lake/tx")
        self.model = artifact_id("file", f"{root}/models/it's new ü.joblib")

    def lineage(self, *words: str) -> Result:
        return CliRunner().invoke(main, list(words))

    def json(self, *words: str, exit_code: int = 0) -> Any:
        result = self.lineage(*words, "--json")
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout)

    def record(self, *changes: Change) -> None:
        with open_workspace(load_settings()) as ws:
            ws.recorder.record_changes(changes, source="test", actor=ws.actor)

    def train(self, **fields: Any) -> None:
        at = time.time_ns() // 1000 - SECOND
        token = delta_token(0, "tx-id")
        table = {"namespace": "file", "name": f"{self.root}/lake/tx"}
        model = {"namespace": "file", "name": f"{self.root}/models/it's new ü.joblib"}
        uses = [Use(**table, artifact_kind="table", version=token, at=at - 30)]  # type: ignore[arg-type]  # two of its fields
        outputs = [Output(**model, artifact_kind="model", version=file_token("a" * 64), at=at - 20)]  # type: ignore[arg-type]  # same
        self.record(
            TableCommitted(event_at=at - 50, table_id="tx-id", version=0, carries=False, **table),  # type: ignore[arg-type]  # same
            RunFinished(event_at=at, run=TRAIN, state="COMPLETE", uses=uses, outputs=outputs,
                        **fields),
        )  # fmt: skip

    def own(self) -> None:
        for target in (self.table, self.model):
            assert self.lineage("owners", "claim", target, "risk").exit_code == 0
            assert self.lineage("owners", "accept", target, "risk").exit_code == 0

    def entries(self, kind: str) -> list[dict[str, Any]]:
        with open_workspace(load_settings(), read_only=True) as ws:
            return [json.loads(e.body) for e in ws.store.entries() if e.kind == kind]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    play_in(monkeypatch, tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    site = Site(tmp_path)
    site.train()
    return site


# --- the story ------------------------------------------------------------------------------------


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


# --- what is no answer ----------------------------------------------------------------------------


def test_doubt_is_two(site: Site) -> None:
    site.own()
    site.train(gaps=[GapFacts(reason="static-child")])
    value = site.json("gate", "deploy", site.model, exit_code=2)
    assert value["decision"] == "undecided"
    assert site.entries("gate.decided")[-1]["decision"] == "undecided"


def test_a_run_that_fails_in_the_far_future_is_two_and_named(site: Site) -> None:
    site.own()
    site.record(RunFinished(event_at=micros("9999-01-01T00:00:00Z"), run=TRAIN, state="FAIL"))
    shown = site.lineage("gate", "deploy", site.model)
    assert shown.exit_code == 2
    assert "RUN_STATE FAIL: dated 9999-01-01T00:00:00.000000Z, later than now" in shown.output
    assert site.entries("gate.decided")[-1]["evidence"]["ahead"][0]["node"] == "run:local,train,r1"


def test_a_host_whose_clock_is_a_minute_ahead_does_not_block(site: Site) -> None:
    site.own()
    again = RunRef(namespace="local", job="train", run_id="r2")
    at = time.time_ns() // 1000 + 60 * SECOND
    model = Output(namespace="file", name=f"{site.root}/models/it's new ü.joblib",
                   artifact_kind="model", version=file_token("b" * 64), at=at)  # fmt: skip
    site.record(RunFinished(event_at=at, run=again, state="COMPLETE", outputs=[model]))
    allowed = site.json("gate", "deploy", site.model)
    assert (allowed["subject"][-64:], allowed["as_of"]) == ("b" * 64, at)


@pytest.mark.parametrize(
    "words",
    [
        ("deploy", "model:nothing"),
        ("deploy", "artifact:file,/nothing"),
        ("deploy", "run:local,train,r1"),
        ("deploy", "%%%"),
        ("deploy", ""),
        ("launch", "model:it's new ü"),
        ("deploy",),
        ("deploy", "a", "b"),
        ("deploy", "model:it's new ü", "--polciy", "x"),
        ("deploy", "model:it's new ü", "--policy", "nowhere.yaml"),
        ("deploy", "model:it's new ü", "--policy", "."),
    ],
)
def test_what_cannot_be_asked_is_two(site: Site, words: tuple[str, ...]) -> None:
    site.own()
    for extra in ((), ("--json",)):
        result = site.lineage("gate", *words, *extra)
        assert result.exit_code == 2, result.output
        assert result.stdout == ""


def test_an_ambiguous_name_is_two(site: Site) -> None:
    other = ArtifactDescribed(
        event_at=1, namespace="file", name="/b/it's new ü.joblib", artifact_kind="model"
    )
    site.record(other)
    result = site.lineage("gate", "deploy", "model:it's new ü")
    assert result.exit_code == 2
    assert site.model in result.stderr


def _raises(fault: BaseException) -> Callable[..., Any]:
    def broken(*args: object, **named: object) -> Any:
        raise fault

    return broken


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        ("lineage.ownership.gate.collect", StoreBusyError("held")),
        ("lineage.ownership.gate.collect", KeyboardInterrupt()),
        ("lineage.ownership.gate.collect", MemoryError()),
        ("lineage.ownership.policy.parse_policy", ZeroDivisionError()),
        ("lineage.cli.context.open_workspace", ImportError("no such part")),
    ],
)
def test_whatever_breaks_is_two(
    site: Site, monkeypatch: pytest.MonkeyPatch, broken: str, fault: BaseException
) -> None:
    site.own()
    monkeypatch.setattr(broken, _raises(fault))
    assert site.lineage("gate", "deploy", site.model).exit_code == 2


def test_a_rule_that_breaks_is_two_and_on_record(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.own()
    monkeypatch.setattr(OwnerAccepted, "blocking", _raises(ZeroDivisionError("oh")))
    assert site.lineage("gate", "deploy", site.model).exit_code == 2
    assert "the rule broke: ZeroDivisionError: oh" in json.dumps(site.entries("gate.decided"))


def test_an_allow_that_cannot_be_recorded_is_two(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.own()
    monkeypatch.setattr(Recorder, "record_changes", _raises(StoreBusyError("held")))
    result = site.lineage("gate", "deploy", site.model)
    assert (result.exit_code, result.stdout) == (2, "")
    assert site.lineage("gate", "deploy", site.model, "--no-record").exit_code == 0


@pytest.mark.sqlite
@pytest.mark.parametrize("store", ["sqlite:////dev/null/x.db", "oracle://x", "damaged"])
def test_a_store_that_cannot_be_read_is_two(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    site.own()
    if store == "damaged":
        path = tmp_path / "broken.db"
        path.write_bytes(b"this is no database, and it is long enough to tell " * 100)
        store = f"sqlite:///{path}"
    monkeypatch.setenv("LINEAGE_STORE", store)
    assert site.lineage("gate", "deploy", site.model).exit_code == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_an_allow_that_nobody_can_read_is_no_allow(site: Site) -> None:
    site.own()
    command = [sys.executable, "-m", "lineage", "gate", "deploy", site.model]
    with Path("/dev/full").open("wb") as full:
        full_out = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert full_out.returncode not in (0, 1)
    reading, writing = os.pipe()
    os.close(reading)
    closed = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert closed.returncode not in (0, 1)
    heard = subprocess.run(command, capture_output=True, check=False)
    assert heard.returncode == 0, heard.stderr


# --- owners ---------------------------------------------------------------------------------------


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
