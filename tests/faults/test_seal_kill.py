"""kill -9 at every step of sealing, publishing and changing keys: doing it again ends the same.

A child process stops itself with SIGKILL at the step that is named: before or after what makes it
durable. Then the same is done again by another, and what there is is compared.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lineage.model.notes import open_note
from lineage.record.ledger import verify
from lineage.record.seal.checking import promises
from lineage.record.seal.keys import ledger_keys
from tests.sealing import ORIGIN, opened, write
from tests.serving import environment, lineage

pytestmark = pytest.mark.sqlite
ROOT = Path(__file__).parents[2]
STEPS = {
    "before it is signed": "lineage.record.seal.sealer:Sealer._sign",
    "signed, not committed": "lineage.store.sqlite.seals:keep_checkpoints",
    "committed, not beside": "lineage.record.seal.sealer:write_file",
    "beside, not published": "lineage.record.seal.sealer:publish",
    "half published": "lineage.record.seal.folder:write_file",
    "the last note published, not as the latest": "lineage.record.seal.folder:write_file:3",
}
KEY_STEPS = {
    "before the file": "lineage.record.seal.keyfile:_write",
    "file, not recorded": "lineage.record.seal.changing:add_key",
    "recorded, not sealed": "lineage.record.seal.sealer:Sealer.seal",
    **{name: STEPS[name] for name in ("committed, not beside", "half published")},
}
PROGRAM = """
import importlib, os, signal, sys
place, _, words = sys.argv[1], None, sys.argv[2:]
module, name, *count = place.split(":")
owner = importlib.import_module(module)
*path, last = name.split(".")
for step in path:
    owner = getattr(owner, step)
real, left = getattr(owner, last), [int(count[0]) if count else 1]
def stop(*args, **more):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **more)
setattr(owner, last, stop)
from lineage.cli.main import main
main(words)
"""


def killed(home: Path, place: str, *words: str, **more: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, place, *words],
        env=environment(home, more), cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr


def ran(home: Path, *words: str, **more: str) -> None:
    done = lineage(home, *words, **more)
    assert done.returncode == 0, done.stderr


def in_order(home: Path, published: Path) -> list[int]:
    """Everything holds and is everywhere; sizes of the checkpoints."""
    with opened(home) as ws:
        found = promises(ws.store)
        assert not found.faults
        assert not verify(ws.store, expect=found.roots).faults
        every = list(ws.store.checkpoints())
        assert ws.sealer.beside.read_bytes() == every[-1].note
        there = published / ORIGIN
        assert (there / "checkpoint").read_bytes() == every[-1].note
        kept = {path.name: path.read_bytes() for path in (there / "checkpoints").glob("0*")}
        assert kept == {f"{sealed.size:020d}": sealed.note for sealed in every}
        assert len(list((there / "consistency").glob("0*"))) == len(every) - 1
        return [sealed.size for sealed in every]


@pytest.fixture
def published(tmp_path: Path) -> Path:
    (tmp_path / "published").mkdir()
    return tmp_path / "published"


@pytest.mark.parametrize("step", STEPS)
def test_sealing_again_completes_what_was_killed(
    tmp_path: Path, published: Path, step: str
) -> None:
    home, more = tmp_path / "home", {"LINEAGE_SEAL_PUBLISH": str(published)}
    ran(home, "ledger", "init-key", "--name", ORIGIN, **more)
    with opened(home) as ws:
        write(ws, 3)
    killed(home, STEPS[step], "ledger", "checkpoint", **more)
    ran(home, "ledger", "checkpoint", **more)
    assert in_order(home, published) == [1, 4]


@pytest.mark.parametrize("step", STEPS)
def test_what_was_sealed_by_a_killed_process_binds_the_next(
    tmp_path: Path, published: Path, step: str
) -> None:
    """More is recorded before anybody seals again: its checkpoint stands, or never was."""
    home, more = tmp_path / "home", {"LINEAGE_SEAL_PUBLISH": str(published)}
    ran(home, "ledger", "init-key", "--name", ORIGIN, **more)
    with opened(home) as ws:
        write(ws, 3)
    killed(home, STEPS[step], "ledger", "checkpoint", **more)
    with opened(home) as ws:
        write(ws, 2, start=3)
    ran(home, "ledger", "checkpoint", **more)
    assert in_order(home, published) in ([1, 6], [1, 4, 6])


@pytest.mark.parametrize("step", KEY_STEPS)
@pytest.mark.parametrize("change", ["first", "rotate"])
def test_changing_a_key_again_completes_what_was_killed(
    tmp_path: Path, published: Path, step: str, change: str
) -> None:
    home, more = tmp_path / "home", {"LINEAGE_SEAL_PUBLISH": str(published)}
    first = ["ledger", "init-key", "--name", ORIGIN]
    words = first if change == "first" else ["ledger", "init-key", "--rotate"]
    if change == "rotate":
        ran(home, *first, **more)
    killed(home, KEY_STEPS[step], *words, **more)
    again = lineage(home, *words, **more)
    if again.returncode:  # it had come to its end, but for what sealing completes
        assert change == "first"
        assert "there is a key" in again.stderr
        ran(home, "ledger", "checkpoint", **more)
    count = 1 if change == "first" else 2
    assert len(in_order(home, published)) == count
    with opened(home) as ws:
        keys = ledger_keys(ws.store)
        last = ws.store.last_checkpoint()
        assert last is not None
        assert [key.number for key in keys] == list(range(1, count + 1))
        signed = open_note(last.note, [key.public for key in keys]).signed_by
        assert set(signed) == {key.public for key in keys}
        assert not ws.sealer.key_file.next_path.exists()
        left = [path.name for path in home.iterdir() if "seal-key" in path.name]
        assert "store.seal-key" in left


def test_a_rotation_killed_before_the_old_key_is_gone_is_completed(
    tmp_path: Path, published: Path
) -> None:
    home, more = tmp_path / "home", {"LINEAGE_SEAL_PUBLISH": str(published)}
    ran(home, "ledger", "init-key", "--name", ORIGIN, **more)
    place = "lineage.record.seal.keyfile:KeyFile.promote"
    killed(home, place, "ledger", "init-key", "--rotate", **more)
    ran(home, "ledger", "init-key", "--rotate", **more)
    assert in_order(home, published) == [1, 2]


def test_writers_and_sealers_at_once_leave_one_history(tmp_path: Path, published: Path) -> None:
    home, more = tmp_path / "home", {"LINEAGE_SEAL_PUBLISH": str(published)}
    ran(home, "ledger", "init-key", "--name", ORIGIN, **more)

    def record(start: int) -> None:
        with opened(home, **more) as ws:
            for number in range(start, start + 30, 3):
                write(ws, 3, start=number)

    def seal() -> None:
        with opened(home, **more) as ws:
            for _ in range(10):
                ws.sealer.seal()

    threads = [threading.Thread(target=record, args=(start,)) for start in (0, 100)]
    threads += [threading.Thread(target=seal) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ran(home, "ledger", "checkpoint", **more)
    sizes = in_order(home, published)
    assert sizes[-1] == 61
