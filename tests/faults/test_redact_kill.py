"""kill -9 anywhere in a redaction: the same command, repeated, ends as if nothing had been."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import apsw
import pytest
from click.testing import CliRunner

from lineage.capture.spool import Item, Spool
from lineage.cli.main import main
from lineage.model.changes import (
    BlobRef,
    CodeFacts,
    PersonDescribed,
    RunRef,
    RunStarted,
    UserFacts,
    encode_change,
)
from lineage.settings import load_settings
from lineage.store.blobs import DirectoryBlobs
from lineage.store.contract import StoredEntry
from lineage.wiring import open_workspace
from tests.serving import environment, lineage, play_in

PERSON, NAME = "person:3f2a", "Erica Mustermann"
T0 = 1_795_248_000_000_000
POINTS = 24
"""Of all the places where a process can be killed, so many are tried, evenly."""
_FILES = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"})

pytestmark = pytest.mark.sqlite


def _make(root: Path, *, archived: bool) -> None:
    home = root / "home"
    settings = load_settings(environment(home))
    diff = DirectoryBlobs(settings.blobs).put(NAME.encode() + b" wrote this")
    with open_workspace(settings) as ws:
        runs = [
            RunStarted(
                event_at=T0 + n, command=["train", f"{NAME} " * (1 + n % 2 * 40)],
                run=RunRef(namespace="n", job="j", run_id=str(n)),
                user=UserFacts(person=PERSON, name=NAME),
                code=CodeFacts(diff=BlobRef(sha256=diff, size=3)) if n == 1 else None,
            )
            for n in range(12)
        ]  # fmt: skip
        who = PersonDescribed(event_at=T0, person=PERSON, attributes={"name": NAME})
        ws.recorder.record_changes([who, *runs], source="test", actor=ws.actor)
        ids = [entry.event_id for entry in ws.store.entries()]
    body = encode_change(runs[0])
    Spool(settings.spool).put([
        Item("test", ids[1], "run.started", 1, T0, body),
        Item("test", "waits", "run.started", 1, T0, body),
    ])  # fmt: skip
    for name in ("one.tar", "two.tar"):
        assert lineage(home, "backup", str(root / name)).returncode == 0
    if archived:
        assert lineage(home, "archive", str(root / "archive"), "--unsealed").returncode == 0


def _killed_at(n: int, count: Callable[[int], object]) -> None:
    """From here on this process dies at the n-th step that reaches a file or a database."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        count(steps)
        if steps == n:
            os.kill(os.getpid(), signal.SIGKILL)

    def audited(event: str, args: tuple[Any, ...]) -> None:
        reading = event == "open" and not (isinstance(args[2], int) and args[2] & 3)
        if event in _FILES and not reading:
            step()

    def connected(connection: apsw.Connection) -> None:
        connection.trace_v2(apsw.SQLITE_TRACE_STMT, lambda _: step())

    apsw.connection_hooks.append(connected)
    sys.addaudithook(audited)


def _redact(words: list[str], at: int) -> tuple[int, int]:
    """Run the command in a child that is killed at a step; how it ended, and after which step."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 70
        try:
            os.close(read)
            _killed_at(at, lambda n: os.write(write, n.to_bytes(4, "big")))
            status = CliRunner().invoke(main, words).exit_code
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        steps = pipe.read()
    _, ended = os.waitpid(child, 0)
    return ended, int.from_bytes(steps[-4:], "big")


def _does(*words: str) -> tuple[int, str]:
    """Run a command in a child to its end: its status and what it printed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 70
        try:
            done = CliRunner().invoke(main, list(words))
            status = done.exit_code
            os.write(write, done.output.encode())
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


def _serve() -> None:
    """Fork for every line that is asked."""
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        answer = _redact(*arguments) if name == "redact" else _does(*arguments)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


class _Forking:
    """A process that has everything imported, and nothing begun that does not survive a fork."""

    def __init__(self) -> None:
        words = [sys.executable, "-c", "from tests.faults.test_redact_kill import _serve; _serve()"]
        root = str(Path(__file__).parents[2])
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            # Steps are counted: none is to be what Python writes of modules.
            env=os.environ | {"PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip

    def redact(self, words: list[str], at: int) -> tuple[int, int]:
        """``_redact`` there."""
        ended, step = self._ask("redact", words, at)
        return ended, step

    def does(self, *words: str) -> tuple[int, str]:
        """``_does`` there."""
        status, said = self._ask("does", *words)
        return status, said

    def _ask(self, *request: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def _holds(root: Path, *needles: bytes) -> list[str]:
    return [
        str(path.relative_to(root))
        for path in sorted(root.rglob("*"))
        if path.is_file() and any(needle in path.read_bytes() for needle in needles)
    ]


def _entries(home: Path) -> list[StoredEntry]:
    with open_workspace(load_settings(environment(home)), read_only=True) as ws:
        return list(ws.store.entries())


def _shown(home: Path) -> list[tuple[str, bool]]:
    return [(entry.kind, entry.salt is None) for entry in _entries(home)]


@pytest.mark.parametrize(
    ("words", "gone", "archived"),
    [
        (["redact", PERSON, "--reason", "Art. 17", "--json"], NAME.encode(), False),
        (["redact", "3", "--reason", "mistake", "--json"], b" wrote this", False),
        (["redact", "3", "--reason", "mistake", "--json"], b" wrote this", True),
    ],
    ids=["person", "entry", "archived"],
)
def test_a_killed_redaction_repeated_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], gone: bytes, archived: bool
) -> None:
    made, place = tmp_path / "made", tmp_path / "place"
    made.mkdir()
    shutil.copytree(made, place)
    play_in(monkeypatch, place / "home")
    # Backups are noted by their absolute paths, so the store is made where it is redacted.
    _make(place, archived=archived)
    shutil.rmtree(made)
    shutil.copytree(place, made)
    salts = [entry.salt for entry in _entries(place / "home")]
    with _Forking() as forking:
        ended, steps = forking.redact(words, 0)
        assert ended == 0
        clean = _shown(place / "home")
        needles = [gone, *(s for s, (_, erased) in zip(salts, clean, strict=False) if s and erased)]
        assert len(needles) > 1
        assert len(_holds(made, *needles)) >= 3
        assert _holds(place, *needles) == []
        assert (place / "two.tar").read_bytes() != (made / "two.tar").read_bytes()
        points = POINTS // 3 if archived else POINTS
        for at in sorted({1 + n * (steps - 1) // points for n in range(points + 1)}):
            shutil.rmtree(place)
            shutil.copytree(made, place)
            ended, _ = forking.redact(words, at)
            assert os.WIFSIGNALED(ended), at
            status, said = forking.does(*words)
            assert status == 0, (at, said)
            assert _holds(place, *needles) == [], at
            assert _shown(place / "home") == clean, at
            left = sorted(path.name for path in place.iterdir() if path.name != "archive")
            assert left == ["home", "one.tar", "two.tar"], at
            status, said = forking.does("redactions", "list", "--json")
            assert not json.loads(said)["unfinished"], at
            if archived:
                status, said = forking.does("archive", str(place / "archive"), "--verify", "--json")
                assert json.loads(said)["redacted"] == 1, (at, said)
        assert forking.does("ledger", "verify")[0] == 0
