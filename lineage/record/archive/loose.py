"""A Parquet file by itself: read by deltalake, as the one file of a scratch table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["read_loose"]

_FILE = "rows.parquet"


def read_loose(place: Path, columns: Mapping[str, str]) -> list[dict[str, Any]] | None:
    """Rows of ``place / "rows.parquet"``, of these columns by their Delta types.

    ``place`` becomes a table. None for what is no whole Parquet file of such columns.
    """
    from deltalake import DeltaTable

    (place / "_delta_log").mkdir()
    log = "\n".join(json.dumps(action) for action in _log(place, columns))
    (place / "_delta_log" / f"{0:020d}.json").write_text(log, encoding="ascii")
    try:
        found = DeltaTable(place).scan(columns=list(columns)).read_all()
        values = {name: found.column(name).to_pylist() for name in columns}
    except BaseException as fault:  # a file cut off can make the reader panic
        if isinstance(fault, Exception) or type(fault).__name__ == "PanicException":
            return None
        raise
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def _log(place: Path, columns: Mapping[str, str]) -> list[dict[str, Any]]:
    fields = [
        {"name": name, "type": kind, "nullable": True, "metadata": {}}
        for name, kind in columns.items()
    ]
    return [
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {
            "metaData": {
                "id": "scratch",
                "format": {"provider": "parquet", "options": {}},
                "schemaString": json.dumps({"type": "struct", "fields": fields}),
                "partitionColumns": [],
                "configuration": {},
                "createdTime": 0,
            }
        },
        {
            "add": {
                "path": _FILE,
                "partitionValues": {},
                "size": (place / _FILE).stat().st_size,
                "modificationTime": 0,
                "dataChange": True,
            }
        },
    ]
