"""What an error shows a person is text, whoever chose the names in it."""

from __future__ import annotations

from pathlib import Path

from tests.serving import lineage


def test_an_error_does_not_reach_into_the_terminal(tmp_path: Path) -> None:
    name = "\x1b]0;hi\x07\x9b2J\u202e\r"
    done = lineage(tmp_path / "home", "restore", "--from", str(tmp_path / f"no{name}where"))
    assert done.returncode == 66
    assert r"\x1b]0;hi\x07\x9b2J\u202e\r" in done.stderr
    assert not set("\x1b\x07\x9b\u202e\r") & set(done.stderr)
