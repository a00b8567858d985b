"""The dead-letter queue while several put, read and drop."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lineage.errors import RefusedError, StoreFullError, UnknownNameError
from lineage.record.dead_letters import DeadLetters


def _put(letters: DeadLetters, body: bytes) -> str:
    fault = RefusedError("no", code="bad-change")
    return letters.put(body, fault, offered_as="change", received_at=1, actor="person:ann")


def _gone(folder: Path, name: str) -> None:
    """A name that is listed, and whose file is gone when it is read."""
    (folder / name).symlink_to(folder / "gone")


def test_two_may_keep_one_letter_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    letters, sync = DeadLetters(tmp_path), os.fsync

    def another_comes(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", sync)
        _put(letters, b"{}")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", another_comes)
    letter_id = _put(letters, b"{}")
    assert letters.get(letter_id).body == b"{}"
    assert [path.name for path in tmp_path.iterdir()] == [f"{letter_id}.json"]


def test_a_letter_that_cannot_be_kept_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreFullError):
        _put(DeadLetters(tmp_path), b"{}")
    assert list(tmp_path.iterdir()) == []


def test_letters_that_go_while_they_are_read_are_no_fault(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    kept = _put(letters, b"{}")
    _gone(tmp_path, "0" * 24 + ".json")
    _gone(tmp_path, f"{kept}.1.tmp")
    assert [letter.id for letter in letters.list()] == [kept]
    assert letters.sweep(float("inf")) == 0
    with pytest.raises(UnknownNameError):
        letters.get("0" * 24)
