"""Secrets out of source, settings and diffs that are kept.

A diff keeps its lines and still applies, but for the secret. Only literals are hidden in source, so
that it still runs; files of settings are read as texts, too.
"""

from __future__ import annotations

import posixpath
import re

from lineage.capture.run.secret_spans import cut, hide_shapes, secrets_of_source, secrets_of_text
from lineage.capture.run.urls import HIDDEN, scrub_url

__all__ = ["SETTINGS_SUFFIXES", "scrub_bytes"]

SETTINGS_SUFFIXES = frozenset({
    ".cfg", ".conf", ".env", ".ini", ".json", ".md", ".properties", ".rst", ".sql", ".template",
    ".toml", ".yaml", ".yml",
})  # fmt: skip
"""Suffixes of files with settings: a secret stands in them without quotes, too."""
_PRIVATE_KEY = re.compile(
    rb"(-----BEGIN [A-Z ]*PRIVATE KEY-----)(.*?)(-----END [A-Z ]*PRIVATE KEY-----)", re.DOTALL
)
_KEY_TEXT = re.compile(rb"(^[ +-])?[A-Za-z0-9+/=]{16,}", re.MULTILINE)
"""The first character of a line may be that of a diff."""
_SHELL_SUFFIXES = frozenset({".sh", ".bash", ".zsh"})
_BEARER_LITERAL = re.compile(r"\b(Bearer[ \t]+|Basic[ \t]+)[\w.~+/=-]{16,}+")
_FILES_OF_DIFF = re.compile(rb"(?m)^(?=diff --git )")


def scrub_bytes(data: bytes, name: str = "") -> bytes:
    """A diff or a source file without tokens, passwords and private keys.

    ``name`` is that of the file; files of a diff are told by their own. Line breaks stay where
    they are. Binary patches of git are left alone: their base 85 could look like anything.
    """
    out: list[bytes] = []
    for file in _FILES_OF_DIFF.split(data):
        called = name
        if file.startswith(b"diff --git "):
            head = file.partition(b"\n")[0].decode("latin-1")
            called = head.rstrip('"').rpartition(" b/")[2] or head
        text, binary, patch = _parted(file)
        out += (_clean(text, called), binary, patch)
    return b"".join(out)


def _parted(file: bytes) -> tuple[bytes, bytes, bytes]:
    mark = b"\nGIT binary patch\n"
    return file.partition(mark) if file.startswith(b"diff --git ") else (file, b"", b"")


def _clean(data: bytes, name: str) -> bytes:
    data = _PRIVATE_KEY.sub(_hide_key, data)
    text = data.decode("latin-1")
    text = _BEARER_LITERAL.sub(rf"\g<1>{HIDDEN}", scrub_url(text, source=True))
    base = posixpath.basename(name)
    suffix = posixpath.splitext(base)[1].lower()
    settings = suffix in SETTINGS_SUFFIXES or base.startswith(".env")
    if suffix in _SHELL_SUFFIXES or base in {"Dockerfile", "Makefile"}:
        text = cut(text, secrets_of_text(text, computed="$`"))
    text = cut(text, secrets_of_source(text, settings=settings))
    return hide_shapes(text.encode("latin-1"))


def _hide_key(found: re.Match[bytes]) -> bytes:
    text = _KEY_TEXT.sub(lambda m: (m[1] or b"") + HIDDEN.encode(), found[2])
    return found[1] + text + found[3]
