"""What a job will see when it runs again: pure, from the record and a few facts about the host.

Everything that the run wrote is led to scratch, with what it made itself absent at the start;
tables stand at their paths as they were; code lies over its work tree as it was; credentials and
our own store are hidden.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lineage.capture.run.rules import PSEUDO, below
from lineage.capture.run.scrub import HIDDEN
from lineage.reproduce.code import Restored
from lineage.reproduce.contents import Content
from lineage.reproduce.facts import RunFacts
from lineage.reproduce.findings import Observed
from lineage.reproduce.sandbox.spec import Overlay, Spec
from lineage.reproduce.tables import View

__all__ = [
    "CREDENTIALS",
    "Host",
    "Scene",
    "credentials_of",
    "make_spec",
    "variables_of",
    "written_at",
]

CREDENTIALS = (
    ".aws", ".azure", ".config/gcloud", ".config/gh", ".config/rclone", ".databrickscfg",
    ".docker/config.json", ".git-credentials", ".gnupg", ".huggingface/token",
    ".cache/huggingface/token", ".kube", ".my.cnf", ".netrc", ".npmrc", ".pgpass", ".pypirc",
    ".s3cfg", ".snowflake", ".snowsql", ".ssh", ".boto",
)  # fmt: skip
"""Below a home: what opens doors elsewhere."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Host:
    """What has to be known of this machine."""

    home: str
    user: str
    mount_points: tuple[str, ...] = ()
    exists: Callable[[str], bool] = os.path.isdir


@dataclass(frozen=True)
class Scene:
    """Everything that a job is put into."""

    run: RunFacts
    seen: Observed
    inputs: tuple[Content, ...]
    outputs: tuple[Content, ...]
    views: Mapping[str, View]
    """By the path of a table. A table that the run made from nothing has no folders."""
    scratch: Path
    ours: tuple[str, ...] = ()
    """Our own files: store, key, blobs, spool."""
    interpreter: str = ""
    """The interpreter to use in place of the recorded one, or empty."""
    network: bool = False
    credentials: bool = False
    contents: Mapping[str, Path] = field(default_factory=dict)
    """Files brought back from the blob store: path -> where its contents are."""

    @property
    def restored(self) -> Restored | None:
        """The code as it was."""
        return None if self.seen.code is None else self.seen.code.restored

    @property
    def absent(self) -> list[str]:
        """What must not be there at the start: what the run made, and what came later."""
        made = [
            output.path for output in self.outputs
            if output.operation in {"ADDED", "TMP"} and not below(output.path, tuple(self.views))
        ]  # fmt: skip
        known = {content.path for content in self.inputs}
        newer = () if self.restored is None else (
            str(self.restored.root / name) for name in self.restored.newer
        )  # fmt: skip
        hidden = (path for view in self.views.values() for path in view.hidden)
        return [*made, *(path for path in newer if path not in known), *hidden]

    @property
    def argv(self) -> tuple[str, ...]:
        """The recorded command, with another interpreter in its place where one was built."""
        command = list(self.run.started.command)
        facts = self.run.environment
        if self.interpreter and facts and posixpath.basename(command[0]).startswith("python"):
            command[0] = self.interpreter
        return tuple(command)


def variables_of(scene: Scene, host: Host) -> dict[str, str]:
    """The job's variables: those that were recorded, and what every program needs."""
    facts = scene.run.environment
    found = {
        "HOME": host.home,
        "USER": host.user,
        "LOGNAME": host.user,
        "PATH": _PATH,
        **{n: value for n, value in scene.run.started.variables.items() if value != HIDDEN},
    }
    interpreter = scene.interpreter or (facts.interpreter if facts else "")
    if interpreter and posixpath.dirname(interpreter) not in found["PATH"].split(":"):
        found["PATH"] = f"{posixpath.dirname(interpreter)}:{found['PATH']}"
    return found


def make_spec(scene: Scene, host: Host) -> Spec:
    """What the sandbox is told. Directories of uppers are not made here: :func:`written_at`."""
    folders = _written_folders(scene, host)
    targets = sorted({*folders, *scene.views}, key=lambda path: (path.count("/"), path))
    return Spec(
        scratch=str(scene.scratch),
        argv=scene.argv,
        cwd=scene.run.started.cwd,
        env=variables_of(scene, host),
        overlays=tuple(
            Overlay(target, _lowers(target, scene), str(scene.scratch / "written" / str(n)))
            for n, target in enumerate(targets)
        ),
        folders=tuple(
            sorted({scene.run.started.cwd, *(_parent(output.path) for output in _files(scene))})
        ),
        files=tuple((str(place), path) for path, place in sorted(scene.contents.items())),
        hidden=(*scene.ours, *(() if scene.credentials else credentials_of(host))),
        kept=tuple(sorted(_needed(scene))),
        written=tuple(one.path for one in _files(scene) if one.operation == "MODIFIED"),
        absent=tuple(dict.fromkeys(scene.absent)),
        network=scene.network,
        stdin=next((use.path for use in scene.inputs if use.hook == "stdin"), ""),
    )


def credentials_of(host: Host) -> tuple[str, ...]:
    """Paths of credentials, whether or not they are there."""
    return tuple(f"{host.home}/{name}" for name in CREDENTIALS)


def _files(scene: Scene) -> list[Content]:
    """Outputs that are files of this machine's disks, outside of tables."""
    return [
        output for output in scene.outputs
        if not below(output.path, (*PSEUDO, *scene.views)) and output.hook != "stdout"
    ]  # fmt: skip


def _written_folders(scene: Scene, host: Host) -> list[str]:
    """Directories to lay an overlay over: as few as cover all that may be written."""
    wanted = {_parent(output.path) for output in _files(scene)}
    wanted |= {_parent(path) for path in scene.views}
    wanted |= {scene.run.started.cwd, host.home, "/tmp", "/var/tmp"}  # noqa: S108  # to be covered
    if scene.restored is not None:
        wanted.add(str(scene.restored.root))
    there = {_existing(path, host) for path in wanted} - {"/", ""}
    there = {path for path in there if not below(path, tuple(scene.views))}
    restored = set() if scene.restored is None else {str(scene.restored.root)}
    return [
        path for path in sorted(there) if path in restored or not _is_covered(path, there, host)
    ]


def _parent(path: str) -> str:
    return posixpath.dirname(path)


def _existing(path: str, host: Host) -> str:
    """The directory itself, or the nearest one above it that is there."""
    while len(path) > 1 and not host.exists(path):
        path = _parent(path)
    return path


def _is_covered(path: str, others: Iterable[str], host: Host) -> bool:
    """Whether another one's overlay reaches it. An overlay does not reach through mounts."""
    return any(
        path.startswith(f"{other}/")
        and not any(point.startswith(f"{other}/") for point in host.mount_points)
        for other in others
    )


def _lowers(target: str, scene: Scene) -> tuple[str, ...]:
    """What an overlay shows, the topmost first."""
    view = scene.views.get(target)
    if view is not None:
        return tuple(map(str, view.folders)) or (str(scene.scratch / "nothing"),)
    return (target,)


def _needed(scene: Scene) -> set[str]:
    """What has to be seen even where something around it is hidden."""
    needed = {content.path for content in scene.inputs} | set(scene.views)
    needed |= {_parent(output.path) for output in _files(scene)} | {scene.run.started.cwd}
    facts = scene.run.environment
    if facts is not None and facts.prefix:
        needed.add(facts.prefix)
    if scene.interpreter:
        needed.add(posixpath.dirname(posixpath.dirname(scene.interpreter)))
    if scene.restored is not None:
        needed.add(str(scene.restored.root))
    return {path for path in needed if path.startswith("/")}


def written_at(spec: Spec, path: str) -> Path | None:
    """Where in scratch a path was written, if it was; None: outside of what could be written."""
    over = [one for one in spec.overlays if below(path, (one.target,))]
    if not over:
        return None
    deepest = max(over, key=lambda one: len(one.target))
    return Path(deepest.upper, "data", posixpath.relpath(path, deepest.target))
