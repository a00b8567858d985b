"""Public keys as commands take them: the line, or a file of lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from lineage.errors import BadNoteError, ConfigError
from lineage.model.keys import PublicKey

__all__ = ["public_keys"]

_HINT = "give NAME+ID+BASE64, or a file that `lineage ledger keys --public` wrote"


def public_keys(words: Iterable[str]) -> list[PublicKey]:
    """The keys that were named. Raises ``ConfigError``, ``BadNoteError``."""
    return [key for word in words for key in _keys(word)]


def _keys(word: str) -> Iterator[PublicKey]:
    path = Path(word)
    try:
        text = path.read_text("utf-8") if path.is_file() else None
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigError(f"{word} cannot be read: {fault}", hint=_HINT) from fault
    if text is None:
        if word.count("+") < 2:
            raise ConfigError(f"no such file, and no public key: {word}", hint=_HINT)
        yield PublicKey.of_text(word)
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and line[0] != "#":
            try:
                yield PublicKey.of_text(line.strip())
            except BadNoteError as fault:
                what = f"{word}, line {number}: {fault.message}"
                raise BadNoteError(what, hint=_HINT) from fault
