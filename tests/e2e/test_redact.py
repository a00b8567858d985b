"""Redaction end to end: by the command, and then not one byte of it on the disk."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lineage.capture.spool import Item, Spool
from lineage.model.canonical import canonical
from lineage.model.changes import (
    ArtifactDescribed,
    MemberAdded,
    PersonDescribed,
    RunFinished,
    RunRef,
    TagAdded,
    UserFacts,
    encode_change,
    kind_of,
)
from lineage.model.changes.values import Change
from lineage.model.ids import artifact_id
from lineage.record.dead_letters import DeadLetters
from lineage.record.interpret import interpret
from lineage.record.scratch import scratch
from lineage.store.blobs import DirectoryBlobs
from lineage.store.sqlite import SqliteStore
from lineage.wiring import open_workspace
from tests.homes import T0, Home
from tests.serving import SECONDS, Serving, environment, event, lineage

NAME, MAIL = "Erica Mustermann", "erica@example.test"
SECRET = b"the secret parameter"
PERSON = "person:3f2a"
VERIFY = Path(__file__).resolve().parents[2] / "lineage/verify.py"

pytestmark = pytest.mark.sqlite


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def _item(change: Change, event_id: str) -> Item:
    return Item("test", event_id, kind_of(change), 1, change.event_at, encode_change(change))


def test_an_entry_is_erased_everywhere_and_the_proofs_hold(home: Home) -> None:
    own, shared = home.blob(b"diff with " + SECRET), home.blob(b"shared")
    secret = home.run(diff=own, parameters={"p": SECRET.decode() * 50})
    other = home.run(diff=shared)
    also = home.run(diff=shared, parameters={"p": SECRET.decode()})
    seq = home.record(secret)
    home.record(other)
    third = home.record(also)
    spooled = Spool(home.settings.spool)
    with open_workspace(home.settings) as ws:
        ids = {e.seq: e.event_id for e in ws.store.entries()}
    spooled.put([_item(secret, ids[seq]), _item(other, ids[2])])
    home.does("backup", str(home.root / "before.tar"))
    before = home.entries()
    salts = [e["salt"] for e in before if e["seq"] in {seq, third}]
    assert {"before.tar", "home/store.db"} <= set(home.holds(*salts))
    assert len(home.holds(SECRET)) >= 3

    dry = home.does("redact", str(seq), str(third), "--reason", "x", "--dry-run")
    assert dry["blobs_to_erase"] == [own.sha256]
    assert home.entries() == before

    done = home.does("redact", str(seq), str(third), "--reason", "recorded by mistake")
    assert (done["redacted"], done["blobs"], done["waiting"]) == (2, 1, 1)
    assert done["rewritten"] == [str(home.root / "before.tar")]
    assert done["complete"]
    assert home.holds(SECRET, *salts) == []
    home.is_sound()
    after = home.entries()
    assert [e["leaf"] for e in after[: len(before)]] == [e["leaf"] for e in before]
    assert after[1] == before[1]
    assert json.loads(after[0]["body"])["run"] == secret.run.model_dump()
    assert DirectoryBlobs(home.settings.blobs).has(shared.sha256)
    assert [item.event_id for name in spooled.pending() for item in spooled.take(name) or ()] == [
        ids[2]
    ]
    again = home.does("redact", str(seq), "--reason", "twice")
    assert (again["redacted"], again["complete"]) == (0, True)
    assert not home.does("redactions", "list")["unfinished"]


def test_a_rewritten_backup_is_a_whole_store_with_the_stub(home: Home) -> None:
    seq = home.record(home.run(parameters={"p": SECRET.decode()}))
    tar = home.root / "before.tar"
    home.does("backup", str(tar))
    home.record(home.run())
    home.does("redact", str(seq), "--reason", "x")
    unpacked = home.root / "restored"
    unpacked.mkdir()
    with tarfile.open(tar) as file:
        file.extractall(unpacked, filter="data")
    store = f"sqlite:///{unpacked}/store.db"
    assert home.does("ledger", "verify", LINEAGE_STORE=store)["redacted"] == 1
    live = home.does("ledger", "show", str(seq))
    assert home.does("ledger", "show", str(seq), LINEAGE_STORE=store) == live
    assert home.holds(SECRET) == []


def test_a_person_is_erased_from_everything_that_tells_of_them(home: Home) -> None:
    data = artifact_id("n", "d")
    home.record(
        PersonDescribed(event_at=T0, person=PERSON, attributes={"name": NAME, "email": MAIL}),
        home.run(user=UserFacts(person=PERSON, name=NAME), parameters={"lr": 1}),
        MemberAdded(event_at=T0, person=PERSON, team="team:risk"),
        TagAdded(event_at=T0, target=data, tag="reviewed", value=f"by {NAME.upper()}"),
        ArtifactDescribed(event_at=T0, namespace="n", name="d", attributes={"contact": MAIL}),
        PersonDescribed(event_at=T0, person="person:77b0", attributes={"name": "Bob"}),
    )
    with open_workspace(home.settings) as ws:
        ws.intake.take_openlineage(
            canonical(event("1", producer=f"https://{MAIL.replace('@', '-')}.test")), ws.actor
        )
        bad = {**event("2"), "eventTime": "no time", "by": f"Frau {NAME}"}
        assert ws.intake.take_openlineage(canonical(bad), ws.actor)[0].status == "refused"
    spool = Spool(home.settings.spool)
    waits = TagAdded(event_at=T0 + 9, target=data, tag="waits", value=f"for {NAME}")
    spool.put([_item(waits, "not recorded yet")])
    spool.refuse(_item(waits, "refused"), {"code": "x"})
    aside = home.settings.spool / "damaged"
    aside.mkdir()
    (aside / "torn").write_bytes(NAME.encode() + b"\x00")

    done = home.does("redact", PERSON, "--reason", "Art. 17")
    assert [entry["seq"] for entry in done["entries"]] == [1, 2, 4, 5]
    assert (done["waiting"], done["dead_letters"]) == (3, 1)
    assert home.holds(NAME.encode(), NAME.upper().encode(), MAIL.encode()) == []
    home.is_sound()
    bodies = {e["seq"]: json.loads(e["body"]) for e in home.entries()}
    assert bodies[2]["parameters"] == {"lr": 1}, "what is not about the person stays"
    assert bodies[4]["value"] == "by [erased]"
    assert bodies[6]["attributes"] == {"name": "Bob"}
    assert home.does("spool", "deliver")["delivered"] == 1
    last = json.loads(home.entries()[-1]["body"])
    assert (last["tag"], last["value"]) == ("waits", "for [erased]")
    assert home.does("redact", PERSON, "--reason", "again")["entries"] == []
    assert not list(DeadLetters(home.settings.dead_letters).list())


def test_an_archive_loses_it_and_stays_whole(home: Home) -> None:
    diff = home.blob(b"diff with " + SECRET)
    seq = home.record(home.run(diff=diff, parameters={"p": SECRET.decode()}))
    home.record(home.run())
    place, away = home.root / "archive", home.root / "away"
    home.does("archive", str(place), "--unsealed")
    with open_workspace(home.settings) as ws:
        salt = next(ws.store.entries()).salt or b""
    # Columns of a Delta table are compressed: told by an engine, and by the rows of its files.
    assert _rows(place, "salt", salt.hex()) or _rows(place, "salt", salt)
    shutil.move(place, away)
    done = home.does("redact", str(seq), "--reason", "x", status=1)
    assert [left["place"] for left in done["left"]] == [str(place)]
    assert home.does("redactions", "list")["unfinished"]
    shutil.move(away, place)
    assert home.does("redactions", "finish")["rewritten"] == [str(place)]
    assert not _rows(place, "salt", salt.hex())
    assert not _rows(place, "salt", salt)
    assert not any(SECRET in row for row in _bytes_in(place))
    told = home.does("archive", str(place), "--verify")
    assert (told["sound"], told["redacted"], told["blobs"]) == (True, 1, 0)
    assert not home.does("redactions", "list")["unfinished"]


def _tables(place: Path) -> Iterator[pa.Table]:
    """Every file with rows that is there, whether its table reads it or not."""
    for path in sorted(place.rglob("*.parquet")):
        yield pq.read_table(path)


def _rows(place: Path, column: str, value: object) -> int:
    return sum(
        value in table.column(column).to_pylist()
        for table in _tables(place)
        if column in table.column_names
    )


def _bytes_in(place: Path) -> Iterator[bytes]:
    for table in _tables(place):
        for name in table.column_names:
            yield from map(_plain, table.column(name).to_pylist())


def _plain(value: object) -> bytes:
    if isinstance(value, bytes):
        with suppress(zlib.error):
            return zlib.decompress(value)
        return value
    return str(value).encode()


def test_live_rebuilt_and_restored_show_the_same_stub(home: Home) -> None:
    seq = home.record(home.run(parameters={"p": SECRET.decode()}))
    home.record(home.run())
    archive, tar = home.root / "archive", home.root / "b.tar"
    home.does("archive", str(archive), "--unsealed")
    home.does("backup", str(tar))
    home.does("redact", str(seq), "--reason", "x")
    live = home.entries()
    home.does("rebuild", "--keep", str(home.root / "rebuilt.db"))
    stores = [home.root / "rebuilt.db"]
    for name, place in (("archive", archive), ("backup", tar)):
        stores.append(home.root / f"from-{name}" / "store.db")
        home.does("restore", "--from", str(place), LINEAGE_STORE=f"sqlite:///{stores[-1]}")
    for path in stores:
        with closing(SqliteStore(path, interpret, read_only=True)) as store:
            shown = [
                {"seq": e.seq, "body": e.body, "salt": e.salt, "leaf": e.leaf}
                for e in store.entries()
            ]
        assert shown == live, path
    assert home.holds(SECRET) == []


def test_proofs_hold_before_and_after(home: Home) -> None:
    """The proof that somebody has, of a later checkpoint, and of why the body is not there."""
    home.does("ledger", "init-key", "--name", "example.test/log")
    seq = home.record(home.run(parameters={"p": SECRET.decode()}))
    home.does("ledger", "checkpoint")
    before, after, line = (home.root / name for name in ("before", "after", "consistency"))
    home.does("ledger", "prove", str(seq), "-o", str(before))
    home.does("redact", str(seq), "--reason", "x")
    home.does("ledger", "checkpoint")
    home.does("ledger", "prove", str(seq), "-o", str(after))
    home.does("ledger", "consistency", str(seq), "-o", str(line))
    keys: Any = home.does("ledger", "keys")
    for path in (before, after, line):
        words = [sys.executable, str(VERIFY), str(path), "--key", keys[0]["key"]]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (path, done.stdout, done.stderr)
    one, other = (json.loads(path.read_text()) for path in (before, after))
    assert one["entry"]["envelope"] == other["entry"]["envelope"]
    assert other["entry"]["salt"] is None
    home.is_sound()


def test_a_service_goes_on_while_a_store_is_redacted(home: Home) -> None:
    """Another process that reads and writes all the while; then it has nothing of it either."""
    seqs = [home.record(home.run(parameters={"p": SECRET.decode() * 20})) for _ in range(3)]
    with Serving(home.home) as serving:
        posted = [event(f"before-{n}") for n in range(20)]
        assert serving.client.post("/api/v1/lineage", json=posted).status_code == 201
        home.does("redact", *map(str, seqs), "--reason", "x")
        assert home.holds(SECRET) == []
        posted = [event(f"after-{n}") for n in range(20)]
        assert serving.client.post("/api/v1/lineage", json=posted).status_code == 201
        shown = serving.ask("{ ledger { entry(seq: 1) { redacted body } } }")
        assert shown["ledger"]["entry"]["redacted"]
    assert home.holds(SECRET) == []
    home.is_sound()


def test_what_is_gone_from_view_is_named_until_it_is_gone_from_the_world(home: Home) -> None:
    seq = home.record(home.run(parameters={"p": SECRET.decode()}))
    near, far = home.root / "near.tar", home.root / "far.tar"
    away = home.root / "away.tar"
    for tar in (near, far):
        home.does("backup", str(tar))
    shutil.move(far, away)
    done = home.does("redact", str(seq), "--reason", "x", status=1)
    assert [left["place"] for left in done["left"]] == [str(far)]
    assert "redactions forget" in done["left"][0]["why"]
    assert home.holds(SECRET) == ["away.tar"]
    assert home.does("redactions", "list")["unfinished"]
    shutil.move(away, far)
    assert home.does("redactions", "finish")["rewritten"] == [str(far)]
    assert home.holds(SECRET) == []
    assert not home.does("redactions", "list")["unfinished"]
    far.unlink()
    home.does("redactions", "forget", str(far))
    assert [copy["place"] for copy in home.does("redactions", "list")["copies"]] == [str(near)]


def test_what_a_dead_process_left_goes_and_what_a_live_one_uses_is_named(home: Home) -> None:
    seq = home.record(home.run(parameters={"p": SECRET.decode()}))
    tar = home.root / "b.tar"
    home.does("backup", str(tar))
    pid = os.getpid()  # as where a container's processes have the ids of those of another
    for folder in (home.home / f".scratch~{pid}~x", home.home / f".restore~{pid}~y",
                   home.root / f".b.tar~{pid}~z"):  # fmt: skip
        folder.mkdir()
        (folder / "store.db").write_bytes(SECRET)
    (home.root / f".b.tar~{pid}").write_bytes(SECRET)
    with scratch("scratch", home.home) as one, scratch("b.tar", home.root) as other:
        (one / "store.db").write_bytes(b"in use")
        (other / "store.db").write_bytes(b"in use")
        done = home.does("redact", str(seq), "--reason", "x", status=1)
        assert [left["place"] for left in done["left"]] == [str(one), str(tar)]
        assert "redactions finish" in done["left"][0]["why"]
        assert str(other) in done["left"][1]["why"]
        assert home.holds(SECRET) == ["b.tar"]
        assert len(home.holds(b"in use")) == 2
        assert home.does("redactions", "list")["unfinished"]
    assert home.does("redactions", "finish")["rewritten"] == [str(tar)]
    assert home.holds(SECRET, b"in use") == []
    assert not home.does("redactions", "list")["unfinished"]


def test_a_backup_of_another_ledger_is_not_touched(home: Home) -> None:
    seq = home.record(home.run(parameters={"p": SECRET.decode()}))
    tar, other = home.root / "b.tar", Home(home.root / "other")
    home.does("backup", str(tar))
    other.record(other.run())
    other.does("backup", str(home.root / "o.tar"))
    shutil.move(home.root / "o.tar", tar)
    before = tar.read_bytes()
    done = home.does("redact", str(seq), "--reason", "x", status=1)
    assert "another ledger" in done["left"][0]["why"]
    assert tar.read_bytes() == before


def test_a_store_that_does_not_verify_replaces_no_backup(home: Home) -> None:
    kept = home.blob(b"needed")
    seq = home.record(home.run(parameters={"p": SECRET.decode()}))
    home.record(home.run(diff=kept))
    tar = home.root / "b.tar"
    home.does("backup", str(tar))
    before = tar.read_bytes()
    DirectoryBlobs(home.settings.blobs).remove(kept.sha256)
    done = home.does("redact", str(seq), "--reason", "x", status=1)
    assert "does not verify" in done["left"][0]["why"]
    assert tar.read_bytes() == before


def test_what_a_service_was_told_to_redact_is_finished_by_the_command(home: Home) -> None:
    """Over HTTP it is out of the tables at once; out of the file when somebody finishes it."""
    home.record(home.run(parameters={"p": SECRET.decode() * 9}))
    with open_workspace(home.settings) as ws:
        (entry,) = ws.store.entries()
        stub = {"kind": "run.started", "v": 1, "event_at": T0, "command": [],
                "run": json.loads(entry.body)["run"]}  # fmt: skip
        change = {
            "kind": "entry.redacted",
            "v": 1,
            "event_at": T0,
            "source": entry.source,
            "event_id": entry.event_id,
            "stub": json.dumps(stub),
            "reason": "r",
            "by": "b",
        }
        body = canonical({"changes": [{"source": "other", "change": change}]})
        assert ws.intake.take_changes(body, ws.actor)[0].status == "recorded"
    assert home.does("redactions", "list")["unfinished"]
    assert home.does("redactions", "finish")["complete"]
    assert home.holds(SECRET) == []
    assert not home.does("redactions", "list")["unfinished"]


def test_what_cannot_be_redacted_is_said(home: Home) -> None:
    home.record(home.run())
    assert home.does("redact", "9", "--reason", "x", status=66)["error"]["code"] == "not-found"
    home.does("redactions", "require", "2", "--reason", "policy")
    done = home.does("redact", "2", "--reason", "x", status=65)
    assert done["error"]["code"] == "not-redactable"
    assert lineage(home.home, "redact", "1", PERSON, "--reason", "x").returncode == 2
    assert home.does("redact", "1", "--reason", " ", status=65)["error"]["code"] == "bad-argument"


def test_settings_that_only_versions_and_lists_name_go_as_well(home: Home) -> None:
    """Small files of settings are kept by the version of a use, or by the list of a folder."""
    read, listed, shared = (
        home.blob(SECRET + name).sha256 for name in (b" read", b" in a folder", b" of another")
    )
    rows = [["a.yaml", f"sha256.{listed}", ""], ["b.yaml", f"sha256.{shared}", ""]]
    inner = home.blob(canonical(rows)).sha256
    outer = home.blob(canonical([["conf", "", inner]])).sha256

    def finished(run: str, *uses: dict[str, Any]) -> RunFinished:
        where = RunRef(namespace="local://h", job="train", run_id=run)
        value = {"event_at": T0, "run": where, "state": "COMPLETE", "uses": uses}
        return RunFinished.model_validate(value)

    base = {"namespace": "file", "at": T0}
    use = {**base, "name": "/conf/c.yaml", "version": f"sha256.{read}"}
    folder = {**base, "name": "/conf", "artifact_kind": "directory", "manifest": outer}
    other = {**base, "name": "/other.yaml", "version": f"sha256.{shared}"}
    first = home.record(finished("1", use, folder))
    second = home.record(finished("2", other, use))
    blobs = DirectoryBlobs(home.settings.blobs)
    home.does("redact", str(first), "--reason", "x")
    assert set(blobs.all()) == {read, shared}, "the other run means them, too"
    home.does("redact", str(second), "--reason", "x")
    assert home.holds(SECRET) == []
    assert list(blobs.all()) == []


def test_contents_that_tell_of_a_person_go_and_the_rest_of_the_run_stays(home: Home) -> None:
    telling, packed = home.blob(f"+ by {NAME}".encode()), home.blob(gzip.compress(NAME.encode()))
    silent = home.blob(b"+ lr = 1")
    home.record(
        PersonDescribed(event_at=T0, person=PERSON, attributes={"name": NAME}),
        home.run(diff=telling), home.run(diff=packed),
        home.run(diff=silent, user=UserFacts(person=PERSON, name=NAME)),
    )  # fmt: skip
    done = home.does("redact", PERSON, "--reason", "Art. 17")
    assert done["redacted"] == 4
    assert list(DirectoryBlobs(home.settings.blobs).all()) == [silent.sha256]
    assert home.holds(NAME.encode(), gzip.compress(NAME.encode())) == []
    home.is_sound()


# --- two people

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="becomes another account of this machine")
_OTHER = """
import os, runpy
os.setreuid(12345, 0)  # another person's account, which may use this store
runpy.run_module("lineage", run_name="__main__", alter_sys=True)
"""


def _as_other(home: Home, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _OTHER, *words, "--json"], env=environment(home.home),
        capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value


@needs_root
def test_two_people_where_the_store_asks_for_them(home: Home) -> None:
    seq = home.record(home.run(parameters={"p": SECRET.decode()}))
    home.does("redactions", "require", "2", "--reason", "policy")
    asked = home.does("redact", str(seq), "--reason", "mistake")
    assert home.holds(SECRET)
    (waiting,) = home.does("redactions", "list")["proposals"]
    assert (waiting["id"], waiting["entries"]) == (asked["proposal"], 1)
    alone = home.does("redactions", "approve", asked["proposal"], status=65, LOGNAME="another")
    assert alone["error"]["code"] == "redaction-needs-approval", "a variable makes nobody a second"
    assert home.holds(SECRET)
    assert _as_other(home, "redactions", "approve", asked["proposal"][:20])["redacted"] == 1
    assert home.holds(SECRET) == []
    assert home.does("redactions", "list")["proposals"] == []
    home.does("redactions", "require", "1", "--reason", "alone now")
    assert home.does("redactions", "list")["people"] == 2
    (asked,) = home.does("redactions", "list")["proposals"]
    assert _as_other(home, "redactions", "approve", asked["id"]) == {"people": 1}
    assert home.does("redactions", "list")["people"] == 1
