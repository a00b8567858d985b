"""Sealing as its users meet it: commands, and a service that seals by itself."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineage.model.keys import PublicKey
from lineage.model.notes import open_note
from lineage.store.contract import StoredCheckpoint
from tests.sealing import ORIGIN, opened, write
from tests.serving import Serving, event, lineage, until

pytestmark = pytest.mark.both_stores


def told(home: Path, *words: str, **more: str) -> Any:
    done = lineage(home, *words, "--json", **more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def metric(serving: Serving, name: str) -> float | None:
    for line in serving.client.get("/metrics").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[1])
    return None


def post(serving: Serving, number: int) -> int:
    return serving.client.post("/api/v1/lineage", json=event(str(number))).status_code


@pytest.fixture
def published(tmp_path: Path) -> Path:
    (tmp_path / "published").mkdir()
    return tmp_path / "published"


def test_an_auditor_is_handed_what_proves_an_entry(tmp_path: Path, published: Path) -> None:
    home, publish = tmp_path / "home", {"LINEAGE_SEAL_PUBLISH": str(published)}
    with opened(home) as ws:
        write(ws, 5)
    made = told(home, "ledger", "init-key", "--name", ORIGIN, **publish)
    assert made["checkpoint"]["size"] == 6
    assert made["published"] == [{"place": str(published), "size": 6, "new": 1}]
    with opened(home) as ws:
        write(ws, 2, start=5)
    sealed = told(home, "ledger", "checkpoint", **publish)
    note = (published / ORIGIN / "checkpoint").read_bytes()
    assert note.decode() == sealed["note"]
    assert open_note(note, [PublicKey.of_text(made["key"])]).text.startswith(f"{ORIGIN}\n8\n")
    assert [row["size"] for row in told(home, "ledger", "checkpoints")] == [6, 8]
    assert [row["here"] for row in told(home, "ledger", "keys")] == [True]
    done = lineage(home, "ledger", "prove", "3", "-o", str(tmp_path / "proof.json"))
    assert done.returncode == 0, done.stderr
    bundle = json.loads((tmp_path / "proof.json").read_text())
    assert (bundle["format"], bundle["index"]) == ("lineage-proof/1", 2)
    assert bundle["checkpoint"] == sealed["note"]
    by_id = f"{bundle['entry']['envelope']['source']}#{bundle['entry']['envelope']['event_id']}"
    assert json.loads(lineage(home, "ledger", "prove", by_id).stdout) == bundle
    assert json.loads(lineage(home, "ledger", "prove", "3", "--size", "6").stdout) != bundle
    between = json.loads(lineage(home, "ledger", "consistency", "6").stdout)
    assert (between["format"], between["new"]) == ("lineage-consistency/1", sealed["note"])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["prove", "99"], "not-found"),
        (["prove", "no#such"], "not-found"),
        (["prove", "2"], "not-found"),  # not sealed yet
        (["consistency", "5"], "not-found"),
        (["checkpoint"], "seal-key"),
        (["init-key", "--rotate"], "seal-key"),
        (["init-key", "--name", "a b"], "bad-setting"),
        (["init-key", "--name", "x", "--rotate"], "bad-setting"),
    ],
)
def test_what_cannot_be_proved_or_sealed_says_why(
    tmp_path: Path, words: list[str], code: str
) -> None:
    with opened(tmp_path) as ws:
        write(ws, 3)
    done = lineage(tmp_path, "ledger", *words, "--json")
    assert done.returncode in {64, 66}
    assert json.loads(done.stderr)["error"]["code"] == code


def test_verifying_reads_the_checkpoints(tmp_path: Path) -> None:
    told(tmp_path, "ledger", "init-key", "--name", ORIGIN)
    told(tmp_path, "ledger", "init-key", "--rotate")
    sound = told(tmp_path, "ledger", "verify")
    assert (sound["sound"], sound["checkpoints"], sound["sealed"]) == (True, 2, 2)
    with opened(tmp_path) as ws:
        write(ws, 1)
        first = next(ws.store.checkpoints())
        ws.store.adopt([StoredCheckpoint(3, 0, first.note)])
    done = lineage(tmp_path, "ledger", "verify", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["faults"] == [
        {"position": 3, "what": "a checkpoint of 1 entries stands at 3"}
    ]


def test_ready_says_what_an_append_would_meet(tmp_path: Path, published: Path) -> None:
    home = tmp_path / "home"
    told(home, "ledger", "init-key", "--name", ORIGIN)
    said = told(home, "ready", LINEAGE_SEAL_PUBLISH=str(published))
    assert (said["ready"], said["position"], said["sealed"], said["has_key"]) == (True, 1, 1, True)
    away = told(home, "ready", LINEAGE_SEAL_PUBLISH=str(tmp_path / "away"))
    assert list(away["unreachable"]) == [str(tmp_path / "away")]
    note = (home / ("store" if (home / "store.db").exists() else "neo4j")).with_suffix(
        ".checkpoint"
    )
    note.write_bytes(note.read_bytes().replace(b"\n1\n", b"\n2\n", 1))
    done = lineage(home, "ready", "--json")
    assert done.returncode == 1
    assert json.loads(done.stderr)["error"]["code"] == "not-as-sealed"


@pytest.fixture(params=[{"LINEAGE_SEAL_EVERY": "1"}, {"LINEAGE_SEAL_EVERY": "0"}])
def sealing(request: pytest.FixtureRequest, tmp_path: Path, published: Path) -> Iterator[Serving]:
    """A service that seals: every second, or with every third entry."""
    home = tmp_path / "home"
    told(home, "ledger", "init-key", "--name", ORIGIN)
    more = {
        "LINEAGE_SEAL_ENTRIES": "0" if request.param["LINEAGE_SEAL_EVERY"] == "1" else "3",
        "LINEAGE_SEAL_PUBLISH": str(published), **request.param,
    }  # fmt: skip
    with Serving(home, **more) as serving:
        yield serving


def test_a_service_seals_and_publishes_by_itself(sealing: Serving, published: Path) -> None:
    for number in range(3):
        assert post(sealing, number) == 201
    until(lambda: metric(sealing, "lineage_sealed_position") == 4)
    until(lambda: b"\n4\n" in (published / ORIGIN / "checkpoint").read_bytes())
    age = metric(sealing, "lineage_seal_age_seconds")
    assert age is not None
    assert 0 <= age < 60
    until(lambda: metric(sealing, "lineage_sealing") == 1)
    ready = sealing.client.get("/readyz").json()
    assert (ready["recording"], ready["seal"]["position"]) == (True, 4)
    assert "error" not in ready["seal"]


def test_a_place_that_is_away_is_told_and_caught_up_with(tmp_path: Path, published: Path) -> None:
    home = tmp_path / "home"
    told(home, "ledger", "init-key", "--name", ORIGIN)
    published.rename(tmp_path / "away")
    more = {"LINEAGE_SEAL_EVERY": "1", "LINEAGE_SEAL_PUBLISH": str(published)}
    with Serving(home, **more) as serving:
        assert post(serving, 1) == 201
        until(lambda: metric(serving, "lineage_sealed_position") == 2)
        assert metric(serving, "lineage_sealing") == 0
        (tmp_path / "away").rename(published)
        until(lambda: metric(serving, "lineage_sealing") == 1)
        names = sorted(path.name[-1] for path in (published / ORIGIN / "checkpoints").iterdir())
        assert names == ["1", "2"]


def test_a_service_without_a_key_seals_nothing_until_there_is_one(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Serving(home, LINEAGE_SEAL_EVERY="1") as serving:
        assert post(serving, 1) == 201
        assert metric(serving, "lineage_sealed_position") is None
        told(home, "ledger", "init-key", "--name", ORIGIN)
        assert post(serving, 2) == 201
        until(lambda: metric(serving, "lineage_sealed_position") == 3)


@pytest.mark.sqlite
@pytest.mark.parametrize("known_by", ["beside", "published", "published far away"])
def test_a_service_on_an_older_database_takes_nothing_and_says_so(
    tmp_path: Path, published: Path, known_by: str
) -> None:
    home, publish = tmp_path / "home", {"LINEAGE_SEAL_PUBLISH": str(published)}
    if known_by == "published far away":  # asked by a service before it records, not by others
        subprocess.run(["git", "init", "-q", published], check=True)
        publish = {"LINEAGE_SEAL_PUBLISH": f"git:{published}"}
    told(home, "ledger", "init-key", "--name", ORIGIN, **publish)
    shutil.copy(home / "store.db", tmp_path / "backup.db")
    with opened(home) as ws:
        write(ws, 3)
    told(home, "ledger", "checkpoint", **publish)
    shutil.copy(home / "store.db", tmp_path / "newer.db")
    shutil.copy(tmp_path / "backup.db", home / "store.db")
    if known_by == "beside":
        shutil.rmtree(published)
        published.mkdir()
    else:
        (home / "store.checkpoint").unlink()
    assert lineage(home, "ready", **publish).returncode == 1
    with Serving(home, **publish) as serving:
        refused = serving.client.get("/readyz")
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "not-as-sealed"
        assert (refused.json()["recording"], refused.json()["accepting"]) == (False, False)
        answer = serving.client.post("/api/v1/lineage", json=event("1"))
        assert (answer.status_code, answer.json()["code"]) == (503, "not-as-sealed")
        assert "--new-log" in answer.json()["hint"]
        assert serving.ask("{ ledger { head { seq } } }")["ledger"]["head"]["seq"] == 1
        assert serving.stop(signal.SIGTERM) == 0
    shutil.copy(tmp_path / "newer.db", home / "store.db")
    with Serving(home, **publish) as serving:
        assert serving.client.get("/readyz").status_code == 200
        assert post(serving, 1) == 201


@pytest.mark.parametrize("more", [0, 2])
def test_a_store_that_moved_without_its_key_says_where_to_put_it(tmp_path: Path, more: int) -> None:
    home = tmp_path / "home"
    key = told(home, "ledger", "init-key", "--name", ORIGIN)
    Path(key["file"]).rename(tmp_path / "elsewhere")
    with opened(home) as ws:
        write(ws, more)
    done = lineage(home, "ledger", "checkpoint", "--json")
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, error["code"]) == (64, "seal-key")
    named = "+".join(key["key"].split("+")[:2])
    assert f"put the key of {named} at {key['file']}, or set LINEAGE_SEAL_KEY_FILE" in error["hint"]
    assert "`lineage ledger init-key --rotate`" in error["hint"]
    moved = told(home, "ledger", "checkpoint", LINEAGE_SEAL_KEY_FILE=str(tmp_path / "elsewhere"))
    assert moved["checkpoint"]["size"] == 1 + more


def test_a_rotation_that_was_not_published_is_not_made_twice(
    tmp_path: Path, published: Path
) -> None:
    home, publish = tmp_path / "home", {"LINEAGE_SEAL_PUBLISH": str(published)}
    told(home, "ledger", "init-key", "--name", ORIGIN, **publish)
    published.rename(tmp_path / "away")
    for _ in range(2):
        done = lineage(home, "ledger", "init-key", "--rotate", **publish)
        assert done.returncode == 69
        assert done.stderr.count("there is no directory") == 1, done.stderr
        assert "not-published: the key was changed; only publishing is left" in done.stderr
        assert "then `lineage ledger checkpoint`" in done.stderr
    (tmp_path / "away").rename(published)
    finished = told(home, "ledger", "init-key", "--rotate", **publish)
    assert (finished["number"], finished["published"][0]["size"]) == (2, 2)
    # What is finished is not in the way of the next.
    assert told(home, "ledger", "init-key", "--rotate", **publish)["number"] == 3


def test_every_place_that_is_away_is_told(tmp_path: Path) -> None:
    places = [tmp_path / "one", tmp_path / "two"]
    setting = ",".join(map(str, places))
    done = lineage(
        tmp_path, "ledger", "init-key", "--name", ORIGIN, "--json", LINEAGE_SEAL_PUBLISH=setting
    )
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, error["code"]) == (69, "not-published")
    assert error["message"].startswith("the key was made; only publishing is left: ")
    assert str(places[0]) in error["message"]
    assert str(places[1]) in error["where"]["also"][0]
