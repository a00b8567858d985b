"""Tables that are pinned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from click.testing import CliRunner, Result
from deltalake import DeltaTable, write_deltalake

from lineage.cli.main import main
from lineage.model.changes import Output, RunFinished, RunRef, RunStarted, Use
from lineage.model.ids import artifact_id, file_token, with_version
from lineage.reproduce.delta import (
    table_version,
)
from lineage.settings import load_settings
from lineage.wiring import open_workspace

__all__ = [
    "Lineage",
    "careless_vacuum",
    "grown",
    "rows",
    "token",
]


def rows(table: Path, version: int | None = None) -> list[tuple[Any, ...]]:
    """Contents without order, as deltalake's own reader gives them."""
    found = pa.table(DeltaTable(table, version=version).scan().read_all())
    return sorted((tuple(row.values()) for row in found.to_pylist()), key=repr)


def careless_vacuum(table: Path) -> list[str]:
    found: list[str] = DeltaTable(table).vacuum(
        0, dry_run=False, enforce_retention_duration=False, full=True
    )
    return found


def token(table: Path, version: int) -> str:
    return table_version(table, version).token


def grown(table: Path, versions: int = 4) -> Path:
    """Every version overwrites the one before: a vacuum takes all but the last."""
    for n in range(versions):
        write_deltalake(
            table, pa.table({"id": [n, n], "p": ["a b", "100%"]}), mode="overwrite",
            partition_by=["p"],
        )  # fmt: skip
    return table


class Lineage:
    """The command, in this process."""

    def run(self, *words: str | Path) -> Result:
        return CliRunner().invoke(main, [str(word) for word in words])

    def json(self, *words: str | Path) -> Any:
        result = self.run(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def fault(self, *words: str | Path) -> tuple[int, str]:
        result = self.run(*words)
        return result.exit_code, result.stderr

    def trained(self, table: Path, version: int, model: Path) -> str:
        """Record that a run read a version and made a model; returns the model's id."""
        run = RunRef(namespace="local", job="train", run_id=f"{model.stem}-{version}")
        used = Use(namespace="file", name=str(table), artifact_kind="table",
                   version=token(table, version), at=2)  # fmt: skip
        made = Output(namespace="file", name=str(model), artifact_kind="model",
                      version=file_token("ab" * 32), at=3)  # fmt: skip
        with open_workspace(load_settings()) as ws:
            ws.recorder.record_changes(
                [RunStarted(event_at=1, run=run, command=["train"]),
                 RunFinished(event_at=4, run=run, state="COMPLETE", uses=[used], outputs=[made])],
                source="test", actor=ws.actor,
            )  # fmt: skip
        return with_version(artifact_id("file", str(model)), file_token("ab" * 32))

    def position(self) -> int:
        with open_workspace(load_settings(), read_only=True) as ws:
            return ws.store.head().seq
