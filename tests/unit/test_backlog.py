"""The backlog on disk: whose folder is whose, and in which order what was left is taken."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from lineage.capture.spool import Item, Spool
from lineage.errors import SpoolError
from lineage.model.envelope import Actor
from lineage.record.backlog import Backlog

ANN = Actor("person:ann", "token")


def test_what_several_left_is_taken_in_the_order_of_time(tmp_path: Path) -> None:
    now = [1000.0]
    left = [Backlog(tmp_path, most=1 << 20, clock=lambda: now[0]) for _ in range(2)]
    for n in range(6):
        now[0] += 1
        left[n % 2].put([Item("s", str(n), "note", 1, 0, b"{}", ANN)])
    for backlog in left:
        backlog.close()
    later = Backlog(tmp_path, most=1 << 20, clock=lambda: now[0])
    later.put([Item("s", "new", "note", 1, 0, b"{}", ANN)])
    assert later.adopt() == 6
    found = [item.event_id for file in later.first(10) for item in file.items() or []]
    assert found == ["0", "1", "2", "3", "4", "5", "new"]
    assert round(later.waiting().age, 3) == 5
    assert [file.events for file in later.first(3)] == [1, 1, 1]
    later.done(later.first(10))
    later.close()
    assert list(tmp_path.iterdir()) == []


_DIES = """
import os, sys, pathlib
from lineage.capture.spool import Item
from lineage.model.envelope import Actor
from lineage.record.backlog import Backlog, File
backlog = Backlog(pathlib.Path(sys.argv[1]), most=1 << 20)
backlog.put([Item("s", "1", "note", 1, 0, b"{}", Actor("person:ann"))])
next(pathlib.Path(sys.argv[1]).iterdir()).joinpath("x.spool.part").write_text("half")
print("put", flush=True)
sys.stdin.read(1)
os._exit(9)
"""


def test_a_living_process_keeps_its_own_and_a_dead_one_leaves_it(tmp_path: Path) -> None:
    root = tmp_path / "accepted"
    other = subprocess.Popen(
        [sys.executable, "-c", _DIES, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdin is not None
    assert other.stdout is not None
    assert other.stdout.readline() == b"put\n"
    mine = Backlog(root, most=1 << 20)
    assert mine.adopt() == 0
    other.communicate(b"\n")
    assert mine.adopt() == 1
    assert Backlog(root, most=1).adopt() == 0, "two would record it in two orders"
    (file,) = mine.first(10)
    (item,) = file.items() or []
    assert (item.event_id, item.actor) == ("1", Actor("person:ann"))
    mine.done([file])
    assert mine.empty
    mine.close()
    assert list(root.iterdir()) == []


def _left(root: Path, *names: str) -> list[Path]:
    """Folders that were left, of one event each."""
    for name in names:
        backlog = Backlog(root, most=1 << 20)
        backlog.put([Item("s", name, "note", 1, 0, b"{}", ANN)])
        backlog.close()
    return sorted(root.iterdir())


def test_a_folder_that_cannot_be_read_keeps_no_other_back(tmp_path: Path) -> None:
    bad, _ = _left(tmp_path, "first", "second")
    stray = bad / "stray.part"
    stray.mkdir()
    backlog = Backlog(tmp_path, most=1 << 20)
    with pytest.raises(SpoolError):
        backlog.adopt()
    assert [item.event_id for f in backlog.first(10) for item in f.items() or []] == ["second"]
    stray.rmdir()
    assert Backlog(tmp_path, most=1 << 20).adopt() == 1, "whoever can read it may have it"
    backlog.close()


def test_what_a_redaction_takes_or_writes_meanwhile_is_no_fault(tmp_path: Path) -> None:
    (folder,) = _left(tmp_path, "first")
    (waiting,) = folder.iterdir()
    written = folder / f"{waiting.name}.part"
    written.write_text("without a person")
    taken = folder / f"{0:020d}-1-taken.spool"
    taken.symlink_to(folder / "gone")
    (folder / "notes.spool").write_text("of a person")
    backlog = Backlog(tmp_path, most=1 << 20)
    assert backlog.adopt() == 1
    assert [file.name for file in backlog.first(10)] == [waiting.name]
    assert written.exists()
    backlog.close()


def test_what_a_redaction_takes_at_once_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Spool.put

    def put_and_taken(spool: Spool, items: Sequence[Item]) -> str:
        name = put(spool, items)
        spool.done(name)
        return name

    monkeypatch.setattr(Spool, "put", put_and_taken)
    backlog = Backlog(tmp_path, most=1 << 20)
    assert backlog.put([Item("s", "1", "note", 1, 0, b"{}", ANN)]) == [None]
    assert backlog.empty
    backlog.close()
