"""The operator's page, followed word by word in an empty directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.neo4j_server import Neo4jAt

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "archive-and-restore.md"
MOVE, END = "## Move to Neo4j", "## In a bucket"


def _commands(start: str = "", end: str = END) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    part = text[text.index(start) : text.index(end)]
    return [line[4:] for line in part.splitlines() if line.startswith("    ")]


def _follow(commands: list[str], place: Path) -> str:
    """Run lines of a page as a person would: one shell, which stops at the first that fails."""
    tools = place.parent / "bin"
    tools.mkdir()
    program = tools / "lineage"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lineage "$@"\n')
    program.chmod(0o755)
    place.mkdir()
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LINEAGE_")}
    root = str(PAGE.parents[2])
    done = subprocess.run(
        ["bash", "-exc", "\n".join(commands)],
        cwd=place, env={**kept, "PATH": f"{tools}:{kept['PATH']}", "PYTHONPATH": root},
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_archive_lose_everything_restore_and_go_back(tmp_path: Path) -> None:
    said = _follow(_commands(end=MOVE), tmp_path / "page")
    assert "archived:" in said
    assert said.count("restored:") == 3
    assert said.count("sound:") == 2
    assert said.count("refuses to append") == 1
    assert "refuses to append: the ledger has 2 entries" in said


def test_the_python_of_the_page_reads_the_archive(tmp_path: Path) -> None:
    place = tmp_path / "page"
    text = PAGE.read_text(encoding="utf-8")
    python = text[text.index("```python\n") + 10 :].partition("```")[0]
    commands = _commands(end="## Lose everything")
    _follow(commands, place)
    bare = "import sys; sys.modules.update(dict.fromkeys(['pyarrow', 'pandas', 'polars']))\n"
    done = subprocess.run(
        [sys.executable, "-c", bare + python],
        cwd=place, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "run.finished" in done.stdout


def test_move_to_neo4j_and_back(neo4j_at: Neo4jAt, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(neo4j_at.password)
    commands = [
        line.replace("neo4j://lineage@db.example:7687", neo4j_at.url).replace(
            "/run/secrets/neo4j", str(password)
        )
        for line in _commands()
    ]
    said = _follow(commands, tmp_path / "page")
    assert said.count("restored:") == 5
    assert "the graph is what the ledger says" in said
