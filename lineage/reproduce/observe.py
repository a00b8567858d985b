"""What stands now of everything that a run used: reads, and changes nothing but its scratch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from lineage.capture.run.machine import hardware
from lineage.errors import VersionLostError
from lineage.model.canonical import iso
from lineage.model.changes import Output, Use
from lineage.model.ids import artifact_id
from lineage.model.naming import FILE
from lineage.reproduce import code, environment, tables
from lineage.reproduce.code import CodeSeen, digest_of_file
from lineage.reproduce.contents import DIRECTORY, Content, contents_of, is_local
from lineage.reproduce.delta import table_version
from lineage.reproduce.facts import RunFacts
from lineage.reproduce.findings import FileSeen, Observed
from lineage.reproduce.tables import FindPin, TableSeen
from lineage.store.blobs import BlobStore

__all__ = ["local_contents", "observe"]


def observe(
    run: RunFacts,
    blobs: BlobStore,
    find_pin: FindPin,
    scratch: Path,
    ours: tuple[str, ...] = (),
) -> Observed:
    """Look at every input, the code and the environment. The code is restored into ``scratch``."""
    restored = None
    if run.code is not None:
        restored = code.look(run.code, blobs, scratch / "code", (*ours, str(scratch.parent)))
    installed = None
    if run.environment is not None:
        installed = environment.look(
            run.environment, blobs, run.started.variables, run.finished.event_at
        )
    inputs = local_contents(run, run.inputs, blobs)
    sources = local_contents(run, run.code_files, blobs)
    outputs = local_contents(run, run.outputs, blobs)
    return Observed(
        tables=tuple(_tables(inputs, outputs, find_pin)),
        files=tuple(_file(one, blobs, restored) for one in inputs if one.sha256),
        code=restored,
        code_files=tuple(_file(one, blobs, restored) for one in sources if one.sha256),
        environment=installed,
        hardware=hardware(),
        unlisted=tuple(one.id for one in inputs if one.kind == DIRECTORY),
    )


def local_contents(
    run: RunFacts, things: Iterable[Use | Output], blobs: BlobStore
) -> tuple[Content, ...]:
    """Local uses or outputs, each version once, folders as the files that were met in them."""
    found: dict[tuple[str, str], Content] = {}
    for thing in things:
        if is_local(thing):
            for one in contents_of(run, thing, blobs):
                found.setdefault((one.path, one.version), one)
    return tuple(found.values())


def _file(one: Content, blobs: BlobStore, restored: CodeSeen | None) -> FileSeen:
    path = Path(one.path)
    now = digest_of_file(path)
    kept = "" if now == one.sha256 else _kept(path, one.sha256, blobs, restored)
    since = "" if now in ("", one.sha256) else _modified(path)
    return FileSeen(one.id, one.path, one.sha256, now, since, kept)


def _modified(path: Path) -> str:
    try:
        return iso(path.stat().st_mtime_ns // 1000)
    except OSError:  # removed since it was read
        return ""


def _kept(path: Path, recorded: str, blobs: BlobStore, seen: CodeSeen | None) -> str:
    restored = None if seen is None else seen.restored
    if restored is not None and path.is_relative_to(restored.root):
        then = restored.folder / path.relative_to(restored.root)
        if digest_of_file(then) == recorded:
            return "code"
    return "blobs" if blobs.has(recorded) else ""


def _tables(
    inputs: Iterable[Content], outputs: Iterable[Content], find_pin: FindPin
) -> Iterator[TableSeen]:
    """Versions that were read, and those that were written to: a commit needs the one before it."""
    read: dict[str, set[int]] = defaultdict(set)
    for one in inputs:
        if one.number is not None:
            read[one.path].add(one.number)
            yield tables.look(one.id, one.path, one.version, find_pin)
    first: dict[str, Content] = {}
    for one in outputs:
        if one.number is not None:
            had = first.setdefault(one.path, one)
            if one.number < (had.number or 0):
                first[one.path] = one
    for path, one in first.items():
        before = (one.number or 0) - 1
        if before >= 0 and before not in read[path]:
            yield _before(path, before, one, find_pin)


def _before(path: str, number: int, written: Content, find_pin: FindPin) -> TableSeen:
    """The version below a commit: of the same table id, unless that commit changed it."""
    tokens = [f"{number}.{written.version.partition('.')[2]}"]
    with suppress(VersionLostError):
        tokens.append(table_version(path, number).token)
    found = [tables.look(artifact_id(FILE, path, token), path, token, find_pin)
             for token in dict.fromkeys(tokens)]  # fmt: skip
    return next((one for one in found if one.source is not None), found[0])
