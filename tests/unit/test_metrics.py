"""Metrics that several ask for at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import Gauge

from lineage.web import metrics
from lineage.web.metrics import Metrics


def test_the_first_scrapes_may_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gauge is made once, however many are the first to set it."""

    def slowly(*words: Any, **more: Any) -> Gauge:
        time.sleep(0.02)
        return Gauge(*words, **more)

    monkeypatch.setattr(metrics, "Gauge", slowly)
    watched: Any = SimpleNamespace(
        position=lambda: 7,
        workspace=SimpleNamespace(dead_letters=()),
        committer=SimpleNamespace(depth=0),
        sealing=SimpleNamespace(works=True, sealed=None),
        accepting=None,
    )
    made = Metrics(watched, None)
    with ThreadPoolExecutor(4) as threads:
        texts = list(threads.map(lambda _: made.exposed(), range(4)))
    assert all(b"lineage_store_position 7.0" in text for text in texts)
