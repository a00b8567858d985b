"""A project whose models are made again."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from lineage.settings import load_settings
from lineage.wiring import open_store
from tests.serving import environment

__all__ = [
    "COUNT",
    "TRAIN",
    "Workshop",
    "findings",
]

# scan(): a process that read through pyarrow's own file system may abort when it exits.
TRAIN = """
    import joblib
    import pyarrow as pa
    from deltalake import DeltaTable
    from sklearn.ensemble import RandomForestClassifier

    rows = pa.table(DeltaTable("features/tx").scan()).to_pandas().sort_values("id")
    model = RandomForestClassifier(n_estimators=5, random_state=7)
    model.fit(rows[["id", "amount"]], rows["fraud"])
    joblib.dump(model, "models/fraud.joblib")
"""
COUNT = """
    import json, os, sys
    import pyarrow as pa
    from deltalake import DeltaTable

    table = DeltaTable("features/tx")
    rows = pa.table(table.scan())
    total = sum(rows.column("amount").to_pylist())
    with open("models/fraud.json", "w") as file:
        json.dump({"rows": rows.num_rows, "total": total, "version": table.version()}, file)
"""


@dataclass
class Workshop:
    """A repository with a job, a table, and a store."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return environment(self.root / ".lineage", self.variables)

    @property
    def table(self) -> Path:
        return self.root / "features" / "tx"

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "gc.auto=0")
        return subprocess.run(
            ["git", *who, *words], cwd=self.root, check=True, capture_output=True, text=True
        ).stdout

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", "as it is")

    def append(self, start: int, count: int = 40) -> None:
        ids = list(range(start, start + count))
        rows = pa.table(
            {"id": ids, "amount": [i * 1.5 for i in ids], "fraud": [i % 3 for i in ids]}
        )
        write_deltalake(self.table, rows, mode="append")

    def overwrite(self) -> None:
        rows = pa.table({"id": [1], "amount": [0.0], "fraud": [0]})
        write_deltalake(self.table, rows, mode="overwrite")

    def lineage(self, *words: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "lineage", *words], cwd=self.root, capture_output=True,
            text=True, check=False, stdin=subprocess.DEVNULL,
            env=self.environment,
        )  # fmt: skip
        assert expect in (None, done.returncode), (done.returncode, done.stdout, done.stderr)
        return done

    def run(self, *command: str) -> None:
        self.lineage("run", "--quiet", "--", *(command or (sys.executable, "job.py")), expect=None)

    def check(self, name: str, expect: int = 0) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(
            self.lineage("check", name, "--json", expect=expect).stdout
        )
        return answer

    def reproduce(self, name: str, *words: str, expect: int = 0) -> dict[str, Any]:
        done = self.lineage("reproduce", name, "--json", *words, expect=expect)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def recorded(self, kind: str) -> list[dict[str, Any]]:
        """Bodies of the entries of a kind."""
        settings = load_settings(self.environment)
        with closing(open_store(settings, read_only=True)) as store:
            return [json.loads(entry.body) for entry in store.entries() if entry.kind == kind]

    def real(self) -> dict[str, tuple[object, ...]]:
        """Everything real that a job could change: bytes, time, inode and mode of every file."""
        found: dict[str, tuple[object, ...]] = {}
        for path in self.root.rglob("*"):
            if ".lineage" in path.relative_to(self.root).parts[:1]:
                continue
            seen = path.lstat()
            data = path.read_bytes() if path.is_file() else b""
            found[str(path)] = (data, seen.st_mtime_ns, seen.st_ino, seen.st_mode, seen.st_size)
        return found


def findings(answer: dict[str, Any]) -> set[tuple[str, str]]:
    """What a pre-flight names: effect and what it is about."""
    preflight = answer.get("preflight", answer)
    return {(one["effect"], one["what"]) for one in preflight["findings"]}
