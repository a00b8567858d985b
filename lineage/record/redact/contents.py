"""Which blobs bodies mean: by reference, by the lists of folders, and by the versions of files.

A run's small files of settings are kept as blobs that nothing refers to but the version of a use,
``sha256.<hex>``, or a folder's list, a blob itself. In a stub a version is a name and no more.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from lineage.errors import InputError, StoreDamagedError, UnknownNameError
from lineage.model.canonical import parse_json
from lineage.record.ledger import blobs_named
from lineage.record.redact.stubs import Words
from lineage.store.blobs import BlobStore

__all__ = ["Contents"]

_DIGEST = re.compile(rb"[0-9a-f]{64}")


class Contents:
    """The blobs of a store as bodies mean them. What is read of a blob is remembered."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._lists: dict[str, frozenset[str]] = {}

    def meant(self, body: bytes, *, redacted: bool) -> set[str]:
        """Digests that a body means; blobs of them need not be there."""
        found: set[str] = set()
        if not redacted:
            found |= {digest.decode() for digest in _DIGEST.findall(body)}
        if b'"sha256"' in body or b'"manifest"' in body:
            value = _parsed(body)
            found |= set(blobs_named(value))
            for manifest in _manifests(value):
                found |= {manifest, *self._listed(manifest)}
        return found

    def there(self, digests: Iterable[str]) -> set[str]:
        """Those that are blobs."""
        return {digest for digest in digests if self._blobs.has(digest)}

    def telling(self, words: Words) -> set[str]:
        """Blobs that have one of some words; lists of folders hold names, which stay."""
        if not words:
            return set()
        return {digest for digest in self._blobs.all() if self._tells(digest, words)}

    def _tells(self, digest: str, words: Words) -> bool:
        data = self._read(digest)
        with suppress(OSError, EOFError, zlib.error):
            data = gzip.decompress(data)
        return words.within(data.decode("utf-8", "replace")) and not _is_list(_plain(data))

    def _read(self, digest: str) -> bytes:
        try:
            return self._blobs.get(digest)
        except (UnknownNameError, StoreDamagedError):
            return b""  # verification says so

    def _listed(self, manifest: str) -> frozenset[str]:
        """What the list of a folder names, and the lists in it."""
        if manifest not in self._lists:
            self._lists[manifest] = frozenset()  # a list in itself would not end
            found: set[str] = set()
            value = _plain(self._read(manifest))
            for _, version, inner in value if _is_list(value) else ():
                found |= {match.decode() for match in _DIGEST.findall(version.encode())}
                if inner:
                    found |= {inner, *self._listed(inner)}
            self._lists[manifest] = frozenset(found)
        return self._lists[manifest]


def _parsed(body: bytes) -> Any:
    try:
        return parse_json(body)
    except InputError:
        return None


def _plain(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, list) and len(row) == 3 and all(isinstance(each, str) for each in row)
        for row in value
    )


def _manifests(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        manifest = value.get("manifest")
        if isinstance(manifest, str):
            yield manifest
        for inner in value.values():
            yield from _manifests(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _manifests(inner)
