"""The environment of a run: what its interpreter has now, what differs, and building it anew."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lineage.capture.run.environment import distributions
from lineage.errors import LineageError, ReproduceError
from lineage.model.canonical import canonical
from lineage.model.changes import EnvironmentFacts
from lineage.reproduce.edited import Edited, edited_since
from lineage.store.blobs import BlobStore

__all__ = ["Difference", "EnvironmentSeen", "look", "rebuild"]

_PATIENCE = 60.0
_SEPARATORS = re.compile(r"[-_.]+")
_TELL = """
import json, sys
about = [sys.implementation.name, sys.version.split()[0]]
print(json.dumps(about + [entry for entry in sys.path if entry]))
"""


@dataclass(frozen=True)
class Difference:
    """A distribution that is not what it was. Empty: not installed."""

    name: str
    recorded: str
    now: str


@dataclass(frozen=True)
class EnvironmentSeen:
    """What stands where the run's interpreter was. ``fault``: why it cannot be compared."""

    interpreter: str
    same: bool = False
    version: str = ""
    differences: tuple[Difference, ...] = ()
    fault: str = ""
    recorded: tuple[dict[str, Any], ...] = ()
    """The recorded list of distributions, where it is still there."""
    edited: tuple[Edited, ...] = ()
    """Distributions of the same version whose files were changed after the run."""

    @property
    def as_it_was(self) -> bool:
        """Whether nothing is known to differ."""
        return self.same and not self.edited


def look(
    facts: EnvironmentFacts, blobs: BlobStore, variables: Mapping[str, str], ended_at: int
) -> EnvironmentSeen:
    """Compare what the interpreter of a run has installed now with what was recorded.

    ``ended_at`` is when the run ended, in microseconds.
    """
    recorded = _recorded(facts, blobs)
    try:
        version, path = _ask(facts.interpreter, variables)
    except ReproduceError as fault:
        return EnvironmentSeen(facts.interpreter, fault=fault.message, recorded=tuple(recorded))
    now = distributions(path)
    differences = tuple(_compare(recorded, now))
    edited = edited_since(path, ended_at, besides={one.name for one in differences})
    return EnvironmentSeen(
        facts.interpreter,
        same=hashlib.sha256(canonical(now)).hexdigest() == facts.digest
        and version == facts.version,
        version=version,
        differences=differences,
        recorded=tuple(recorded),
        edited=tuple(edited),
    )


def _ask(interpreter: str, variables: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Version and ``sys.path`` of an interpreter. Raises ``ReproduceError``."""
    if not interpreter:
        raise ReproduceError("the interpreter was not recorded")
    try:
        done = subprocess.run(
            [interpreter, "-c", _TELL],
            capture_output=True, timeout=_PATIENCE, check=True, stdin=subprocess.DEVNULL, cwd="/",
            env={**variables, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        implementation, number, *path = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as fault:
        raise ReproduceError(f"{interpreter} does not run: {fault}") from fault
    return f"{implementation} {number}", tuple(path)


def _recorded(facts: EnvironmentFacts, blobs: BlobStore) -> list[dict[str, Any]]:
    if facts.distributions is None:
        return []
    try:
        listed: list[dict[str, Any]] = json.loads(blobs.get(facts.distributions.sha256))
    except (LineageError, ValueError):
        return []
    return listed


def _compare(
    recorded: Iterable[Mapping[str, Any]], now: Iterable[Mapping[str, Any]]
) -> list[Difference]:
    before, after = _by_name(recorded), _by_name(now)
    found = []
    for name in sorted({*before, *after}) if before else ():
        one, other = before.get(name, {}), after.get(name, {})
        if dict(one) != dict(other):
            found.append(Difference(name, _said(one), _said(other, beside=one)))
    return found


def _by_name(listed: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {_SEPARATORS.sub("-", str(one["name"])).lower(): one for one in listed}


def _said(one: Mapping[str, Any], beside: Mapping[str, Any] | None = None) -> str:
    """The version, or where that is the same, that its contents are others."""
    version = str(one.get("version", ""))
    same = beside and one and version == beside.get("version")
    return f"{version} (other contents)" if same else version


def rebuild(facts: EnvironmentFacts, seen: EnvironmentSeen, folder: Path) -> Path:
    """Build a virtual environment with the recorded distributions; returns its interpreter.

    Goes to the package index: the one step that needs the network. Raises ``ReproduceError``.
    """
    pins, odd = _requirements(seen.recorded)
    if not pins:
        raise ReproduceError(
            "the list of distributions is gone: nothing to rebuild the environment from",
            hint="blobs are kept beside the store; bring them back from a backup",
        )
    base = _base_interpreter(facts)
    python = folder / "bin" / "python"
    listed = folder.with_suffix(".requirements.txt")
    listed.write_text("\n".join(pins) + "\n", encoding="utf-8")
    # --without-pip and pip of the base would be faster, but old bases have an old pip.
    _build([base, "-m", "venv", "--clear", str(folder)])
    install = ["-m", "pip", "install", "--no-input", "--no-deps", "--disable-pip-version-check"]
    _build([str(python), *install, "-r", str(listed)])
    if odd:
        raise ReproduceError(
            f"not from a package index: {', '.join(odd)}",
            hint="install these by hand into the interpreter of the run, at their versions",
        )
    return python


def _requirements(recorded: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Pins of what an index has, and names of what came from elsewhere (PEP 610)."""
    pins, odd = [], []
    for one in recorded:
        origin = (one.get("direct_url") or {}).get("url", "")
        if origin.startswith("file:"):
            odd.append(str(one["name"]))
        elif origin:
            vcs = (one["direct_url"].get("vcs_info") or {}).get("vcs")
            commit = (one["direct_url"].get("vcs_info") or {}).get("commit_id", "")
            pins.append(f"{one['name']} @ {vcs}+{origin}@{commit}" if vcs
                        else f"{one['name']} @ {origin}")  # fmt: skip
        else:
            pins.append(f"{one['name']}=={one['version']}")
    return pins, odd


def _base_interpreter(facts: EnvironmentFacts) -> str:
    """An interpreter of the recorded version. Raises ``ReproduceError``."""
    number = facts.version.rpartition(" ")[2]
    short = ".".join(number.split(".")[:2])
    for name in dict.fromkeys([facts.interpreter, f"python{short}", "python3"]):
        try:
            found, _ = _ask(name, {"PATH": "/usr/local/bin:/usr/bin:/bin"})
        except ReproduceError:
            continue
        if found.rpartition(" ")[2].split(".")[:2] == short.split("."):
            return name
    raise ReproduceError(
        f"no Python {short} is on this machine", hint=f"install python{short} and try again"
    )


def _build(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as fault:
        raise ReproduceError(f"the environment cannot be rebuilt: {fault}") from fault
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise ReproduceError(
            f"the environment cannot be rebuilt: {' '.join(said)[:500]}",
            hint="distributions that the index no longer has must come from your own mirror",
        )
