"""`lineage witness`: one organisation keeps the ledger of another honest."""

from __future__ import annotations

import base64
import http.server
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from lineage import verify
from lineage.model.notes import add_signature_lines, signatures_of
from tests.sealing import ORIGIN, opened, write
from tests.serving import Serving, answering, environment, lineage

pytestmark = pytest.mark.sqlite


def told(home: Path, *words: str, **more: str) -> Any:
    done = lineage(home, *words, "--json", **more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Log:
    """A ledger that publishes its checkpoints to a directory."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.published = home.with_name(f"{home.name}-published")
        self.published.mkdir()
        self.publish = {"LINEAGE_SEAL_PUBLISH": str(self.published)}
        with opened(home) as ws:
            write(ws, 3)
        self.key = told(home, "ledger", "init-key", "--name", ORIGIN, **self.publish)["key"]

    def grow(self, start: int, count: int = 3) -> None:
        with opened(self.home) as ws:
            write(ws, count, start=start)
        told(self.home, "ledger", "checkpoint", **self.publish)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log")


@pytest.fixture
def watcher(tmp_path: Path) -> Path:
    """The home of a witness, with its key."""
    home = tmp_path / "watcher"
    key = told(home, "witness", "init-key", "w.example/w")["key"]
    assert (home / "witness" / "key").stat().st_mode & 0o077 == 0
    assert lineage(home, "witness", "init-key", "w.example/w").returncode == 64
    (home / "w.pub").write_text(key)
    return home


def test_two_organisations_hold_each_other_honest(tmp_path: Path, log: Log, watcher: Path) -> None:
    out = tmp_path / "cosigned"
    out.mkdir()
    follow = ("witness", "follow", str(log.published), "--log", log.key, "--once",
              "--publish", str(out))  # fmt: skip
    assert told(watcher, *follow)["cosigned"] == 1
    log.grow(10)
    log.grow(20)
    step = told(watcher, *follow)
    assert (step["size"], step["cosigned"], step["published"]) == (10, 2, [str(out)])
    assert told(watcher, *follow)["cosigned"] == 0
    (row,) = told(watcher, "witness", "status")["logs"]
    assert (row["origin"], row["size"]) == (ORIGIN, 10)

    # An auditor asks for a proof, and for the signature of the witness beside the log's.
    proof = tmp_path / "proof.json"
    assert lineage(log.home, "ledger", "prove", "5", "-o", str(proof)).returncode == 0
    files = [str(proof), str(out / ORIGIN / "checkpoint")]
    keys = ["--key", log.key, "--key", str(watcher / "w.pub")]
    assert verify.main([*files, *keys]) == 0
    assert verify.main([files[0], *keys]) == 2


def test_another_history_ends_the_witness_loudly(tmp_path: Path, log: Log, watcher: Path) -> None:
    twin = tmp_path / "twin"
    shutil.copytree(log.home, twin)
    log.grow(10)
    shown = ("witness", "follow", "--log", log.key, "--once")
    assert told(watcher, *shown, str(log.published))["cosigned"] == 1

    # To others it shows another one, by the same key.
    other = tmp_path / "other"
    other.mkdir()
    with opened(twin) as ws:
        write(ws, 3, start=90)
    told(twin, "ledger", "checkpoint", LINEAGE_SEAL_PUBLISH=str(other))
    lineage(watcher, *shown, str(other))
    done = lineage(watcher, *shown, str(other), "--json")  # asking twice does not wear it down
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, error["code"]) == (1, "inconsistent-log")
    assert "NOT cosigned" in error["message"]
    assert verify.main([error["where"]["evidence"], "--key", log.key]) == 1
    # What it saw first is what it stands by.
    assert told(watcher, *shown, str(log.published))["cosigned"] == 0

    # Back to before: a copy that lags, or an old backup.
    shutil.rmtree(other)
    other.mkdir()
    (other / ORIGIN).mkdir(parents=True)
    first = min((log.published / ORIGIN / "checkpoints").iterdir())
    shutil.copy(first, other / ORIGIN / "checkpoint")
    done = lineage(watcher, *shown, str(other), "--json")
    assert (done.returncode, json.loads(done.stderr)["error"]["code"]) == (1, "log-went-back")


def test_what_is_not_there_is_named_as_it_was_given(
    tmp_path: Path, log: Log, watcher: Path
) -> None:
    follow = ("witness", "follow", "--once", "--json")
    nowhere, words = str(tmp_path / "nowhere"), ("--log", log.key)
    for given, named in (
        ((nowhere, *words), "name the directory that the log publishes to"),
        ((str(log.published), *words, "--publish", nowhere), "or change --publish"),
        ((str(log.published), "--log", nowhere), "`lineage ledger keys --public`"),
    ):
        done = lineage(watcher, *follow, *given)
        error = json.loads(done.stderr)["error"]
        assert done.returncode in {64, 69}
        assert named in error["hint"]
        assert "LINEAGE_SEAL_PUBLISH" not in error["hint"]
        assert "to publish to" not in error["message"]
        assert nowhere in error["message"]


def test_keys_are_handed_over_in_a_file(tmp_path: Path, log: Log, watcher: Path) -> None:
    told(log.home, "ledger", "init-key", "--rotate", **log.publish)
    keys = tmp_path / "ledger.pub"
    keys.write_text(lineage(log.home, "ledger", "keys", "--public").stdout)
    assert keys.read_text().splitlines() == told(log.home, "ledger", "keys", "--public")
    assert keys.read_text().splitlines()[0] == log.key
    latest = str(log.published / ORIGIN / "checkpoint")
    assert verify.main([latest, "--key", str(keys)]) == 0
    follow = ("witness", "follow", str(log.published), "--once")
    assert told(watcher, *follow, "--log", str(keys))["cosigned"] == 1
    keys.write_text(lineage(log.home, "ledger", "keys").stdout)
    done = lineage(watcher, *follow, "--log", str(keys))
    assert f"{keys}, line 1: " in done.stderr
    assert "`lineage ledger keys --public`" in done.stderr


@contextmanager
def web(folder: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        @override
        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    with answering(server) as url:
        yield url


def test_a_service_and_a_web_server_are_followed_alike(log: Log, watcher: Path) -> None:
    follow = ("witness", "follow", "--log", log.key, "--once")
    with web(log.published) as url:
        assert told(watcher, *follow, url)["cosigned"] == 1
        log.grow(10)
        with Serving(log.home) as serving:
            assert told(watcher, *follow, f"{serving.url}/graphql")["cosigned"] == 1
            assert told(watcher, *follow, f"{serving.url}/graphql")["cosigned"] == 0
        log.grow(20)
        log.grow(30)
        assert told(watcher, *follow, url)["cosigned"] == 2
    done = lineage(watcher, *follow, url)  # it is away now
    assert (done.returncode, "source-unavailable" in done.stderr) == (69, True)


def test_it_goes_on_until_it_is_stopped(log: Log, watcher: Path) -> None:
    words = ["witness", "follow", str(log.published), "--log", log.key, "--interval", "0.05"]
    process = subprocess.Popen(
        [sys.executable, "-m", "lineage", *words, "--json"], env=environment(watcher),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert json.loads(process.stdout.readline())["size"] == 4
        away = log.published.with_name("moved")
        log.published.rename(away)  # a mount that goes away and comes back
        time.sleep(0.2)
        away.rename(log.published)
        log.grow(10)
        assert json.loads(process.stdout.readline())["size"] == 7
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_it_says_what_it_follows_where_nothing_is_new(log: Log, watcher: Path) -> None:
    words = ["witness", "follow", str(log.published), "--log", log.key]
    assert lineage(watcher, *words, "--once").stdout == f"{ORIGIN}: 4 entries cosigned\n"
    process = subprocess.Popen(
        [sys.executable, "-m", "lineage", *words, "--interval", "0.05"], env=environment(watcher),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    more, _ = process.communicate(timeout=60)
    assert (said, more) == (f"following {ORIGIN}, 4 entries\n", "")


def test_logs_ask_for_cosignatures_over_http(log: Log, watcher: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "lineage", "witness", "serve", "--log", log.key, "--port", "0",
         "--json"],
        env=environment(watcher), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        url = json.loads(process.stdout.readline())["url"]

        def ask(body: bytes) -> tuple[int, bytes]:
            request = urllib.request.Request(f"{url}/add-checkpoint", data=body, method="POST")
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return answer.status, answer.read()
            except urllib.error.HTTPError as fault:
                with fault:
                    return fault.code, fault.read()

        note = (log.published / ORIGIN / "checkpoint").read_bytes()
        status, line = ask(b"old 0\n\n" + note)
        assert status == 200
        assert len(signatures_of(add_signature_lines(note, line))) == 2
        log.grow(10)
        status, size = ask(b"old 0\n\n" + (log.published / ORIGIN / "checkpoint").read_bytes())
        assert (status, size) == (409, b"4\n")
        bundle = json.loads(lineage(log.home, "ledger", "consistency", "4").stdout)
        lines_of = "\n".join(["old 4", *bundle["proof"]])
        assert base64.b64decode(bundle["proof"][0])
        status, _ = ask(f"{lines_of}\n\n{bundle['new']}".encode())
        assert status == 200
        assert ask(b"x" * (2 << 20))[0] == 413
    finally:
        process.send_signal(signal.SIGTERM)
        ended = process.wait(60)
        process.stdout.close()
    assert ended == 0


def test_what_cannot_be_remembered_is_not_cosigned(log: Log, watcher: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    words = ("witness", "follow", str(log.published), "--log", log.key, "--once")
    assert told(watcher, *words)["size"] == 4
    log.grow(10)

    def little() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = subprocess.run(
        [sys.executable, "-B", "-m", "lineage", *words, "--publish", str(out)],
        env=environment(watcher), preexec_fn=little, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "store-full" in done.stderr) == (74, True), done
    assert list(out.iterdir()) == []
    (row,) = told(watcher, "witness", "status")["logs"]
    assert row["size"] == 4
    assert told(watcher, *words)["cosigned"] == 1


def test_killed_at_any_time_it_goes_on_from_there(log: Log, watcher: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for n in range(12):
        log.grow(100 + 5 * n, count=2)
    words = ["witness", "follow", str(log.published), "--log", log.key, "--once",
             "--publish", str(out)]  # fmt: skip
    for delay in (0.3, 0.5, 0.6, 0.7, 0.8):
        process = subprocess.Popen(
            [sys.executable, "-m", "lineage", *words], env=environment(watcher),
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert told(watcher, *words)["size"] == 28
    keys = ["--key", log.key, "--key", str(watcher / "w.pub")]
    assert verify.main([str(out / ORIGIN / "checkpoint"), *keys]) == 0
