"""Following the log of a table: with writers beside it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from typing_extensions import override

from lineage.capture.delta.storage import LocalLog, table_ref
from lineage.capture.delta.tail import DeltaTail
from tests.delta_tables import grown
from tests.e2e.delta_tail.tailing import commits, drain, gaps, poll_until, tail_of

WRITER = """
import sys, pyarrow as pa
from deltalake import write_deltalake
for n in range(int(sys.argv[2])):
    write_deltalake(sys.argv[1], pa.table({"id": [n]}), mode="append")
"""


def test_commits_of_concurrent_writers_are_seen_exactly_once(tmp_path: Path) -> None:
    table = grown(tmp_path / "t", 1)
    tail = tail_of(table)
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(table), "25"]) for _ in range(2)]
    seen: list[int] = []
    deadline = time.monotonic() + 120
    while len(seen) < 51 and time.monotonic() < deadline:
        running = [writer for writer in writers if writer.poll() is None]
        captured = tail.poll(7)
        assert gaps(captured) == []
        seen += [change.version for change in commits(captured)]
        if not running and not captured:
            break
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert seen == list(range(51))


def test_polling_is_cheap_when_nothing_happens(tmp_path: Path) -> None:
    table = grown(tmp_path / "t", 20)
    listed: list[int] = []

    class Counted(LocalLog):
        @override
        def names(self) -> list[str] | None:
            listed.append(1)
            return list(super().names() or ())

    tail = DeltaTail(Counted(table), table_ref(table), clock=lambda: 0.0)
    drain(tail)
    before = len(listed)
    for _ in range(50):
        assert tail.poll() == []
    assert len(listed) <= before + 1


def test_a_table_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    tail = tail_of(tmp_path / "t")
    assert tail.poll() == []
    assert tail.waiting
    grown(tmp_path / "t", 2)
    found = poll_until(tail, lambda out: len(out) >= 2)
    assert [change.version for change in commits(found)] == [0, 1]
