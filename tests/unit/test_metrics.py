"""Metrics that several ask for at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import Gauge
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from lineage.web import metrics
from lineage.web.metrics import Metrics

WATCHED: Any = SimpleNamespace(
    position=lambda: 7,
    workspace=SimpleNamespace(dead_letters=()),
    committer=SimpleNamespace(depth=0),
    sealing=SimpleNamespace(works=True, sealed=None),
    accepting=None,
)


def test_the_first_scrapes_may_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gauge is made once, however many are the first to set it."""

    def slowly(*words: Any, **more: Any) -> Gauge:
        time.sleep(0.02)
        return Gauge(*words, **more)

    monkeypatch.setattr(metrics, "Gauge", slowly)
    made = Metrics(WATCHED, None)
    with ThreadPoolExecutor(4) as threads:
        texts = list(threads.map(lambda _: made.exposed(), range(4)))
    assert all(b"lineage_store_position 7.0" in text for text in texts)


def test_another_process_may_be_making_its_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "counter_1.db"
    file.touch()

    def made(_seconds: float) -> None:
        file.unlink()
        values: Any = MmapedDict
        written = values(str(file))
        written.write_value(mmap_key("c", "c_total", [], [], "help"), 3.0, 0.0)
        written.close()

    monkeypatch.setattr(metrics, "time", SimpleNamespace(sleep=made, time=time.time))
    assert b"c_total 3.0" in Metrics(WATCHED, tmp_path).exposed()
