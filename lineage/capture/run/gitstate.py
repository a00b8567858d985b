"""The code of a run, as git has it: commit, branch, remote, and what differs from the commit.

Read beside the running job, so it must not disturb it: no index refresh, no locks. What the job
itself makes meanwhile is left out (files newer than the start of the run). Secrets of known shape
are taken out of the diff and of untracked files before anything is kept.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from lineage.capture.run.footprint import shown
from lineage.capture.run.rules import SOURCE_SUFFIXES
from lineage.capture.run.scrub import scrub_path, scrub_text
from lineage.capture.run.scrub_source import scrub_bytes
from lineage.capture.run.sources import contents, in_a_table, is_code, may_keep, pack

__all__ = ["MOST_LEFT_OUT", "GitState", "code_facts", "read_git", "scrub_remote"]

_TIMEOUT = 60.0
MOST_LEFT_OUT = 1000
"""How many source files that were not kept are named."""
_LARGEST_DIFF = 32 << 20
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


@dataclass(slots=True)
class GitState:
    """What git says. ``diff`` and ``untracked`` (a tar) are scrubbed bytes, ready to be kept."""

    root: str
    commit: str = ""
    branch: str = ""
    remote: str = ""
    diff: bytes = b""
    untracked: bytes = b""
    loose: set[str] = field(default_factory=set)
    """Paths of untracked files that are not code."""
    left_out: list[str] = field(default_factory=list)
    scrubbed: bool = False
    faults: list[str] = field(default_factory=list)

    @property
    def dirty(self) -> bool:
        """Whether the code differs from the commit."""
        return bool(self.diff or self.untracked)

    @property
    def token(self) -> str:
        """Version token: ``<commit>`` or ``<commit>.dirty.<8 hex of what differs>``."""
        if not self.dirty:
            return self.commit
        digest = hashlib.sha256(self.diff + self.untracked).hexdigest()[:8]
        return f"{self.commit or 'unborn'}.dirty.{digest}"


class _GitError(Exception):
    pass


def read_git(root: str, *, before_ns: int, ours: Callable[[str], bool]) -> GitState:
    """The state of a work tree. Never raises: faults are listed.

    ``before_ns`` is when the run started (files changed since are the job's own), ``ours`` says of
    an absolute path that it is ours or an exclusion of the user's.
    """
    state = GitState(root)
    try:
        status = _git(root, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all")
        changed, untracked = _read_status(state, status)
        state.remote = _remote(root)
        if changed:
            _read_diff(state)
        _pack(state, untracked, before_ns, ours)
    except (_GitError, OSError, subprocess.SubprocessError) as fault:
        state.faults.append(scrub_text(str(fault))[:500])
    return state


def _git(root: str, *arguments: str) -> bytes:
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    done = subprocess.run(
        ["git", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", "-C", root, *arguments],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_TIMEOUT,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        raise _GitError(f"git {arguments[0]}: {said or done.returncode}")
    return done.stdout


def _read_status(state: GitState, status: bytes) -> tuple[bool, list[str]]:
    """Fill in commit and branch; whether tracked files changed, and the untracked ones."""
    changed, untracked = False, []
    for entry in status.split(b"\0"):
        text = os.fsdecode(entry)
        if text.startswith("# branch.oid "):
            commit = text.removeprefix("# branch.oid ")
            state.commit = "" if commit == "(initial)" else commit
        elif text.startswith("# branch.head "):
            head = text.removeprefix("# branch.head ")
            state.branch = "" if head == "(detached)" else head
        elif text.startswith("? "):
            untracked.append(text[2:])
        elif text[:2] in {"1 ", "2 ", "u "}:
            changed = True
    return changed, sorted(untracked)


def _remote(root: str) -> str:
    names = os.fsdecode(_git(root, "remote")).split()
    if not names:
        return ""
    name = "origin" if "origin" in names else names[0]
    return scrub_remote(os.fsdecode(_git(root, "remote", "get-url", name)).strip())


def scrub_remote(url: str) -> str:
    """A remote without credentials: of a web address the whole user part goes."""
    return scrub_path(url).replace("***@", "")


def _read_diff(state: GitState) -> None:
    raw = _git(
        state.root, "diff", state.commit or _EMPTY_TREE, "--binary", "--no-ext-diff",
        "--no-textconv", "--no-color", "--submodule=short",
    )  # fmt: skip
    if len(raw) > _LARGEST_DIFF:
        digest = hashlib.sha256(raw).hexdigest()
        state.faults.append(f"the diff has {len(raw):,} bytes and is not kept (sha256 {digest})")
        state.diff = f"# too large to keep: sha256 {digest}\n".encode()
        return
    state.diff = scrub_bytes(raw)
    state.scrubbed |= state.diff != raw


def _pack(state: GitState, names: list[str], before_ns: int, ours: Callable[[str], bool]) -> None:
    """Untracked source as a tar. What else is untracked is data, and no part of the code."""
    tables: dict[str, bool] = {}
    files: dict[str, bytes] = {}
    for name in names:
        path = f"{state.root}/{name}"
        if ours(path) or in_a_table(state.root, name, tables):
            continue
        if not is_code(name):
            state.loose.add(path)
            continue
        data = contents(path, before_ns)
        if data is not None and may_keep(name, data):
            files[name] = data
        elif data is not None:
            state.left_out.append(name)
    state.untracked, scrubbed, no_room = pack(state.root, files)
    state.scrubbed |= scrubbed
    state.left_out += no_room


def code_facts(state: GitState, put_blob: Callable[[bytes], str]) -> dict[str, Any]:
    """``CodeFacts`` of the state; what differs goes to the blob store."""
    facts: dict[str, Any] = {
        "root": scrub_path(shown(state.root)),
        "repository": shown(state.remote),
        "commit": state.commit,
        "branch": scrub_text(shown(state.branch)),
        "dirty": state.dirty,
    }
    for name, data, media in (
        ("diff", state.diff, "text/x-diff"),
        ("untracked", state.untracked, "application/x-tar"),
    ):
        if data:
            facts[name] = {"sha256": put_blob(data), "size": len(data), "media_type": media}
    if state.scrubbed:
        facts["scrubbed"] = True
    if state.left_out:
        facts["left_out"] = len(state.left_out)
        # By name, so that a file that comes later is not taken for one of these.
        source = [n for n in state.left_out if PurePosixPath(n).suffix.lower() in SOURCE_SUFFIXES]
        facts["left_out_source"] = [shown(name) for name in source[:MOST_LEFT_OUT]]
    return facts
