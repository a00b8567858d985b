"""What the demo clears away, and what it must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.stage import Stage
from demo.stores import Embedded


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder as a demo leaves it."""
    monkeypatch.chdir(tmp_path)
    with Stage.set(Embedded()) as stage:
        (stage.work / "train.py").write_text("print('as shipped')")
    return stage.work


def test_what_a_demo_made_is_cleared_away(played: Path) -> None:
    with Stage.set(Embedded()) as stage:
        assert stage.work == played
        assert not (played / "train.py").exists()
    assert not list(played.parent.glob("*.kept-*"))


@pytest.mark.parametrize("name", ["notes.txt", "train.py"])
def test_a_file_of_the_users_is_kept(
    played: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing was recorded: only the project was worked on."""
    (played / name).write_text("mine")
    with Stage.set(Embedded()):
        assert (played.with_name("demo-run.kept-1") / name).read_text() == "mine"
    assert "kept as demo-run.kept-1" in capsys.readouterr().out
