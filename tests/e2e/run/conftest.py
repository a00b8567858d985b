"""A project folder of its own for every test, and `lineage run` in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lineage.capture.spool import Spool
from lineage.model.changes import parse_change

PYTHON = sys.executable


@dataclass
class Ran:
    """What a person sees of a run, and what was recorded of it."""

    code: int
    out: bytes
    err: str
    started: dict[str, Any] = field(default_factory=dict)
    finished: dict[str, Any] = field(default_factory=dict)
    commits: list[dict[str, Any]] = field(default_factory=list)
    blobs: Path = Path()

    def uses(self, kind: str = "") -> dict[str, dict[str, Any]]:
        """Inputs by the last part of their name, code and environment left out unless asked for."""
        return {
            use["name"].rpartition("/")[2]: use
            for use in self.finished["uses"]
            if (use["artifact_kind"] == kind if kind else use.get("role") not in SETTINGS)
        }

    def outputs(self, operation: str = "") -> dict[str, dict[str, Any]]:
        """Outputs by the last part of their name."""
        return {
            out["name"].rpartition("/")[2]: out
            for out in self.finished["outputs"]
            if not operation or out["operation"] == operation
        }

    @property
    def gaps(self) -> dict[str, str]:
        return {gap["reason"]: gap["detail"] for gap in self.finished["gaps"]}

    def blob(self, ref: Mapping[str, Any]) -> bytes:
        digest: str = ref["sha256"]
        return (self.blobs / digest[:2] / digest[2:]).read_bytes()


SETTINGS = {"code", "environment"}


class Box:
    """A folder, a LINEAGE_HOME, and commands run in it."""

    def __init__(self, root: Path, cache: Path) -> None:
        self.root = root
        self.home = root / "home of lineage"
        self.project = root / "project"
        self.project.mkdir()
        self.home.mkdir()
        self.cache = cache
        self.environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("LINEAGE_", "GIT_"))},
            "LINEAGE_HOME": str(self.home),
            "HOME": str(root / "person"),
            "XDG_CACHE_HOME": str(cache),
        }
        self.environ.pop("LD_PRELOAD", None)
        (root / "person").mkdir()

    def write(self, name: str, text: str) -> Path:
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def command(self, *command: str, options: Sequence[str] = ("--no-deliver",)) -> list[str]:
        return [PYTHON, "-m", "lineage", "run", *options, "--", *command]

    def run(
        self,
        *command: str,
        options: Sequence[str] = ("--no-deliver",),
        environ: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> Ran:
        """Run to the end; what is recorded is read from the spool, and checked as a change."""
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("stdout", subprocess.PIPE)
        done = subprocess.run(
            self.command(*command, options=options),
            cwd=self.project,
            env={**self.environ, **(environ or {})},
            stderr=subprocess.PIPE,
            check=False,
            timeout=120,
            **kwargs,
        )
        ran = Ran(done.returncode, done.stdout or b"", done.stderr.decode(errors="replace"))
        ran.blobs = self.home / "store.blobs"
        self.read_spool(ran)
        return ran

    def read_spool(self, ran: Ran) -> Ran:
        spool = Spool(self.home / "spool")
        for name in spool.pending():
            for item in spool.take(name) or []:
                body = json.loads(item.body)
                parse_change(body)
                if item.kind == "table.committed":
                    ran.commits.append(body)
                else:
                    setattr(ran, item.kind.removeprefix("run."), body)
            spool.done(name)
        return ran

    def python(self, code: str, **kwargs: Any) -> Ran:
        """Run a script."""
        self.write("job.py", code)
        return self.run(PYTHON, "job.py", **kwargs)


@pytest.fixture(scope="session")
def shim_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library is compiled once for all tests: homes have a space, so they cannot hold it."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def box(tmp_path: Path, shim_cache: Path) -> Box:
    return Box(tmp_path, shim_cache)
