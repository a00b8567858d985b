"""What a sandbox is told: plain values, handed over as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

__all__ = ["Overlay", "Spec", "dump", "load"]


@dataclass(frozen=True)
class Overlay:
    """A directory that the job may write to: what it writes lands in ``upper``.

    ``lowers`` are the directories whose union it sees, the topmost first; none of them is ever
    written. ``upper`` is a directory of the scratch space with an empty ``data`` and ``work``.
    """

    target: str
    lowers: tuple[str, ...]
    upper: str


@dataclass(frozen=True)
class Spec:
    """A job and what it may see and touch. All paths are absolute and real."""

    scratch: str
    argv: tuple[str, ...]
    cwd: str
    env: dict[str, str]
    overlays: tuple[Overlay, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    """``(source, target)``: contents that stand at a path, read-only."""
    hidden: tuple[str, ...] = ()
    """Files and directories that are empty for the job: credentials, our own store."""
    kept: tuple[str, ...] = ()
    """What stays to be seen inside hidden directories."""
    written: tuple[str, ...] = ()
    """Files that are there and that the job changes."""
    absent: tuple[str, ...] = ()
    """What must not be there when the job starts: everything that the recorded run made."""
    folders: tuple[str, ...] = ()
    """Directories that must be there; made where they may be written."""
    stdin: str = ""
    """A file that the job reads as its standard input; empty: nothing."""
    network: bool = False


def dump(spec: Spec) -> bytes:
    """JSON of a spec."""
    return json.dumps(asdict(spec)).encode()


def load(text: bytes) -> Spec:
    """A spec of its JSON."""
    plain = json.loads(text)
    plain["overlays"] = tuple(
        Overlay(one["target"], tuple(one["lowers"]), one["upper"]) for one in plain["overlays"]
    )
    plain["files"] = tuple((source, target) for source, target in plain["files"])
    for name in ("argv", "folders", "hidden", "kept", "written", "absent"):
        plain[name] = tuple(plain[name])
    return Spec(**plain)
