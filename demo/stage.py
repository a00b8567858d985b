"""Where the story is played: directories, commands, the service, and what is told about them."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import textwrap
import urllib.request
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typing_extensions import override

from demo.stores import FOLDER, Embedded

ROOT = Path(__file__).parents[1]
_MARK = "made-by-demo"


@dataclass
class Stage(AbstractContextManager["Stage"]):
    """A work directory with a store beside it. Real commands are run as a user would type them."""

    work: Path
    home: Path
    store: Embedded
    environment: dict[str, str] = field(default_factory=dict)
    service: subprocess.Popen[str] | None = None
    url: str = ""

    @classmethod
    def set(cls, store: Embedded) -> Stage:
        """Clear away what an earlier demo made, and nothing that came to it since."""
        base = Path.cwd()
        work = base / "demo-run"
        home = base / ".lineage"
        if home.exists() and not (home / _MARK).exists():
            home = base / ".lineage-demo"
        end, _, where = _read(home / _MARK).partition(" ")
        used_since = (home / _MARK).exists() and _end(where, home) != end
        left = _read(work / _MARK)
        used_since = used_since or bool(left and left != _files(work))
        store.claim(as_left=where == store.name and not used_since)
        for old in (work, home):
            if used_since and old.exists():
                kept = next(p for n in range(1, 999) if not (p := Path(f"{old}.kept-{n}")).exists())
                old.rename(kept)
                print(f"   {old.name} was used since the last demo: it is kept as {kept.name}.")
                print("   Name both as they were before you ask that record: it names files there.")
            elif (old / _MARK).exists():
                shutil.rmtree(old)
            old.mkdir(exist_ok=True)
            (old / _MARK).write_text("")
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("LINEAGE_") or name == "LINEAGE_ISOLATION"
        }
        binaries = str(Path(sys.executable).parent)
        environment["PATH"] = f"{binaries}{os.pathsep}{environment.get('PATH', '')}"
        environment["LINEAGE_HOME"] = str(home)
        stage = cls(work, home, store, environment)
        if home.name != ".lineage":
            stage.say(f"There is a store at .lineage already: the demo keeps to {home.name}.")
        return stage

    def open(self) -> None:
        """Make the store ready."""
        self.environment |= self.store.open(self.home)

    @override
    def __exit__(self, *_: object) -> None:
        """Stop what was started, whatever happened, and mark what the demo left."""
        if self.service is not None:
            self.service.terminate()
            self.service.wait(30)
            self.service = None
        self.store.close()
        where = self.store.name
        (self.home / _MARK).write_text(f"{_end(where, self.home)} {where}")
        (self.work / _MARK).write_text(_files(self.work))

    @property
    def all_seen(self) -> bool:
        """Whether capture sees native programs too: its shim is compiled on first use."""
        path = self.environment["PATH"]
        return any(shutil.which(compiler, path=path) for compiler in ("cc", "gcc", "clang"))

    # --- telling

    def title(self, number: int, text: str) -> None:
        """A chapter's heading."""
        print(f"\n\033[1m{number}. {text}\033[0m" if sys.stdout.isatty() else f"\n{number}. {text}")

    def say(self, text: str) -> None:
        """What happens, in prose."""
        print(textwrap.fill(text, 98, initial_indent="   ", subsequent_indent="   "), flush=True)

    def hint(self, command: str) -> None:
        """A command to try next."""
        print(f"     $ {command}", flush=True)

    def show(self, text: str, most: int = 60) -> None:
        """What a command printed."""
        lines = text.rstrip().splitlines()
        for line in lines[:most]:
            print(f"     | {line}")
        if len(lines) > most:
            print(f"     | ... {len(lines) - most} more lines")
        sys.stdout.flush()

    # --- doing

    def run(
        self, command: str, *, expect: int = 0, quiet: bool = False, cwd: Path | None = None
    ) -> str:
        """Run a command line as typed; stop the story unless it exits with ``expect``."""
        self.hint(command)
        done = subprocess.run(
            shlex.split(command),
            cwd=cwd or self.work,
            env=self.environment,
            text=True,
            capture_output=True,
            check=False,
        )
        printed = done.stdout + done.stderr
        if done.returncode != expect:
            self.show(printed, most=200)
            raise SystemExit(f"`{command}` exited with {done.returncode}, not {expect}")
        if not quiet:
            self.show(printed)
        return done.stdout

    def ask_json(self, command: str, *, expect: int = 0) -> Any:
        """Run a command with --json and read its answer, without telling of it."""
        done = subprocess.run(
            [*shlex.split(command), "--json"],
            cwd=self.work,
            env=self.environment,
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode != expect:
            self.show(done.stdout + done.stderr)
            raise SystemExit(f"`{command}` exited with {done.returncode}, not {expect}")
        return json.loads(done.stdout)

    def serve(self) -> None:
        """Start the service on a free port; it tells its address when it is ready."""
        self.hint("lineage serve &")
        self.service = subprocess.Popen(
            ["lineage", "serve", "--port", "0", "--json"],
            cwd=self.work,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        ready = self.service.stdout.readline() if self.service.stdout else ""
        if not ready:
            raise SystemExit("the service did not start: try `lineage serve` yourself")
        self.url = json.loads(ready)["url"]

    def graphql(self, query: str) -> Any:
        """Ask the service; the answer's data."""
        request = urllib.request.Request(  # noqa: S310 - our own service on loopback
            f"{self.url}/graphql",
            json.dumps({"query": query}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            value = json.load(answer)
        if value.get("errors"):
            raise SystemExit(f"GraphQL: {value['errors']}")
        return value["data"]


def _read(mark: Path) -> str:
    return mark.read_text() if mark.exists() else ""


def _files(work: Path) -> str:
    """What is another once somebody has changed, added or removed a file of the project."""
    told = [
        (str(path.relative_to(work)), path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(work.rglob("*"))
        if path.is_file() and path.name != _MARK and not {".git", "__pycache__"} & {*path.parts}
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _end(where: str, home: Path) -> str:
    """What is another once somebody has recorded something more: the end of the ledger.

    A server that a demo left is stopped: whoever starts it again leaves lines in its log.
    """
    if where == FOLDER:
        log = home / FOLDER / "server.log"
        return str(log.stat().st_size) if log.exists() else ""
    done = subprocess.run(
        [sys.executable, "-m", "lineage", "ledger", "head", "--json"],
        env={**os.environ, "LINEAGE_HOME": str(home), "LINEAGE_STORE": where},
        text=True,
        capture_output=True,
        check=False,
    )
    return json.loads(done.stdout)["root"] if done.returncode == 0 else ""
