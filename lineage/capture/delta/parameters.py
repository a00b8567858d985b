"""What a commit says about itself, made comparable: numbers are numbers, secrets are gone.

Spark writes metrics as strings and parameters as JSON in strings, delta-rs writes numbers. Anything
may hold a credential (a property, a location, a user's own note), so values are scrubbed before
they leave this module.
"""

from __future__ import annotations

import re
from typing import Any

from lineage.capture.run.scrub import HIDDEN, scrub_text
from lineage.capture.run.secret_names import is_secret_name
from lineage.errors import InputError
from lineage.model.canonical import parse_json

__all__ = ["plain", "plain_mapping", "scrubbed"]

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\Z")
_FURTHER_NAMES = re.compile(
    r"private|signature|access[._-]?key|(?:^|[._-])(?:sig|auth)(?:$|[._-])", re.IGNORECASE
)
"""Settings of tables and connectors that are hidden besides those that commands have."""
_MAX_TEXT = 8_192
_MAX_DEPTH = 8


def plain_mapping(values: Any) -> dict[str, Any]:
    """A mapping of a commit with :func:`plain` values; not a mapping: empty."""
    if not isinstance(values, dict):
        return {}
    return {
        text(name): HIDDEN if _is_secret(str(name)) else plain(value)
        for name, value in values.items()
    }


def plain(value: Any, *, depth: int = 0) -> Any:
    """A value with numbers and JSON that stand in strings taken out of them, and no secrets."""
    if isinstance(value, str):
        return _from_text(value, depth)
    if depth >= _MAX_DEPTH:
        return scrubbed(str(value))
    if isinstance(value, dict):
        return {
            text(name): HIDDEN if _is_secret(str(name)) else plain(item, depth=depth + 1)
            for name, item in value.items()
            if name not in ("schemaString", "protocol")  # the schema has a field of its own
        }
    if isinstance(value, list):
        return [plain(item, depth=depth + 1) for item in value]
    return value


def _is_secret(name: str) -> bool:
    return is_secret_name(name) or _FURTHER_NAMES.search(name) is not None


def _from_text(value: str, depth: int) -> Any:
    if _INTEGER.match(value):
        return int(value)
    if value in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[value]
    if value[:1] in ("[", "{") and depth < _MAX_DEPTH:
        try:
            inner = parse_json(value)
        except InputError:
            return scrubbed(value)
        return plain(inner, depth=depth + 1)
    return scrubbed(value)


def scrubbed(value: str) -> str:
    """Text without credentials, at most 8,192 characters of it."""
    value = scrub_text(text(value))
    if len(value) > _MAX_TEXT:
        return f"{value[:_MAX_TEXT]}... ({len(value)} characters)"
    return value


def text(value: object) -> str:
    """Text that can be encoded: bytes of a name that are not UTF-8 become U+FFFD."""
    return str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
