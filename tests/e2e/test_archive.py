"""`lineage archive` and `lineage restore`, as commands: everything lost, and back again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake._internal import DeltaFileSystemHandler

from lineage.model.checkpoint import Checkpoint
from lineage.model.notes import generate_key, sign_note
from lineage.record.interpret import interpret
from lineage.record.recorder import Recorder
from lineage.record.seal.keys import add_key
from lineage.settings import load_settings
from lineage.store.blobs import DirectoryBlobs
from lineage.store.sqlite import SqliteStore
from tests.archiving import ACTOR, T0, fill, on_disk, redact, seal
from tests.serving import environment, lineage

if TYPE_CHECKING:
    from tests.neo4j_server import Neo4jAt
    from tests.s3_server import S3Server

pytestmark = pytest.mark.sqlite
KEY = generate_key("example.test/log")


def _home(place: Path, entries: int = 24) -> Path:
    """A home with a store that is sealed, and its key."""
    home = place / "home"
    settings = load_settings(environment(home))
    home.mkdir(mode=0o700)
    settings.key_path.write_text("6b" * 32)
    store = SqliteStore(settings.store_path, interpret)
    fill(store, DirectoryBlobs(settings.blobs), entries - 1)
    add_key(Recorder(store, key=b"k" * 32), ACTOR, KEY.public, now=T0)
    seal(store, KEY)
    store.close()
    return home


def _said(done: subprocess.CompletedProcess[str], status: int = 0) -> dict[str, Any]:
    assert done.returncode == status, done.stderr
    said: dict[str, Any] = json.loads(done.stdout if status == 0 else done.stderr)
    return said


def _error(done: subprocess.CompletedProcess[str], code: str, status: int) -> dict[str, Any]:
    assert done.returncode == status, done.stderr
    error: dict[str, Any] = json.loads(done.stderr)["error"]
    assert error["code"] == code
    assert error["hint"]
    return error


def test_everything_is_lost_and_restored_from_the_archive(tmp_path: Path) -> None:
    home, place = _home(tmp_path), str(tmp_path / "archive")
    done = _said(lineage(home, "archive", place, "--compact", "--json"))
    assert (done["size"], done["checkpoints"], done["blobs"]) == (24, 1, 3)
    head = lineage(home, "ledger", "head").stdout.splitlines()[0]
    key = (home / "store.key").read_text()
    shutil.rmtree(home)
    words = ("restore", "--from", place, "--expect", head, "--key", str(tmp_path / "ledger.pub"))
    missing = _error(lineage(home, *words, "--json"), "bad-setting", 64)
    assert missing["message"].startswith("no such file")
    (tmp_path / "ledger.pub").write_text(f"{KEY.public.text()}\n")
    back = lineage(home, *words)
    assert back.returncode == 0, back.stderr
    assert "24 entries" in back.stdout
    assert "is a new key" in back.stdout
    assert (home / "store.key").read_text() != key
    (home / "store.key").write_text(key)
    verified = _said(lineage(home, "ledger", "verify", "--expect", head, "--json"))
    assert verified["sound"]
    assert verified["graph_follows_from_ledger"]
    assert _said(lineage(home, "archive", place, "--json"))["entries"] == 0


def test_without_a_checkpoint_it_says_what_to_do(tmp_path: Path) -> None:
    home, place = tmp_path / "home", str(tmp_path / "archive")
    home.mkdir()
    store = SqliteStore(home / "store.db", interpret)
    fill(store, DirectoryBlobs(home / "store.blobs"), 4)
    store.close()
    error = _error(lineage(home, "archive", place, "--json"), "nothing-sealed", 1)
    assert "--unsealed" in error["hint"]
    assert _said(lineage(home, "archive", place, "--unsealed", "--json"))["size"] == 4


def test_a_backup_is_restored_with_its_key(tmp_path: Path) -> None:
    home, tar = _home(tmp_path), str(tmp_path / "copy.tar")
    assert lineage(home, "backup", tar).returncode == 0
    other = tmp_path / "other"
    done = _said(lineage(other, "restore", "--from", tar, "--until", "20", "--json"))
    assert (done["size"], done["new_key"], done["sealed"]) == (20, False, 20)
    assert (other / "store.key").read_text() == (home / "store.key").read_text()
    assert (other / "store.key").stat().st_mode & 0o777 == 0o600
    assert _said(lineage(other, "restore", "--from", tar, "--json"))["entries"] == 4
    assert _said(lineage(other, "ledger", "verify", "--json"))["sound"]
    assert sorted(p.name for p in other.iterdir() if p.name.startswith(".restore")) == []
    third = tmp_path / "third"
    third.mkdir()
    (third / "store.key").write_text("00" * 32)
    _error(lineage(third, "restore", "--from", tar, "--json"), "store-key", 64)
    (tmp_path / "no.tar").write_bytes(b"no tar")
    _error(lineage(third, "restore", "--from", str(tmp_path / "no.tar"), "--json"),
           "bad-setting", 64)  # fmt: skip


def test_until_a_time_or_a_checkpoint_in_a_file(tmp_path: Path) -> None:
    home, place = _home(tmp_path), str(tmp_path / "archive")
    assert lineage(home, "archive", place).returncode == 0
    listed = json.loads(lineage(home, "ledger", "list", "--limit", "24", "--json").stdout)
    moment = listed[9]["recorded_at"]
    done = _said(lineage(tmp_path / "a", "restore", "--from", place, "--until", moment, "--json"))
    assert done["size"] == max(e["seq"] for e in listed if e["recorded_at"] <= moment)
    store = SqliteStore(home / "store.db", interpret)
    (tmp_path / "note").write_bytes(next(store.checkpoints()).note)
    until = ("--until", str(tmp_path / "note"))
    done = _said(lineage(tmp_path / "b", "restore", "--from", place, *until, "--json"))
    assert done["size"] == done["sealed"] == 24
    other = Checkpoint("example.test/log", 24, b"x" * 32).text()
    (tmp_path / "note").write_bytes(sign_note(other, [KEY]))
    _error(
        lineage(tmp_path / "c", "restore", "--from", place, *until, "--json"), "archive-damaged", 1
    )
    _error(
        lineage(tmp_path / "d", "restore", "--from", place, "--until", "soon", "--json"),
        "bad-setting", 64,
    )  # fmt: skip


def test_a_store_behind_its_checkpoint_is_brought_forward_by_a_restore(tmp_path: Path) -> None:
    home, place = _home(tmp_path), str(tmp_path / "archive")
    old = tmp_path / "old.tar"
    assert lineage(home, "ledger", "init-key", "--rotate").returncode == 0
    assert lineage(home, "backup", str(old)).returncode == 0
    store = SqliteStore(home / "store.db", interpret)
    fill(store, DirectoryBlobs(home / "store.blobs"), 6)
    store.close()
    assert lineage(home, "ledger", "checkpoint").returncode == 0
    done = _said(lineage(home, "archive", place, "--json"))
    for leftover in home.glob("store.db*"):
        leftover.unlink()
    back = _said(lineage(home, "restore", "--from", str(old), "--json"))
    assert "were sealed" in back["behind"]
    assert "refuses to append" in lineage(home, "restore", "--from", str(old)).stdout
    back = _said(lineage(home, "restore", "--from", place, "--json"))
    assert (back["size"], back["behind"]) == (done["size"], "")
    assert lineage(home, "ledger", "checkpoint").returncode == 0


def test_an_archive_is_verified_by_itself(tmp_path: Path) -> None:
    home, place = _home(tmp_path), tmp_path / "archive"
    assert lineage(home, "archive", str(place)).returncode == 0
    sound = _said(lineage(home, "archive", str(place), "--verify", "--json"))
    assert (sound["sound"], sound["entries"], sound["blobs"]) == (True, 24, 3)
    DeltaTable(next(place.glob("entries_*"))).update({"v": "7"}, predicate="seq = 9")
    done = lineage(home, "archive", str(place), "--verify", "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["first_bad"] == 9
    assert told["faults"][0]["file"].endswith(".parquet")
    assert json.loads(done.stderr)["error"]["code"] == "archive-damaged"


def test_what_is_redacted_goes_from_the_archive_with_the_next_run(tmp_path: Path) -> None:
    home, place = _home(tmp_path), tmp_path / "archive"
    assert lineage(home, "archive", str(place)).returncode == 0
    store = SqliteStore(home / "store.db", interpret)
    redact(store, 5)
    store.close()
    said = lineage(home, "archive", str(place), "--unsealed")
    assert "redacted in it: 1 entry\n" in said.stdout
    assert on_disk(place, b'"secret-4"') == []


def test_what_a_restored_store_redacts_goes_from_the_archive_it_came_from(tmp_path: Path) -> None:
    home, place = _home(tmp_path), tmp_path / "archive"
    assert lineage(home, "archive", str(place)).returncode == 0
    again = tmp_path / "again"
    assert lineage(again, "restore", "--from", str(place)).returncode == 0
    done = _said(lineage(again, "redact", "5", "--reason", "test", "--json"))
    assert done["rewritten"] == [str(place)]
    assert on_disk(place, b'"secret-4"') == []
    third = _said(lineage(tmp_path / "third", "restore", "--from", str(place), "--json"))
    assert third["size"] == 25


def test_an_archive_that_was_begun_is_reached_by_redactions(tmp_path: Path) -> None:
    home, place = _home(tmp_path), tmp_path / "archive"
    _error(lineage(home, "archive", str(tmp_path / "file" / "x"), "--verify", "--json"),
           "not-found", 66)  # fmt: skip
    lost = next(iter(DirectoryBlobs(home / "store.blobs").all()))
    (home / "store.blobs" / lost[:2] / lost[2:]).unlink()
    _error(lineage(home, "archive", str(place), "--json"), "not-found", 66)
    copies = json.loads((home / "store.copies").read_text())["copies"]
    assert [copy["place"] for copy in copies] == [str(place)]


def test_it_needs_no_library_beside_deltalake(tmp_path: Path) -> None:
    home, place = _home(tmp_path), str(tmp_path / "archive")
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['pyarrow', 'pandas', 'polars']));"
        "from lineage.cli.main import main; main()"
    )
    for words in (
        ["archive", place, "--compact"],
        ["archive", place, "--verify"],
        ["restore", "--from", place],
    ):
        where = tmp_path / "again" if words[0] == "restore" else home
        done = subprocess.run(
            [sys.executable, "-c", program, *words],
            env=environment(where), capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert _said(lineage(tmp_path / "again", "ledger", "verify", "--json"))["sound"]


def _mirror(place: str, environment: dict[str, str], into: Path) -> Path:
    """Every object below an address, as files."""
    storage = DeltaFileSystemHandler(place, environment)
    for info in storage.get_file_info_selector("", recursive=True):
        if info.is_file:
            file = storage.open_input_file(info.path)
            (into / info.path).parent.mkdir(parents=True, exist_ok=True)
            (into / info.path).write_bytes(file.read(file.size()))
    return into


@pytest.mark.needs("s3")
def test_several_archivers_write_to_one_bucket(s3_server: S3Server, tmp_path: Path) -> None:
    home = _home(tmp_path)
    place = f"{s3_server.make_bucket('several')}/team"
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "lineage", "archive", place],
            env=environment(home, s3_server.environment), stdout=subprocess.DEVNULL,
        )
        for _ in range(3)
    ]  # fmt: skip
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    mirror = _mirror(place, s3_server.environment, tmp_path / "mirror")
    entries = pl.read_delta(str(next(mirror.glob("entries_*"))))
    assert sorted(entries["seq"]) == list(range(1, 25))
    blobs = pl.read_delta(str(mirror / "blobs"))
    assert len(blobs) == len(set(blobs["sha256"])) == 3


@pytest.mark.needs("s3")
def test_an_archive_in_a_bucket(s3_server: S3Server, tmp_path: Path) -> None:
    home = _home(tmp_path)
    place = f"{s3_server.make_bucket('archives')}/team"
    env = s3_server.environment
    assert _said(lineage(home, "archive", place, "--json", **env))["entries"] == 24
    store = SqliteStore(home / "store.db", interpret)
    redact(store, 5)
    fill(store, DirectoryBlobs(home / "store.blobs"), 4)
    seal(store, KEY)
    live = store.digest()
    store.close()
    done = _said(lineage(home, "archive", place, "--compact", "--json", **env))
    assert (done["entries"], done["erased"], done["checkpoints"]) == (5, 1, 1)
    mirror = _mirror(place, env, tmp_path / "mirror")
    assert on_disk(mirror, b'"secret-4"') == []
    assert on_disk(mirror, b'"secret-8"') != []
    again = tmp_path / "again"
    assert _said(lineage(again, "restore", "--from", place, "--json", **env))["size"] == 29
    assert SqliteStore(again / "store.db", interpret).digest() == live
    away = {**env, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    _error(lineage(home, "archive", place, "--json", **away), "archive-unavailable", 69)


def test_a_store_moves_to_neo4j_and_back(neo4j_at: Neo4jAt, tmp_path: Path) -> None:
    home, place = _home(tmp_path), str(tmp_path / "archive")
    assert lineage(home, "archive", place).returncode == 0
    team = {
        "LINEAGE_STORE": neo4j_at.url, "LINEAGE_STORE_PASSWORD": neo4j_at.password,
        "LINEAGE_STORE_KEY_FILE": str(home / "store.key"),
    }  # fmt: skip
    there = tmp_path / "there"
    for until in (["--until", "10"], []):
        done = lineage(there, "restore", "--from", place, *until, "--json", **team)
        assert _said(done)["new_key"] is False
    second = str(tmp_path / "second")
    assert _said(lineage(there, "archive", second, "--json", **team))["size"] == 24
    back = tmp_path / "back"
    assert _said(lineage(back, "restore", "--from", second, "--json"))["checkpoints"] == 1
    first = SqliteStore(home / "store.db", interpret)
    last = SqliteStore(back / "store.db", interpret)
    assert last.digest() == first.digest()
    assert list(last.entries()) == list(first.entries())
    ids = "{ artifacts(first: 50) { edges { node { id displayName kind } } } }"
    answers = {
        lineage(where, "graphql", ids, **more).stdout
        for where, more in ((home, {}), (there, team), (back, {}))
    }
    assert len(answers) == 1


def test_a_store_of_an_earlier_time_refuses_to_append(tmp_path: Path) -> None:
    home, place, tar = _home(tmp_path), str(tmp_path / "archive"), str(tmp_path / "copy.tar")
    assert lineage(home, "archive", place).returncode == 0
    assert lineage(home, "backup", tar).returncode == 0
    for source in (place, tar):
        earlier = tmp_path / f"of-{Path(source).name}"
        back = lineage(earlier, "restore", "--from", source, "--until", "20")
        assert "it can be read, and refuses to append" in back.stdout, back.stderr
        refused = lineage(earlier, "redact", "5", "--reason", "test", "--json")
        _error(refused, "not-as-sealed", 1)
        done = _said(lineage(earlier, "restore", "--from", source, "--json"))
        assert (done["size"], done["behind"]) == (24, "")


def test_a_store_of_an_earlier_time_says_that_nothing_later_is_sealed(tmp_path: Path) -> None:
    home, place = _home(tmp_path), str(tmp_path / "archive")
    store = SqliteStore(home / "store.db", interpret)
    fill(store, DirectoryBlobs(home / "store.blobs"), 4)
    store.close()
    assert lineage(home, "archive", place, "--unsealed").returncode == 0
    back = lineage(tmp_path / "earlier", "restore", "--from", place, "--until", "26")
    assert "it can be appended to: no later checkpoint is known" in back.stdout, back.stderr


def test_the_key_in_use_comes_along_to_the_next_shell(tmp_path: Path) -> None:
    home, place = _home(tmp_path), str(tmp_path / "archive")
    assert lineage(home, "archive", place).returncode == 0
    key, back = home / "store.key", tmp_path / "back"
    named = {"LINEAGE_STORE_KEY_FILE": str(key)}
    done = _said(lineage(back, "restore", "--from", place, "--json", **named))
    assert (done["new_key"], done["key_copy"]) == (False, str(back / "store.key"))
    assert (back / "store.key").read_text() == key.read_text()
    (back / "store.key").unlink()
    for words in (["search", "x"], ["ledger", "init-key", "--name", "example.test/log"]):
        _error(lineage(back, *words, "--json"), "store-key", 64)
    ran = lineage(back, "run", "--", sys.executable, "-c", "print(7)")
    assert (ran.stdout, ran.returncode) == ("7\n", 0)
    assert "is missing" in ran.stderr
    assert not (back / "store.key").exists()
    (back / "store.key").write_text("00" * 32)
    tar = str(tmp_path / "copy.tar")
    _error(lineage(back, "backup", tar, "--json"), "store-key", 64)
    _error(lineage(back, "sweep", "--json"), "store-key", 64)
    (back / "store.key").write_text(key.read_text())
    assert lineage(back, "backup", tar).returncode == 0


def test_a_new_key_gives_way_to_the_old_one_until_something_is_recorded(tmp_path: Path) -> None:
    home, place = _home(tmp_path), str(tmp_path / "archive")
    assert lineage(home, "archive", place).returncode == 0
    again = tmp_path / "again"
    for until in (["--until", "10"], []):
        assert lineage(again, "restore", "--from", place, *until).returncode == 0
    (again / "store.key").write_text((home / "store.key").read_text())
    assert lineage(again, "sweep").returncode == 0
    (again / "store.key").write_text("00" * 32)
    error = _error(lineage(again, "sweep", "--json"), "store-key", 64)
    assert "is not that of" in error["message"]


def test_an_archive_says_what_it_leaves_behind(tmp_path: Path) -> None:
    home, place = _home(tmp_path), str(tmp_path / "archive")
    store = SqliteStore(home / "store.db", interpret)
    fill(store, DirectoryBlobs(home / "store.blobs"), 3)
    store.close()
    said = lineage(home, "archive", place, "--compact").stdout
    assert "3 entries after the last checkpoint wait: seal, or archive with --unsealed" in said
    assert "24 entries, 3 blobs, 1 checkpoint\n" in said
    assert " files are " not in said
    assert _said(lineage(home, "archive", place, "--json"))["waiting"] == 3
    assert _said(lineage(home, "archive", place, "--unsealed", "--json"))["waiting"] == 0


def test_what_is_no_backup_is_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("[]")
    error = _error(
        lineage(tmp_path / "home", "restore", "--from", str(tmp_path / "keys.json"), "--json"),
        "bad-setting", 64,
    )  # fmt: skip
    assert "keys.json is no whole backup: " in error["message"]
    assert "\n" not in error["message"]


def test_one_entry_is_not_entries(tmp_path: Path) -> None:
    made = lineage(tmp_path / "home", "ledger", "init-key", "--name", "example.test/log")
    assert "sealed 1 entry\n" in made.stdout
