"""Files of a run as its inputs and outputs."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lineage.capture.run.digests import Digest, Digests
from lineage.capture.run.footprint import FileState, shown
from lineage.capture.run.rules import Kind, Rules
from lineage.model.canonical import canonical
from lineage.model.ids import file_token
from lineage.model.naming import FILE, kind_of_path

__all__ = ["FileFacts", "describe_files", "use_of_code"]

MOST_FILES = 1000
"""More inputs (or outputs) than this are told by folder: a graph of a million images tells nobody
anything, and an entry has a size."""
_WORTH_FOLDING = 20
_MOST_TEMPORARY = 200

PutBlob = Callable[[bytes], str]


@dataclass(slots=True)
class FileFacts:
    """``uses`` and ``outputs`` as in ``run.finished``, and what could not be told of them.

    ``changed`` are inputs that others wrote while the job ran, ``unhashed`` counts files without a
    digest, ``temporary`` those made and gone, ``folded`` those told by their folder,
    ``left_out`` models and deletions beyond what an entry can hold.
    """

    uses: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unhashed: int = 0
    temporary: int = 0
    folded: int = 0
    left_out: int = 0


def describe_files(
    states: Iterable[FileState],
    rules: Rules,
    inputs: Digests,
    outputs: Digests,
    put_blob: PutBlob,
    *,
    code_is_known: bool,
) -> FileFacts:
    """Every file that is data becomes an input, an output, or both.

    With ``code_is_known`` (by its commit) source files that were read are no inputs; without, each
    is an input of kind ``code``.
    """
    facts = FileFacts()
    for state in sorted(states, key=lambda state: state.path):
        kind = rules.kind(state.path)
        if kind in {Kind.NOTHING, Kind.ENVIRONMENT}:
            continue
        if state.read_at and not _only_locked(state):
            if kind is Kind.DATA:
                facts.uses.append(_use(state, inputs, facts))
            elif not code_is_known:
                facts.uses.append(use_of_code(state.path, state.read_at, inputs))
        output = _output(state, outputs, facts)
        if output is not None:
            facts.outputs.append(output)
    facts.uses = _by_folder(facts.uses, facts, put_blob)
    facts.outputs = _by_folder(facts.outputs, facts, put_blob)
    return facts


def _only_locked(state: FileState) -> bool:
    """An empty file that was opened for writing and left alone is a lock."""
    return state.suspect is not None and not state.written_at and not state.size


def use_of_code(path: str, at: int, digests: Digests) -> dict[str, Any]:
    """A source file as an input of kind ``code``."""
    digest = digests.of(path)
    return {
        "namespace": FILE,
        "name": shown(path),
        "artifact_kind": "code",
        "version": file_token(digest.sha256) if digest else "",
        "at": at,
        "role": "code",
        "hook": "preload",
    }


def _use(state: FileState, digests: Digests, facts: FileFacts) -> dict[str, Any]:
    use = {
        "namespace": FILE,
        "name": shown(state.path),
        "artifact_kind": kind_of_path(state.path) or "file",
        "at": state.read_at,
        "hook": state.hook,
    }
    digest, detail = _digest_as_read(state, digests)
    size = digest.size if digest else state.size
    if size is not None:
        use["size"] = size
    if digest:
        use["version"] = file_token(digest.sha256)
    else:
        facts.unhashed += 1
        use["mtime"] = (state.mtime or 0) // 1000
    if detail:
        use["detail"] = detail
        if not state.written_at:
            facts.changed.append(shown(state.path))
    return use


def _digest_as_read(state: FileState, digests: Digests) -> tuple[Digest | None, str]:
    """The digest of what was read, and whether the file changed after it was opened.

    A digest counts if the file had, when it was made, the size and time it had when opened.
    """
    earlier, now = digests.known(state.path), digests.of(state.path)
    if state.mtime is None:
        return now, ""
    as_read = (state.size, state.mtime)
    for digest in (now, earlier):
        if digest and (digest.size, digest.mtime) == as_read:
            changed = now is not None and now is not digest
            return digest, "changed after it was read" if changed else ""
    if now is None:
        return None, ""
    return None, "changed after it was opened: what was read is not known"


def _output(state: FileState, digests: Digests, facts: FileFacts) -> dict[str, Any] | None:
    out: dict[str, Any] = {
        "namespace": FILE,
        "name": shown(state.path),
        "artifact_kind": kind_of_path(state.path) or "file",
        "at": state.written_at,
        "hook": state.hook,
    }
    if state.temporary:
        facts.temporary += 1
        if facts.temporary > _MOST_TEMPORARY or not state.written_at:
            return None
        return {**out, "operation": "TMP"}
    if state.gone:
        return {**out, "operation": "REMOVED", "at": state.gone_at}
    if not state.written_at:
        return None
    out["operation"] = "MODIFIED" if state.existed else "ADDED"
    digest = digests.of(state.path)
    if digest:
        out["version"] = file_token(digest.sha256)
        out["size"] = digest.size
    else:
        facts.unhashed += 1
    if state.renamed_from:
        out["renamed_from"] = shown(state.renamed_from)
    return out


def _by_folder(
    entries: list[dict[str, Any]], facts: FileFacts, put_blob: PutBlob
) -> list[dict[str, Any]]:
    """Where there are too many files, the folders with most of them stand for what they hold."""
    kept = [entry for entry in entries if not _foldable(entry)]
    facts.left_out += max(len(kept) - MOST_FILES, 0)
    kept = kept[:MOST_FILES]
    loose = [entry for entry in entries if _foldable(entry)]
    fewest = _WORTH_FOLDING
    while len(loose) > MOST_FILES:
        before = len(loose)
        loose = _fold_once(loose, fewest, facts, put_blob)
        if len(loose) == before:
            if fewest == 2:
                break
            fewest = 2
    return sorted([*kept, *loose], key=lambda entry: str(entry["name"]))


def _foldable(entry: dict[str, Any]) -> bool:
    return entry["artifact_kind"] in {"file", "directory"} and entry.get("operation") not in {
        "TMP",
        "REMOVED",
    }


def _fold_once(
    entries: list[dict[str, Any]], fewest: int, facts: FileFacts, put_blob: PutBlob
) -> list[dict[str, Any]]:
    """Fold the fullest folders, each into one entry, until there are few enough."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in entries:
        groups[entry["name"].rpartition("/")[0]].append(entry)
    left, out = len(entries), list[dict[str, Any]]()
    for folder, group in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        if left <= MOST_FILES or len(group) < fewest or not folder:
            out += group
            continue
        left -= len(group) - 1
        facts.folded += sum(1 for entry in group if entry["artifact_kind"] == "file")
        out.append(_folder(folder, group, put_blob))
    return out


def _folder(folder: str, entries: Sequence[dict[str, Any]], put_blob: PutBlob) -> dict[str, Any]:
    """A folder as one artifact; its version is the digest of the list of what was met in it."""
    listing = canonical(
        sorted(
            [entry["name"][len(folder) + 1 :], entry.get("version", ""), entry.get("manifest", "")]
            for entry in entries
        )
    )
    whole = all(entry.get("version") for entry in entries)
    first = min(entries, key=lambda entry: int(entry["at"]))
    out = {
        "namespace": FILE,
        "name": folder,
        "artifact_kind": "directory",
        "at": first["at"],
        "hook": first.get("hook", ""),
        "size": sum(entry.get("size") or 0 for entry in entries),
        "manifest": put_blob(listing),
        "count": sum(entry.get("count", 1) for entry in entries),
    }
    if whole:
        out["version"] = file_token(hashlib.sha256(listing).hexdigest())
    if "operation" in first:
        out["operation"] = _one_operation({str(entry["operation"]) for entry in entries})
    return out


def _one_operation(operations: set[str]) -> str:
    return operations.pop() if len(operations) == 1 else "MODIFIED"
