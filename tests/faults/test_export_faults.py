"""An export that is killed, or finds no space: nothing half is in place, and a repeat ends well."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lineage import verify
from lineage.settings import load_settings
from lineage.wiring import open_workspace
from tests.handed import LOG, fill, note_of
from tests.serving import environment, lineage

pytestmark = pytest.mark.sqlite


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("home")
    with open_workspace(load_settings(environment(place))) as ws:
        fill(ws.store, 1500, sealed=())
        ws.store.seal(note_of)
    return place


def _words(file: Path) -> list[str]:
    return [sys.executable, "-m", "lineage", "ledger", "export", str(file)]


def _sound(file: Path) -> bool:
    result = verify.check([str(file)], [verify.key_of(LOG.public.text())], set(), 0)
    return bool(result["verdict"] == "HOLDS")


def test_killed_at_any_time_a_repeat_ends_the_same(home: Path, tmp_path: Path) -> None:
    file, partial = tmp_path / "ledger", tmp_path / ".ledger.partial"
    seen_half = False
    for delay in (0.0, 0.005, 0.02, 0.05):
        partial.unlink(missing_ok=True)  # of the round before
        process = subprocess.Popen(_words(file), env=environment(home))
        while not partial.exists() and process.poll() is None:
            time.sleep(0.001)
        time.sleep(delay)
        process.kill()
        if process.wait() == -signal.SIGKILL and not file.exists():
            seen_half = seen_half or partial.exists()
        else:
            assert _sound(file)
            file.unlink()
    assert seen_half, "no kill came while it wrote"
    assert lineage(home, "ledger", "export", str(file)).returncode == 0
    assert _sound(file)
    assert not partial.exists()


def test_without_space_nothing_is_left(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "ledger"

    def little() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    done = subprocess.run(
        _words(file), env=environment(home), preexec_fn=little, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 74, done
    assert "store-full" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_two_at_once_do_not_mix(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "ledger"
    both = [
        subprocess.Popen(_words(file), env=environment(home), stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    codes = sorted(process.wait() for process in both)
    for process in both:
        assert process.stderr is not None
        process.stderr.close()
    assert codes == [0, 64]
    assert _sound(file)
    assert os.listdir(tmp_path) == ["ledger"]  # noqa: PTH208
