"""What breaks around a table: the command, killed."""

from __future__ import annotations

import json
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from lineage.errors import StoreError
from lineage.record.ledger import verify
from lineage.settings import Settings
from lineage.wiring import open_workspace
from tests.delta_tables import grown
from tests.faults.delta.watched import command, expected
from tests.serving import until


def recorded(settings: Settings) -> list[str]:
    """Event ids in the order of the ledger, once the store is there and made."""
    if not settings.store_path.exists():
        return []
    try:
        with open_workspace(settings, read_only=True) as ws:
            return [entry.event_id for entry in ws.store.entries()]
    except StoreError:
        return []


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
