"""A site with a gate."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from lineage.cli.main import main
from lineage.model.changes import (
    Change,
    Output,
    RunFinished,
    RunRef,
    TableCommitted,
    Use,
)
from lineage.model.ids import artifact_id, delta_token, file_token
from lineage.settings import load_settings
from lineage.wiring import open_workspace

__all__ = [
    "SECOND",
    "TRAIN",
    "Site",
]

TRAIN = RunRef(namespace="local", job="train", run_id="r1")
SECOND = 1_000_000


class Site:
    """A directory with a model trained on a table, both recorded."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.table = artifact_id("file", f"{root}/lake/tx")
        self.model = artifact_id("file", f"{root}/models/it's new ü.joblib")

    def lineage(self, *words: str) -> Result:
        return CliRunner().invoke(main, list(words))

    def json(self, *words: str, exit_code: int = 0) -> Any:
        result = self.lineage(*words, "--json")
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout)

    def record(self, *changes: Change) -> None:
        with open_workspace(load_settings()) as ws:
            ws.recorder.record_changes(changes, source="test", actor=ws.actor)

    def train(self, **fields: Any) -> None:
        at = time.time_ns() // 1000 - SECOND
        token = delta_token(0, "tx-id")
        table = {"namespace": "file", "name": f"{self.root}/lake/tx"}
        model = {"namespace": "file", "name": f"{self.root}/models/it's new ü.joblib"}
        uses = [Use(**table, artifact_kind="table", version=token, at=at - 30)]  # type: ignore[arg-type]  # two of its fields
        outputs = [Output(**model, artifact_kind="model", version=file_token("a" * 64), at=at - 20)]  # type: ignore[arg-type]  # same
        self.record(
            TableCommitted(event_at=at - 50, table_id="tx-id", version=0, carries=False, **table),  # type: ignore[arg-type]  # same
            RunFinished(event_at=at, run=TRAIN, state="COMPLETE", uses=uses, outputs=outputs,
                        **fields),
        )  # fmt: skip

    def own(self) -> None:
        for target in (self.table, self.model):
            assert self.lineage("owners", "claim", target, "risk").exit_code == 0
            assert self.lineage("owners", "accept", target, "risk").exit_code == 0

    def entries(self, kind: str) -> list[dict[str, Any]]:
        with open_workspace(load_settings(), read_only=True) as ws:
            return [json.loads(e.body) for e in ws.store.entries() if e.kind == kind]
