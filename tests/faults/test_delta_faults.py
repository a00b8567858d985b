"""What breaks around a table: torn commits, kills, vacuums and clean-ups at the wrong moment."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from typing_extensions import override

from lineage.capture.delta.position import CursorFile, Position
from lineage.capture.delta.storage import LocalLog, Stamp, table_ref
from lineage.capture.delta.tail import Captured, DeltaTail
from lineage.errors import SourceUnavailableError, StoreError, VersionLostError
from lineage.model.changes import ClaimRetracted, GapRecorded, TableCommitted
from lineage.model.claims import StateType
from lineage.model.envelope import Actor
from lineage.model.ids import artifact_id
from lineage.record.interpret import interpret
from lineage.record.ledger import verify
from lineage.record.recorder import Recorder
from lineage.reproduce.delta import table_version
from lineage.reproduce.pin import pin_version, pins_of
from lineage.reproduce.place import put as real_put
from lineage.settings import Settings, load_settings
from lineage.store.contract import Store, View
from lineage.store.memory import MemoryStore
from lineage.wiring import open_workspace
from tests.delta_tables import id_of


def grown(table: Path, versions: int) -> Path:
    for n in range(versions):
        write_deltalake(table, pa.table({"id": [n]}), mode="append")
    return table


def log_file(table: Path, version: int) -> Path:
    return table / "_delta_log" / f"{version:020d}.json"


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


class Watched:
    """A tail with a clock, into a store."""

    def __init__(self, table: Path, position: Position | None = None) -> None:
        self.clock = Clock()
        self.tail = DeltaTail(
            LocalLog(table), table_ref(table), position, patience=5, clock=self.clock
        )
        self.store: Store = MemoryStore(interpret)
        self.artifact = artifact_id("file", str(table))

    def drain(self) -> list[Captured]:
        out: list[Captured] = []
        while found := self.tail.poll():
            out += found
            Recorder(self.store, key=b"k").record_changes(
                [c.change for c in found], source=self.tail.source, actor=Actor("person:x"),
                event_ids=[c.event_id for c in found],
            )  # fmt: skip
        return out

    def versions(self) -> list[int]:
        return [c.change.version for c in self.drain() if isinstance(c.change, TableCommitted)]

    def gaps(self) -> list[str]:
        """Reasons of the gaps that touch the table, as the graph shows them."""
        view = View(self.store.head().seq)
        states = self.store.states(view, subjects=[self.artifact], types=[StateType.GAP])
        return [json.loads(state.value)["reason"] for state in states]


# --- torn commits


TEARS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "cut in a line": lambda whole: whole[: len(whole) - 7],
    "half": lambda whole: whole[: len(whole) // 2],
    "nuls": lambda whole: b"\0" * len(whole),
    "padded": lambda whole: whole + b"\0" * 4096,
}


@pytest.mark.parametrize("tear", TEARS)
def test_a_commit_still_being_written_is_waited_for(tmp_path: Path, tear: str) -> None:
    table = grown(tmp_path / "t", 3)
    watched = Watched(table)
    whole = log_file(table, 2).read_bytes()
    log_file(table, 2).write_bytes(TEARS[tear](whole))
    assert watched.versions() == [0, 1]
    assert "commit 2" in watched.tail.waiting
    watched.clock.at = 4.9
    assert watched.versions() == []
    log_file(table, 2).write_bytes(whole)
    assert watched.versions() == [2]
    assert watched.gaps() == []


@pytest.mark.parametrize("tear", TEARS)
def test_a_torn_last_commit_is_said_and_not_passed_over(tmp_path: Path, tear: str) -> None:
    table = grown(tmp_path / "t", 3)
    watched = Watched(table)
    whole = log_file(table, 2).read_bytes()
    log_file(table, 2).write_bytes(TEARS[tear](whole))
    assert watched.versions() == [0, 1]
    watched.clock.at = 5.1
    assert watched.versions() == []
    assert watched.gaps() == ["torn-commit"]
    assert watched.drain() == []  # said once
    log_file(table, 2).write_bytes(whole)
    assert watched.versions() == [2]
    assert watched.gaps() == []  # it was none after all


def test_a_torn_commit_that_others_followed_is_passed_over(tmp_path: Path) -> None:
    """deltalake takes a commit of no bytes for a valid one and goes on after it."""
    table = grown(tmp_path / "t", 3)
    whole = log_file(table, 2).read_bytes()
    log_file(table, 2).write_bytes(b"")
    grown(table, 2)
    watched = Watched(table)
    assert watched.versions() == [0, 1]
    watched.clock.at = 5.1
    assert watched.versions() == [3, 4]
    assert watched.gaps() == ["torn-commit"]
    log_file(table, 2).write_bytes(whole)
    mended = watched.drain()
    assert [type(c.change) for c in mended] == [TableCommitted, ClaimRetracted]
    assert watched.gaps() == []
    assert watched.drain() == []
    assert watched.tail.position is not None
    assert watched.tail.position.version == 4


def test_a_mended_commit_is_found_by_the_next_process(tmp_path: Path) -> None:
    table = grown(tmp_path / "t", 5)
    whole = log_file(table, 1).read_bytes()
    log_file(table, 1).write_bytes(whole[:50])
    watched = Watched(table)
    watched.versions()
    watched.clock.at = 5.1
    assert watched.versions() == [2, 3, 4]
    cursor = CursorFile(tmp_path / "cursors", watched.tail.source, "store")
    cursor.save(watched.tail.position)
    log_file(table, 1).write_bytes(whole)
    assert Watched(table, cursor.load()).versions() == [1]


def test_a_torn_first_commit_does_not_hide_which_table_it_is(tmp_path: Path) -> None:
    table = grown(tmp_path / "t", 4)
    table_id = id_of(table)
    DeltaTable(table, version=2).create_checkpoint()
    log_file(table, 0).write_bytes(b"")
    watched = Watched(table)
    assert watched.versions() == []
    watched.clock.at = 5.1
    found = [c.change for c in watched.drain()]
    assert [c.version for c in found if isinstance(c, TableCommitted)] == [1, 2, 3]
    assert {c.table_id for c in found if isinstance(c, TableCommitted)} == {table_id}
    assert [c.reason for c in found if isinstance(c, GapRecorded)] == ["torn-commit"]


def test_a_commit_cut_between_two_lines_is_recorded_with_a_gap(tmp_path: Path) -> None:
    """Such a file is a valid commit to every reader, but deltalake counted more files."""
    table = grown(tmp_path / "t", 2)
    lines = log_file(table, 1).read_bytes().splitlines()
    log_file(table, 1).write_bytes(lines[0])
    watched = Watched(table)
    assert watched.versions() == [0]
    watched.clock.at = 5.1
    assert watched.versions() == [1]
    assert watched.gaps() == ["commit-shorter-than-said"]


def test_random_damage_never_passes_for_a_commit(tmp_path: Path) -> None:
    """Bytes cut off anywhere: never fewer files than deltalake wrote without a gap."""
    table = grown(tmp_path / "t", 3)
    whole = log_file(table, 1).read_bytes()
    rng = random.Random(7)
    for _ in range(40):
        log_file(table, 1).write_bytes(whole[: rng.randrange(len(whole))])
        watched = Watched(table)
        watched.drain()
        watched.clock.at = 5.1
        watched.drain()
        assert watched.gaps(), "nothing was said"


# --- cursors


class Failing(LocalLog):
    """A log on a file system that goes away at a given question."""

    def __init__(self, table: Path, fails_at: int) -> None:
        super().__init__(table)
        self.left = fails_at

    def _ask(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise SourceUnavailableError("stale file handle")

    @override
    def read(self, name: str) -> bytes | None:
        self._ask()
        return super().read(name)

    @override
    def stamp(self, name: str) -> Stamp | None:
        self._ask()
        return super().stamp(name)

    @override
    def names(self) -> Iterable[str] | None:
        self._ask()
        return super().names()


@pytest.mark.parametrize("fails_at", range(1, 40))
def test_a_log_that_goes_away_amid_a_batch_loses_nothing(tmp_path: Path, fails_at: int) -> None:
    table = grown(tmp_path / "t", 5)
    whole = log_file(table, 2).read_bytes()
    log_file(table, 2).write_bytes(b"")
    watched = Watched(table)
    watched.versions()
    watched.clock.at = 60
    assert watched.versions() == [3, 4], "2 is torn, and passed over"
    log_file(table, 2).write_bytes(whole)
    grown(table, 1)
    failing = Failing(table, fails_at)
    tail = DeltaTail(failing, table_ref(table), watched.tail.position, clock=watched.clock)
    found: list[int] = []
    for _ in range(3):
        with contextlib.suppress(SourceUnavailableError):
            changes = [captured.change for captured in tail.poll()]
            found += [change.version for change in changes if isinstance(change, TableCommitted)]
    assert found == [2, 5]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": 9}', "\0\0\0"])
def test_a_damaged_cursor_is_ignored(tmp_path: Path, damage: str) -> None:
    cursor = CursorFile(tmp_path, "delta:file,/t", "store")
    assert cursor.load() is None
    position = Position(3, "id", "id", "ab")
    cursor.save(position)
    assert cursor.load() == position
    assert CursorFile(tmp_path, "delta:file,/t", "other").load() is None
    (file,) = tmp_path.iterdir()
    file.write_text(damage)
    assert cursor.load() is None
    cursor.save(None)
    assert list(tmp_path.iterdir()) == []


# --- the command, killed


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"LINEAGE_HOME": str(tmp_path / "home")})


def command(settings: Settings, *words: str | Path, **more: str) -> subprocess.Popen[str]:
    environment = {"LINEAGE_HOME": str(settings.home), "PATH": os.environ["PATH"], **more}
    return subprocess.Popen(
        [sys.executable, "-m", "lineage", "watch", "delta", *map(str, words)],
        env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip


def recorded(settings: Settings) -> list[str]:
    """Event ids in the order of the ledger, once the store is there and made."""
    if not settings.store_path.exists():
        return []
    try:
        with open_workspace(settings, read_only=True) as ws:
            return [entry.event_id for entry in ws.store.entries()]
    except StoreError:
        return []


def until(done: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "too slow"
        time.sleep(0.02)


def expected(table: Path) -> list[str]:
    table_id = id_of(table)
    return [f"{table_id}.{version:020d}" for version in range(DeltaTable(table).version() + 1)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_watch_ends_cleanly_when_told_to(
    tmp_path: Path, settings: Settings, number: signal.Signals
) -> None:
    table = grown(tmp_path / "t", 3)
    watch = command(settings, table, "--interval", "0.05", "--json")
    until(lambda: len(recorded(settings)) == 3)
    grown(table, 2)
    until(lambda: len(recorded(settings)) == 5)
    watch.send_signal(number)
    out, _ = watch.communicate(timeout=30)
    assert watch.returncode == 0
    steps = [json.loads(line) for line in out.splitlines()]
    assert sum(step["commits"] for step in steps) == 5
    assert steps[-1]["last"] == 4


@pytest.mark.slow
def test_killed_at_random_moments_nothing_is_lost_or_doubled(
    tmp_path: Path, settings: Settings
) -> None:
    table = grown(tmp_path / "t", 1)
    rng = random.Random(3)
    kills = 0
    for _ in range(15):
        watch = command(settings, table, "--interval", "0.01")
        writing = time.monotonic() + rng.uniform(0.05, 0.6)
        while time.monotonic() < writing:
            grown(table, 1)
        watch.kill()
        watch.communicate(timeout=30)
        kills += watch.returncode == -signal.SIGKILL
    last = command(settings, table, "--once")
    last.communicate(timeout=60)
    assert kills >= 10
    assert recorded(settings) == expected(table)
    with open_workspace(settings, read_only=True) as ws:
        assert not verify(ws.store, ws.blobs).faults


def test_a_cursor_of_another_store_is_not_followed(tmp_path: Path, settings: Settings) -> None:
    """The store was removed or an older copy put back: everything is recorded again."""
    table = grown(tmp_path / "t", 3)
    command(settings, table, "--once").communicate(timeout=60)
    for path in settings.home.glob("store.*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    command(settings, table, "--once").communicate(timeout=60)
    assert recorded(settings) == expected(table)
    command(settings, table, "--once", "--from-start").communicate(timeout=60)
    assert recorded(settings) == expected(table)


def test_a_table_that_is_not_there_is_an_error_only_with_once(
    tmp_path: Path, settings: Settings
) -> None:
    once = command(settings, tmp_path / "t", "--once")
    _, said = once.communicate(timeout=60)
    assert once.returncode == 69
    assert "source-unavailable" in said
    watch = command(settings, tmp_path / "t", "--interval", "0.05")
    time.sleep(0.3)
    grown(tmp_path / "t", 2)
    until(lambda: len(recorded(settings)) == 2)
    watch.terminate()
    assert watch.wait(30) == 0
    watch.communicate()


# --- a service that is away


class Service(BaseHTTPRequestHandler):
    """Takes changes, after refusing some."""

    refusals = 2
    taken: list[dict[str, Any]]
    tokens: set[str | None]

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        cls = type(self)
        cls.tokens.add(self.headers.get("Authorization"))
        if cls.refusals:
            cls.refusals -= 1
            self.send_response(503)
        else:
            cls.taken += body["changes"]
            self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def service() -> Iterator[str]:
    Service.taken, Service.tokens, Service.refusals = [], set(), 2
    server = HTTPServer(("127.0.0.1", 0), Service)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_service_that_is_away_is_tried_again(tmp_path: Path, settings: Settings) -> None:
    table = grown(tmp_path / "t", 3)
    with service() as url:
        watch = command(
            settings, table, "--interval", "0.05", LINEAGE_URL=url, LINEAGE_TOKEN="sesame"
        )
        until(lambda: len(Service.taken) == 3)
        watch.terminate()
        _, said = watch.communicate(timeout=30)
        assert watch.returncode == 0
        assert "not-delivered" in said
        assert "sesame" not in said
        assert [item["event_id"] for item in Service.taken] == expected(table)
        assert Service.tokens == {"Bearer sesame"}
        again = command(settings, table, "--once", LINEAGE_URL=url)
        again.communicate(timeout=30)
        assert len(Service.taken) == 3  # the cursor moved with the delivery
    assert not settings.store_path.exists()


# --- a vacuum or a clean-up while a pin is made


def overwritten(table: Path) -> Path:
    for n in range(3):
        write_deltalake(table, pa.table({"id": [n]}), mode="overwrite")
    return table


def test_files_that_go_while_a_pin_is_made_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = overwritten(tmp_path / "t")
    token = table_version(table, 1).token
    wanted = [path for path, _ in pins_files(table, 1)]

    def put(source: Path, target: Path, *, copy: bool) -> Any:
        if source.suffix == ".parquet" and "_delta_log" not in source.parts:
            DeltaTable(table).vacuum(0, dry_run=False, enforce_retention_duration=False)
        return real_put(source, target, copy=copy)

    monkeypatch.setattr("lineage.reproduce.clone.put", put)
    with pytest.raises(VersionLostError) as caught:
        pin_version(table, token)
    assert caught.value.where["files"] == wanted
    assert pins_of(table) == []
    assert list((tmp_path / ".lineage-pins" / "t").iterdir()) == []


def pins_files(table: Path, version: int) -> list[tuple[str, int]]:
    needed = table_version(table, version).needed()
    return sorted((path, size) for path, (size, _) in needed.items())


def test_a_log_cleaned_while_a_pin_is_made_does_not_make_a_broken_pin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = overwritten(tmp_path / "t")
    token = table_version(table, 1).token

    def put(source: Path, target: Path, *, copy: bool) -> Any:
        log_file(table, 0).unlink(missing_ok=True)
        return real_put(source, target, copy=copy)

    monkeypatch.setattr("lineage.reproduce.clone.put", put)
    with pytest.raises(VersionLostError):
        pin_version(table, token)
    assert pins_of(table) == []


KILLED = """
import sys, os, signal
from pathlib import Path
from lineage.reproduce import clone, pin
from lineage.reproduce.delta import table_version
real, left = clone.put, [int(sys.argv[2])]
def put(source, target, *, copy):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(source, target, copy=copy)
clone.put = put
pin.pin_version(sys.argv[1], table_version(sys.argv[1], 4).token)
"""


@pytest.mark.parametrize("after", [0, 2, 6, 9])
def test_a_pin_killed_while_it_is_made_is_not_there(tmp_path: Path, after: int) -> None:
    table = grown(tmp_path / "t", 5)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(table), str(after)], check=False,
        cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    assert pins_of(table) == []
    later = time.time() + 7200
    pin = pin_version(table, table_version(table, 4).token, clock=lambda: later)
    assert pin.new
    folder = tmp_path / ".lineage-pins" / "t"
    assert [path.name for path in folder.iterdir()] == [pin.token]  # and what it left is swept
