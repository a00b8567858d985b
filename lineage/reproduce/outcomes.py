"""What each recorded output turned out to be: the files then and now, side by side."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from lineage.errors import LineageError
from lineage.reproduce.code import digest_of_file
from lineage.reproduce.contents import DIRECTORY, STDOUT, Content
from lineage.reproduce.differences import compare
from lineage.reproduce.rows import row_difference
from lineage.reproduce.tables import FindPin, View, look
from lineage.reproduce.verdict import Compared, OutputState
from lineage.store.blobs import BlobStore

__all__ = ["Comparer"]

_NO_DIGEST = "it was recorded without a digest"


class Comparer:
    """Compares outputs. ``written_at`` says where in scratch a path was written, if anywhere."""

    def __init__(
        self,
        blobs: BlobStore,
        find_pin: FindPin,
        scratch: Path,
        *,
        written_at: Callable[[str], Path | None],
        views: Callable[[str], View | None],
        tolerance: float,
    ) -> None:
        self._blobs = blobs
        self._find_pin = find_pin
        self._scratch = scratch
        self._written_at = written_at
        self._views = views
        self._tolerance = tolerance
        self._merged: dict[str, Path] = {}

    def compare(self, outputs: Iterable[Content], asked: str = "") -> list[Compared]:
        """Every output that lasts; what was temporary or removed leaves nothing to compare.

        A file that stood at the program's standard output was opened by somebody else, who may
        have written to it too. It counts where it holds the same bytes, and where it is ``asked``
        for (an id) or is all there is.
        """
        lasting = [one for one in outputs if one.operation in {"ADDED", "MODIFIED"}]
        alone = len(lasting) == 1
        return [
            self._one(one)
            if one.hook != STDOUT or (one.operation == "ADDED" and (alone or one.id == asked))
            else _inherited(self._one(one))
            for one in lasting
        ]

    def _one(self, output: Content) -> Compared:
        blank = Compared(output.id, output.path, OutputState.NOT_COMPARED, output.version)
        if output.number is not None:
            return self._table(output, blank)
        if output.kind == DIRECTORY:
            return replace(blank, detail="which files were in it is not known any more")
        got = self._written_at(output.path)
        if got is None or not got.is_file():
            return replace(blank, state=OutputState.MISSING)
        digest = digest_of_file(got)
        blank = replace(blank, got=f"sha256.{digest}")
        if not output.sha256:
            return replace(blank, detail=_NO_DIGEST)
        if digest == output.sha256:
            return replace(blank, state=OutputState.IDENTICAL)
        return self._different(output, blank, got)

    def _different(self, output: Content, blank: Compared, got: Path) -> Compared:
        recorded = self._recorded(output)
        found = None
        if recorded is not None:
            with contextlib.suppress(FileNotFoundError):
                found = compare(recorded, got, output.path, self._tolerance)
        # Others may write where it was recorded: the comparison was with something else then.
        if recorded is None or found is None or digest_of_file(recorded) != output.sha256:
            return replace(
                blank, state=OutputState.DIFFERENT,
                detail="what was recorded is no longer there, so only the digests tell",
            )  # fmt: skip
        if found.same:
            return replace(blank, state=OutputState.EQUIVALENT)
        return replace(blank, state=OutputState.DIFFERENT, difference=found.where)

    def _recorded(self, output: Content) -> Path | None:
        """The recorded contents: where they were written, or in the blob store."""
        live = Path(output.path)
        if digest_of_file(live) == output.sha256:
            return live
        if not self._blobs.has(output.sha256):
            return None
        kept = self._scratch / "recorded" / output.sha256
        kept.parent.mkdir(exist_ok=True)
        kept.write_bytes(self._blobs.get(output.sha256))
        return kept

    # --- tables

    def _table(self, output: Content, blank: Compared) -> Compared:
        number = output.number or 0
        got = self._table_now(output.path)
        if got is None or not (got / "_delta_log" / f"{number:020d}.json").is_file():
            return replace(blank, state=OutputState.MISSING)
        recorded = look(output.id, output.path, output.version, self._find_pin)
        if recorded.source is None:
            return replace(blank, detail=f"what was recorded is gone: {recorded.fault}")
        try:
            found = row_difference(recorded.source, number, got, number)
        except LineageError as fault:
            return replace(blank, detail=fault.message)
        if found is None:
            # The files of a table carry random names: equal rows are the most there can be.
            return replace(blank, state=OutputState.EQUIVALENT, detail="the same rows")
        return replace(blank, state=OutputState.DIFFERENT, difference=found)

    def _table_now(self, path: str) -> Path | None:
        """What the program left of a table: what it wrote over what it saw, as one directory."""
        written = self._written_at(path)
        if written is None or not written.is_dir():
            return None
        if path not in self._merged:
            view = self._views(path)
            merged = self._scratch / "merged" / str(len(self._merged))
            for folder in (written, *(view.folders if view else ())):
                if folder.is_dir():
                    _add(folder, merged)
            self._merged[path] = merged
        return self._merged[path]


def _inherited(found: Compared) -> Compared:
    if found.state is OutputState.IDENTICAL:
        return found
    return replace(
        found, state=OutputState.NOT_COMPARED, difference={},
        detail="the program did not open it: it was its standard output, others may write there",
    )  # fmt: skip


def _add(folder: Path, merged: Path) -> None:
    """Show the files of a folder in another one; what is there already stays on top."""
    for place, _, names in os.walk(folder):
        target = merged / Path(place).relative_to(folder)
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            source, link = Path(place, name), target / name
            if link.exists() or not source.is_file():
                continue
            if place.endswith("_delta_log"):
                shutil.copyfile(source, link)
            else:
                link.symlink_to(source.resolve())
