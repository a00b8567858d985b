"""Two versions of tables compared row by row, whatever the order of their rows and files.

By the table reader's own SQL engine: rows are grouped with their counts, and the groups of one side
are taken from those of the other. Exact, with duplicates, nulls and NaN counted as values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lineage.errors import ReproduceError
from lineage.reproduce.delta import opened_version, table_version

__all__ = ["row_difference"]

_SHOWN = 200


def row_difference(
    recorded: Path, number: int, reproduced: Path, other: int
) -> dict[str, Any] | None:
    """The first row that only one of the two has, or a difference of their columns; None: equal.

    Raises ``ReproduceError`` where they cannot be compared.
    """
    from deltalake import QueryBuilder

    schemas = [table_version(recorded, number).schema, table_version(reproduced, other).schema]
    sides = opened_version(recorded, number), opened_version(reproduced, other)
    names = [[field.name for field in side.schema().fields] for side in sides]
    if schemas[0] != schemas[1]:
        return {"columns": _columns(*names), "recorded": schemas[0][:_SHOWN],
                "reproduced": schemas[1][:_SHOWN]}  # fmt: skip
    engine = QueryBuilder().register("recorded", sides[0]).register("reproduced", sides[1])
    try:
        for one, without in (("recorded", "reproduced"), ("reproduced", "recorded")):
            found = engine.execute(_query(names[0], one, without)).read_all()
            if found.num_rows:
                row = {name: found.column(name)[0].as_py() for name in found.schema.names}
                times = row.pop(_COUNT)
                return {"row": str(row)[:_SHOWN], "only in": one, "times": times}
    except Exception as fault:  # the engine raises plain ones
        raise ReproduceError(f"the rows cannot be compared: {str(fault)[:200]}") from fault
    return None


_COUNT = "how often it is there"


def _columns(recorded: list[str], reproduced: list[str]) -> str:
    gone = [f"-{name}" for name in recorded if name not in reproduced]
    new = [f"+{name}" for name in reproduced if name not in recorded]
    return " ".join(gone + new) or "other types"


def _query(names: list[str], one: str, without: str) -> str:
    columns = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    groups = 'SELECT {0}, count(*) AS "{1}" FROM {2} GROUP BY {0}'
    first, second = (groups.format(columns, _COUNT, side) for side in (one, without))
    return f"SELECT * FROM ({first} EXCEPT {second}) LIMIT 1"  # noqa: S608  # names are quoted
