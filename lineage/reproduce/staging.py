"""Setting the scene: a directory of scratch with everything a run needs to happen again."""

from __future__ import annotations

import contextlib
import logging
import os
import pwd
import secrets
import stat
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lineage.capture.run.rules import below
from lineage.errors import ReproduceError
from lineage.reproduce.facts import RunFacts
from lineage.reproduce.findings import Observed
from lineage.reproduce.observe import local_contents
from lineage.reproduce.plan import Host, Scene, written_at
from lineage.reproduce.sandbox.mounts import mount_points
from lineage.reproduce.sandbox.places import contains
from lineage.reproduce.sandbox.spec import Spec
from lineage.reproduce.tables import FindPin, TableSeen, View, make_view
from lineage.store.blobs import BlobStore

__all__ = ["Surroundings", "fresh_at", "host", "prepare", "scratch_space", "set_scene"]


log = logging.getLogger("lineage.reproduce")


@dataclass(frozen=True)
class Surroundings:
    """Where reproductions happen. ``ours`` are files of the store, which no job may see."""

    scratch: Path
    blobs: BlobStore
    find_pin: FindPin
    ours: tuple[str, ...] = ()
    tell: Callable[[str], None] = lambda _: None
    """Told what is being done, for people who wait."""


@contextmanager
def scratch_space(around: Surroundings, *, keep: bool) -> Iterator[Path]:
    """A new directory for one reproduction, gone at the end unless it is to be kept.

    Raises ``ReproduceError`` where it cannot be made or filled.
    """
    name = time.strftime("%Y%m%d-%H%M%S-", time.gmtime()) + secrets.token_hex(4)
    place = around.scratch.absolute() / name
    try:
        around.scratch.mkdir(parents=True, exist_ok=True)
        place = around.scratch.resolve() / name
        place.mkdir(mode=0o700)
        yield place
    except FileNotFoundError as fault:
        raise ReproduceError(
            f"{fault.filename or 'a file'} was removed while it was needed",
            hint="something else cleans up there: run it again, and pin what has to last",
        ) from fault
    except OSError as fault:
        raise ReproduceError(
            f"the scratch space {place} cannot be used: {fault}",
            hint="make room, or set LINEAGE_HOME to a directory that can be written",
        ) from fault
    finally:
        if not keep and place.exists():
            _discard(place)


def _discard(place: Path) -> None:
    """Remove the scratch; that it could not be takes no verdict away."""
    try:
        _remove(place)
    except OSError as fault:
        log.warning("the scratch space %s is left over: %s", place, fault)


def _remove(folder: Path) -> None:
    """Delete a directory with all that a job left in it: modes of its own, overlay work folders."""
    with contextlib.suppress(FileNotFoundError):
        folder.chmod(0o700)
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    _remove(Path(entry.path))
                else:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(entry.path)  # noqa: PTH108  # any bytes
        folder.rmdir()


def host() -> Host:
    """What has to be known of this machine."""
    who = pwd.getpwuid(os.geteuid())
    points = tuple(mount_points()) if os.path.exists("/proc/self/mountinfo") else ()  # noqa: PTH110
    return Host(os.path.realpath(who.pw_dir), who.pw_name, points)


def set_scene(
    run: RunFacts, seen: Observed, around: Surroundings, scratch: Path, *, symbolic: bool
) -> Scene:
    """Make the views of all tables, and bring contents back from the blob store.

    ``symbolic`` makes views of symbolic links, for jobs that could write through hard ones.
    """
    (scratch / "nothing").mkdir()
    outputs = local_contents(run, run.outputs, around.blobs)
    views = _views(seen.tables, scratch / "views", symbolic=symbolic)
    for output in outputs:
        if output.number is not None:  # nothing was read of it: the run made it from nothing
            views.setdefault(output.path, View(()))
    return Scene(
        run=run,
        seen=seen,
        inputs=local_contents(run, run.inputs, around.blobs),
        outputs=outputs,
        views=views,
        scratch=scratch,
        ours=(*around.ours, str(around.scratch.resolve())),
        contents=_contents(seen, around.blobs, scratch / "contents"),
    )


def _views(tables: tuple[TableSeen, ...], place: Path, *, symbolic: bool) -> dict[str, View]:
    by_path: dict[str, list[TableSeen]] = defaultdict(list)
    for table in tables:
        by_path[table.path].append(table)
    return {
        path: make_view(versions, place / str(n), symbolic=symbolic)
        for n, (path, versions) in enumerate(sorted(by_path.items()))
    }


def _contents(seen: Observed, blobs: BlobStore, place: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for file in (*seen.files, *seen.code_files):
        if file.kept == "blobs":
            place.mkdir(exist_ok=True)
            kept = place / file.recorded
            kept.write_bytes(blobs.get(file.recorded))
            found[file.path] = kept
    return found


Mark = tuple[int, int]
"""Size in bytes and time of modification in nanoseconds: what writing a file changes."""


def prepare(spec: Spec, scene: Scene) -> dict[str, Mark]:
    """Make the directories that overlays write to, with the mode that the job is to see.

    The code as it was goes into those over its work tree, the inner ones first, since a layer
    cannot lie inside of another, and the scratch space may be in the work tree. Returns the marks
    of outputs that are there before anything was written.
    """
    for overlay in sorted(spec.overlays, key=lambda one: -len(one.target)):
        upper, shown = Path(overlay.upper), Path(overlay.target)
        (upper / "work").mkdir(parents=True)
        data, code = upper / "data", _code_of(scene, shown)
        if code is not None and overlay.target not in scene.views:
            code.rename(data)
        else:
            data.mkdir()
        mode = stat.S_IMODE(shown.stat().st_mode) if shown.is_dir() else 0o755
        data.chmod(mode | 0o700)
    return dict(_brought(spec))


def _brought(spec: Spec) -> Iterator[tuple[str, Mark]]:
    """Marks of what the job changes: as code brought it, else as a shadow copies it."""
    points = mount_points() if Path("/proc/self/mountinfo").exists() else []
    for path in spec.written:
        place = written_at(spec, path)
        over = (one.target for one in spec.overlays if below(path, (one.target,)))
        if place is not None and os.path.lexists(place):
            yield path, _mark(place)
        elif os.path.lexists(path) and contains(max(over, key=len, default="/"), points):
            yield path, _mark(Path(path))


def _code_of(scene: Scene, folder: Path) -> Path | None:
    """Where the restored code of a folder is, if it is in the work tree."""
    restored = scene.restored
    if restored is None or not folder.is_relative_to(restored.root):
        return None
    there = restored.folder / folder.relative_to(restored.root)
    return there if there.is_dir() else None


def _mark(path: Path) -> Mark:
    found = path.lstat()
    return found.st_size, found.st_mtime_ns


def fresh_at(spec: Spec, path: str, brought: Mapping[str, Mark]) -> Path | None:
    """Where in scratch the job wrote a path, or None where it did not."""
    place = written_at(spec, path)
    if place is None or not os.path.lexists(place):
        return None
    return None if brought.get(path) == _mark(place) else place
