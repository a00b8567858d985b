"""What a command line says: which job it is, and where its code begins.

This precedes the job, so it runs nothing and imports little.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass

from lineage.capture.run.rules import SOURCE_SUFFIXES

__all__ = ["EntryPoint", "entry_point", "find_root", "job_name"]

_PYTHON = re.compile(r"python[0-9.]*[a-z]?\Z|pypy[0-9.]*\Z")
_TAKES_VALUE = frozenset({"-W", "-X", "--check-hash-based-pycs"})


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """Where the job's own code begins.

    ``path`` is an absolute file, or empty; ``module`` the name after ``-m``; ``after`` the position
    of the first argument that is the job's own.
    """

    path: str = ""
    module: str = ""
    inline: str = ""
    after: int = 1


def entry_point(command: list[str], cwd: str) -> EntryPoint:
    """The script, module or program that a command runs.

    Launchers (``torchrun train.py``, ``uv run train.py``, ``env A=1 python train.py``) are looked
    through: the first argument that is a source file is the script.
    """
    for at, word in enumerate(command):
        if _PYTHON.match(os.path.basename(word)):
            found = _python_entry(command, at + 1, cwd)
            if found is not None:
                return found
            break
    for at, word in enumerate(command):
        path = os.path.join(cwd, word)
        if os.path.splitext(word)[1].lower() in SOURCE_SUFFIXES and os.path.isfile(path):
            return EntryPoint(os.path.realpath(path), after=at + 1)
    program = shutil.which(command[0]) or ""
    return EntryPoint(os.path.realpath(os.path.join(cwd, program)) if program else "")


def _python_entry(command: list[str], at: int, cwd: str) -> EntryPoint | None:
    """After the interpreter: its own options, then ``-c``, ``-m`` or the script."""
    while at < len(command):
        word = command[at]
        if word in _TAKES_VALUE:
            at += 2
        elif word.startswith("-c"):
            code = word[2:] or "".join(command[at + 1 : at + 2])
            return EntryPoint(inline=code, after=at + (1 if word[2:] else 2))
        elif word.startswith("-m"):
            module = word[2:] or "".join(command[at + 1 : at + 2])
            after = at + (1 if word[2:] else 2)
            return EntryPoint(_module_file(module, cwd), module=module, after=after)
        elif word.startswith("-") and word != "-":
            at += 1
        elif word == "-":
            return EntryPoint(after=at + 1)
        else:
            path = os.path.join(cwd, word)
            real = os.path.realpath(path) if os.path.exists(path) else ""
            return EntryPoint(real, after=at + 1)
    return None


def _module_file(module: str, cwd: str) -> str:
    base = os.path.join(cwd, *module.split("."))
    for candidate in (f"{base}.py", f"{base}/__main__.py"):
        if os.path.isfile(candidate):
            return os.path.realpath(candidate)
    return ""


def find_root(start: str) -> str:
    """The git work tree that a folder lies in, or empty."""
    folder = os.path.realpath(start)
    while True:
        if os.path.exists(f"{folder}/.git"):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return ""
        folder = parent


def job_name(command: list[str], entry: EntryPoint, root: str) -> str:
    """A name that the next run of the same job has too: script, module or program."""
    if entry.module:
        return entry.module
    if entry.path and root and entry.path.startswith(f"{root}/"):
        return entry.path[len(root) + 1 :]
    if entry.path and os.path.splitext(entry.path)[1].lower() in SOURCE_SUFFIXES:
        return os.path.basename(entry.path)
    return os.path.basename(command[0])
