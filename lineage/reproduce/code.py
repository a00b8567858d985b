"""The code as it was: brought back from git beside the work tree, which is never touched.

``git checkout-index`` with an index of our own writes the commit to a directory of the scratch
space. (``git archive`` would not do: it leaves out what ``export-ignore`` names.) The recorded
difference is applied there, and the untracked files are unpacked over it.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lineage.capture.run.gitstate import MOST_LEFT_OUT
from lineage.capture.run.rules import SOURCE_SUFFIXES, below
from lineage.errors import LineageError, ReproduceError
from lineage.model.changes import BlobRef, CodeFacts
from lineage.store.blobs import BlobStore

__all__ = ["CodeSeen", "Restored", "digest_of_file", "look", "restore"]

_CHUNK = 1 << 20
_NAMED = 20
_TIMEOUT = 600.0


@dataclass(frozen=True)
class Restored:
    """The code as it was, in ``folder``; it belongs at ``root``. Names are relative to both."""

    root: Path
    folder: Path
    names: frozenset[str]
    changed: tuple[str, ...]
    """Files of it that differ from, or are missing in, the work tree as it is now."""
    newer: tuple[str, ...] = ()
    """Source files that are in the work tree now and were not then."""
    doubtful: tuple[str, ...] = ()
    """Source files of which it is not known whether they were there: they stay."""


@dataclass(frozen=True)
class CodeSeen:
    """What can be brought back: ``restored``, or the reason why not."""

    restored: Restored | None = None
    fault: str = ""
    entry_point_same: bool = False
    """Whether the script that stands there now has the recorded digest."""


def look(code: CodeFacts, blobs: BlobStore, folder: Path, ours: tuple[str, ...] = ()) -> CodeSeen:
    """Bring the code back to ``folder``, or say why that is impossible.

    ``ours`` are paths of our own that may lie in the work tree.
    """
    same = _entry_point_is_same(code)
    if not (code.commit or code.diff or code.untracked):
        return CodeSeen(entry_point_same=same)
    try:
        return CodeSeen(restore(code, blobs, folder, ours), entry_point_same=same)
    except LineageError as fault:
        return CodeSeen(fault=fault.message, entry_point_same=same)


def _entry_point_is_same(code: CodeFacts) -> bool:
    """Whether the script or program has its recorded digest. ``-c`` stands in the command."""
    if not code.entry_point_sha256:
        return False
    if code.entry_point == "-c":
        return True
    return digest_of_file(Path(code.root, code.entry_point)) == code.entry_point_sha256


def restore(
    code: CodeFacts, blobs: BlobStore, folder: Path, ours: tuple[str, ...] = ()
) -> Restored:
    """Write the recorded code to ``folder``, a new directory. Raises ``LineageError``."""
    root = Path(code.root)
    folder.mkdir(parents=True)
    if code.commit:
        index = folder.with_name(f"{folder.name}.index")
        environment = {"GIT_INDEX_FILE": str(index)}
        _git(root, "cat-file", "-e", f"{code.commit}^{{commit}}")
        _git(root, "read-tree", code.commit, env=environment)
        _git(root, "checkout-index", "--all", "--force", f"--prefix={folder}/", env=environment)
        index.unlink(missing_ok=True)
    if code.diff is not None:
        _apply(_contents(code.diff, blobs, "uncommitted difference"), folder)
    if code.untracked is not None:
        _unpack(_contents(code.untracked, blobs, "untracked source"), folder)
    names = frozenset(_names(folder))
    tracked, untracked = _newer(root, names, ours)
    doubtful = tuple(name for name in untracked if _may_have_been_there(name, code))
    return Restored(
        root, folder, names, tuple(_changed(root, folder, names)),
        newer=tuple(sorted({*tracked, *untracked} - set(doubtful))), doubtful=doubtful,
    )  # fmt: skip


def _may_have_been_there(name: str, code: CodeFacts) -> bool:
    """Whether an untracked source file is one that the capture saw and did not keep."""
    said = code.model_extra or {}
    if not said.get("left_out"):
        return False
    named = said.get("left_out_source")
    return named is None or name in named or len(named) >= MOST_LEFT_OUT


def _git(
    root: Path, *arguments: str, data: bytes = b"", env: Mapping[str, str] | None = None
) -> bytes:
    """Run git without its user's hooks, watchers or prompts. Raises ``ReproduceError``."""
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}",
             "-C", str(root), *arguments],
            input=data, capture_output=True, timeout=_TIMEOUT, check=False,
            env={
                "PATH": os.defpath, "HOME": str(Path.home()), "LC_ALL": "C",
                "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", **(env or {}),
            },
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise ReproduceError(f"git {arguments[0]}: {fault}", hint="is git installed?") from fault
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        raise ReproduceError(
            f"git {arguments[0]} in {root}: {said or done.returncode}",
            hint="the repository that the run was started in has to be there, with its commits",
        )
    return done.stdout


def _contents(blob: BlobRef, blobs: BlobStore, what: str) -> bytes:
    try:
        return blobs.get(blob.sha256)
    except LineageError as fault:
        raise ReproduceError(
            f"the {what} of the code is gone: {fault.message}",
            hint="blobs are kept beside the store; bring them back from a backup",
        ) from fault


def _apply(diff: bytes, folder: Path) -> None:
    # The scratch may lie in a repository: git must not take it for the one the diff is of.
    alone = {"GIT_CEILING_DIRECTORIES": str(folder.parent), "GIT_DISCOVERY_ACROSS_FILESYSTEM": "0"}
    _git(folder, "apply", "--whitespace=nowarn", "-", data=diff, env=alone)


def _unpack(tar: bytes, folder: Path) -> None:
    try:
        with tarfile.open(fileobj=io.BytesIO(tar)) as packed:
            for member in packed:
                _write_member(packed, member, folder)
    except (tarfile.TarError, OSError) as fault:
        raise ReproduceError(f"the untracked source cannot be unpacked: {fault}") from fault


def _write_member(packed: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """One file, inside of the folder. The filters of tarfile are not in every Python 3.11."""
    path = folder / member.name
    data = packed.extractfile(member) if member.isreg() else None
    if data is None or not path.resolve().is_relative_to(folder.resolve()):
        raise tarfile.TarError(f"{member.name} is no file of it")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.read())
    path.chmod(0o755 if member.mode & 0o100 else 0o644)


def _names(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_symlink() or path.is_file():
            yield str(path.relative_to(folder))


def _changed(root: Path, folder: Path, names: frozenset[str]) -> Iterator[str]:
    for name in sorted(names):
        if not _same(root / name, folder / name):
            yield name


def _same(one: Path, other: Path) -> bool:
    try:
        if one.is_symlink() or other.is_symlink():
            return one.is_symlink() and other.is_symlink() and one.readlink() == other.readlink()
        if one.stat().st_size != other.stat().st_size:
            return False
        return digest_of_file(one) == digest_of_file(other)
    except OSError:
        return False


def _newer(root: Path, names: frozenset[str], ours: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Files that are in the work tree and were not recorded: tracked ones, and untracked source.

    Untracked data are no code: they stay where they are, and count as inputs where they are read.
    """
    try:
        listed = [
            _git(root, "ls-files", "-z", *which)
            for which in ((), ("--others", "--exclude-standard"))
        ]
    except ReproduceError:
        return [], []
    tracked, untracked = (
        sorted(
            name
            for name in map(os.fsdecode, filter(None, part.split(b"\0")))
            if name not in names and not below(str(root / name), ours)
        )
        for part in listed
    )
    return tracked, [name for name in untracked if Path(name).suffix.lower() in SOURCE_SUFFIXES]


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file in hex, or empty where it cannot be read."""
    hasher = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                hasher.update(chunk)
    except OSError:
        return ""
    return hasher.hexdigest()
