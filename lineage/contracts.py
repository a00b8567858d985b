"""The language-neutral contracts under ``schema/``: DDL, event schemas, formats.

In a wheel they are package data (``lineage/_schema``), in a checkout they stand at its root.
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

__all__ = ["schema_names", "schema_text"]


def _root() -> Traversable:
    packaged = files("lineage") / "_schema"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parent.parent / "schema"


def schema_text(path: str) -> str:
    """The text of one contract, by its path below ``schema/``.

    Raises ``FileNotFoundError`` where there is none: a broken installation.
    """
    return _root().joinpath(*path.split("/")).read_text(encoding="utf-8")


def schema_names(folder: str) -> list[str]:
    """Names of the files in a folder below ``schema/``, sorted."""
    place = _root().joinpath(*folder.split("/"))
    return sorted(item.name for item in place.iterdir() if item.is_file())
