"""Delta tables for tests: grown by deltalake itself with every operation it has, by a seed."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pytest
from deltalake import DeltaTable, Field, PostCommitHookProperties, Schema, write_deltalake
from deltalake.schema import PrimitiveType

__all__ = [
    "HOSTILE",
    "OPERATIONS",
    "SAMPLES",
    "append",
    "copied",
    "disk_files",
    "grow",
    "grown",
    "id_of",
    "log_file",
    "sample",
    "version_of",
]

SAMPLES = Path(__file__).resolve().parents[2] / "shared" / "inputs" / "delta"
"""Real tables of other engines, beside a checkout where they are present."""

HOSTILE = ["plain", "a b", "100%", "x=y", "%20", "é/ü", "a#b?c", "2024-01-01 00:00:00", "+&"]
"""Partition values that have to be encoded in a path, or look as if they were.

Not "~": deltalake 1.6.6 fails to compact a partition of that name.
"""

_KEEP_LOG = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


def sample(name: str, into: Path) -> Path:
    """A writable copy of a sample table; skips the test where samples are absent."""
    source = SAMPLES / name
    if not source.is_dir():
        pytest.skip(f"no sample tables at {SAMPLES}")
    return copied(source, into / name)


def copied(source: Path, target: Path) -> Path:
    """A writable copy of a table with its times."""
    shutil.copytree(source, target)
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return target


def grown(table: Path, versions: int) -> Path:
    """A table with commits 0 to ``versions`` - 1, each one file."""
    for n in range(versions):
        write_deltalake(table, pa.table({"id": [n]}), mode="append")
    return table


def log_file(table: Path, version: int) -> Path:
    """Where a commit is."""
    return table / "_delta_log" / f"{version:020d}.json"


def version_of(table: Path) -> int:
    """The latest version."""
    return int(DeltaTable(table).version())


def id_of(table: Path) -> str:
    """The table's id."""
    return str(DeltaTable(table).metadata().id)


def disk_files(table: Path, version: int) -> set[str]:
    """What deltalake says is live at a version: paths as on disk."""
    actions = DeltaTable(table, version=version).get_add_actions()
    return {unquote(path) for path in actions.column("path").to_pylist()}


def _rows(rng: random.Random, count: int = 3, **more: list[Any]) -> pa.Table:
    ids = [rng.randrange(1000) for _ in range(count)]
    return pa.table({"id": ids, "p": [rng.choice(HOSTILE) for _ in ids], **more})


def append(table: Path, rng: random.Random) -> None:
    """Append a few rows over hostile partitions."""
    write_deltalake(
        table, _rows(rng), mode="append", schema_mode="merge", partition_by=["p"],
        post_commithook_properties=_KEEP_LOG,
    )  # fmt: skip


def _overwrite(table: Path, rng: random.Random) -> None:
    write_deltalake(
        table, _rows(rng), mode="overwrite", schema_mode="overwrite", partition_by=["p"]
    )


def _overwrite_some(table: Path, rng: random.Random) -> None:
    value = rng.choice(["plain", "a b", "x=y"])
    rows = pa.table({"id": [rng.randrange(1000)], "p": [value]})
    write_deltalake(table, rows, mode="overwrite", predicate=f"p = '{value}'", schema_mode="merge")


def _widen(table: Path, rng: random.Random) -> None:
    name = f"c{rng.randrange(3)}"
    rows = _rows(rng, 3, **{name: [1.0, 2.0, None]})
    write_deltalake(table, rows, mode="append", schema_mode="merge")


def _update(table: Path, rng: random.Random) -> None:
    DeltaTable(table).update(updates={"id": "id + 1"}, predicate=f"id < {rng.randrange(900)}")


def _delete_some(table: Path, rng: random.Random) -> None:
    DeltaTable(table).delete(f"id > {rng.randrange(1000)}")


def _delete_all(table: Path, rng: random.Random) -> None:
    DeltaTable(table).delete()


def _merge(table: Path, rng: random.Random) -> None:
    merger = DeltaTable(table).merge(
        _rows(rng), "t.id = s.id AND t.p = s.p", source_alias="s", target_alias="t"
    )
    merger.when_matched_delete().when_not_matched_insert({"id": "s.id", "p": "s.p"}).execute()


def _optimize(table: Path, rng: random.Random) -> None:
    DeltaTable(table).optimize.compact()


def _restore(table: Path, rng: random.Random) -> None:
    if latest := version_of(table):
        DeltaTable(table).restore(rng.randrange(latest))


def _set_property(table: Path, rng: random.Random) -> None:
    DeltaTable(table).alter.set_table_properties({"delta.checkpointInterval": "1000"})


def _checkpoint(table: Path, rng: random.Random) -> None:
    DeltaTable(table).create_checkpoint()


def _replace(table: Path, rng: random.Random) -> None:
    fields = [Field("id", PrimitiveType("long")), Field("p", PrimitiveType("string"))]
    DeltaTable.create(table, schema=Schema(fields), mode="overwrite", partition_by=["p"])


OPERATIONS: dict[str, Callable[[Path, random.Random], None]] = {
    "append": append, "overwrite": _overwrite, "overwrite_some": _overwrite_some,
    "widen": _widen, "update": _update, "delete_some": _delete_some, "delete_all": _delete_all,
    "merge": _merge, "optimize": _optimize, "restore": _restore, "property": _set_property,
    "checkpoint": _checkpoint, "replace": _replace,
}  # fmt: skip
"""Every operation by its name. Some commit nothing when there is nothing to do."""


def grow(table: Path, seed: int, steps: int) -> list[str]:
    """Make a table of ``steps`` operations; returns their names."""
    rng = random.Random(seed)
    append(table, rng)
    done = ["append"]
    for _ in range(steps):
        name = rng.choice(["append", "append", *OPERATIONS])
        OPERATIONS[name](table, rng)
        done.append(name)
    return done
