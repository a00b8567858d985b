"""Where the story's record is kept: in a file, or on a Neo4j (``demo/neo4j.py``)."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from lineage.errors import LineageError
from lineage.settings import load_settings

__all__ = ["FOLDER", "Embedded", "chosen", "refuse"]

FOLDER = "neo4j-server"
"""Of the server that a demo starts, in the home: no job that is watched looks there."""


class Embedded:
    """SQLite: a file in the home."""

    name = ""
    """What the demo notes about where it left its record."""

    def claim(self, *, as_left: bool) -> None:
        """Make sure that nothing of somebody's is there; ``as_left``: as a demo left it."""

    def open(self, home: Path) -> dict[str, str]:
        """Make it ready; settings of the commands."""
        del home
        return {}

    def close(self) -> None:
        """Nothing is left running."""

    def farewell(self) -> tuple[str, list[str]]:
        """What to say of it at the end, and commands that come before all others."""
        return "", []


def chosen(kind: str) -> Embedded:
    """The store of ``--store``; a Neo4j is started unless ``LINEAGE_STORE`` names one."""
    if kind == "sqlite":
        return Embedded()
    from demo.neo4j import Named, Started

    try:
        settings = load_settings(os.environ)
        return Named(settings, os.environ) if settings.store_kind == "neo4j" else Started()
    except LineageError as fault:
        refuse(f"{fault.message}\n{fault.hint}")


def refuse(why: str) -> NoReturn:
    """Say why there is no demo, and end."""
    print(f"demo: {why}", file=sys.stderr)
    raise SystemExit(2)
