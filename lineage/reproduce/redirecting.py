"""What a Python program is told where there are no namespaces: the other way to set a scene.

Tables become directories of links in scratch, code that has changed since is run from scratch, and
everything else is led there by the hook in ``redirect/``. Isolation that this cannot give is
refused, never pretended.
"""

from __future__ import annotations

import json
import posixpath
from pathlib import Path

from lineage.capture.run.rules import below
from lineage.errors import IsolationError
from lineage.reproduce.code import Restored
from lineage.reproduce.plan import Host, Scene, credentials_of, variables_of
from lineage.reproduce.sandbox.spec import Spec

__all__ = ["MARK", "is_python", "make_redirected_spec", "redirected_at"]

MARK = "redirected"
"""A file that the hook leaves in scratch: without it, nothing was led anywhere."""

_HOOK = Path(__file__).parent / "redirect"
_DEAF = ("-I", "-E", "-S")
"""Options that keep an interpreter from loading the hook."""


def is_python(argv: tuple[str, ...], interpreter: str) -> bool:
    """Whether a command is a Python that loads the hook."""
    if not argv:
        return False
    named = posixpath.basename(argv[0]).startswith(("python", "pypy")) or argv[0] == interpreter
    return named and not any(word in _DEAF for word in argv[1:3])


def make_redirected_spec(scene: Scene, host: Host) -> Spec:
    """The spec of a job that is redirected; writes what the hook is told into scratch.

    Raises ``IsolationError`` for code that cannot be run from elsewhere.
    """
    told = scene.scratch / "redirect.json"
    files = {path: str(place) for path, place in scene.contents.items()}
    argv, first = scene.argv, [str(_HOOK)]
    restored = scene.restored
    if restored is not None and (restored.changed or restored.newer):
        files |= {str(restored.root / name): str(restored.folder / name)
                  for name in restored.changed}  # fmt: skip
        argv = _moved(argv, restored, scene)
        first.append(str(restored.folder))
    told.write_text(
        json.dumps({
            "scratch": str(scene.scratch),
            "views": [[path, str(_folder(scene, path))] for path in scene.views],
            "files": files,
            "absent": scene.absent,
            "hidden": [*scene.ours, *(() if scene.credentials else credentials_of(host))],
            "network": scene.network,
        }),
        encoding="utf-8",
    )  # fmt: skip
    temporary = scene.scratch / "tmp"
    temporary.mkdir(exist_ok=True)
    variables = variables_of(scene, host)
    variables |= {
        "PYTHONPATH": ":".join([*first, *filter(None, [variables.get("PYTHONPATH")])]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LINEAGE_REDIRECT": str(told),
        "TMPDIR": str(temporary),
    }
    stdin = next((use.path for use in scene.inputs if use.hook == "stdin"), "")
    return Spec(
        str(scene.scratch), argv, scene.run.started.cwd, variables,
        network=scene.network, stdin=files.get(stdin, stdin),
    )  # fmt: skip


def _folder(scene: Scene, path: str) -> Path:
    """Where a table is led to. One that the run made from nothing begins as nothing."""
    folders = scene.views[path].folders
    return folders[0] if folders else scene.scratch / "mirror" / path.lstrip("/")


def _moved(argv: tuple[str, ...], restored: Restored, scene: Scene) -> tuple[str, ...]:
    """The command with its script taken from the restored code."""
    code = scene.run.code
    script = posixpath.join(code.root, code.entry_point) if code else ""
    cwd = scene.run.started.cwd
    for at, word in enumerate(argv[1:], start=1):
        if posixpath.normpath(posixpath.join(cwd, word)) == script and below(
            script, (str(restored.root),)
        ):
            moved = restored.folder / posixpath.relpath(script, restored.root)
            return (*argv[:at], str(moved), *argv[at + 1 :])
    raise IsolationError(
        "the code has changed since, and its beginning is no script that could be run from scratch",
        hint="run it where user namespaces are allowed, or check the recorded commit out",
    )


def redirected_at(scene: Scene, path: str) -> Path | None:
    """Where in scratch a path was written."""
    for table in scene.views:
        if below(path, (table,)):
            return _folder(scene, table) / posixpath.relpath(path, table)
    return scene.scratch / "mirror" / path.lstrip("/")
