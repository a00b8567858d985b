"""What a commit says about itself, made comparable: numbers are numbers, secrets are gone.

Spark writes metrics as strings and parameters as JSON in strings, delta-rs writes numbers. Anything
may hold a credential (a property, a location, a user's own note), so values are scrubbed before
they leave this module.
"""

from __future__ import annotations

import re
from typing import Any

from lineage.errors import InputError
from lineage.model.canonical import parse_json

__all__ = ["plain", "plain_mapping", "scrubbed"]

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\Z")
_SECRET_NAME = re.compile(
    r"secret|passw|token|credential|private|signature|account[._-]?key|access[._-]?key|api[._-]?key"
    r"|(?:^|[._-])(?:sas|pwd|sig|auth)(?:$|[._-])",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(?<=://)[^/\s:@?#]*:[^/\s@]+(?=@)")
_URL_SIGNATURE = re.compile(
    r"(?P<name>[?&](?:sig|signature|x-amz-signature|x-amz-credential|x-amz-security-token|token"
    r"|access_key|secret)=)[^&\s\"']+",
    re.IGNORECASE,
)
_ASSIGNED = re.compile(
    r"(?P<name>(?:secret|passw(?:or)?d|token|credential|api_?key)[\w.-]*[\"']?\s*[=:]\s*[\"']?)"
    r"[^\s\"',;&]+",
    re.IGNORECASE,
)
_SHAPES = re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_\w{36,}\b|\bdapi[0-9a-f]{32}\b")
_REDACTED = "***"
_MAX_TEXT = 8_192
_MAX_DEPTH = 8


def plain_mapping(values: Any) -> dict[str, Any]:
    """A mapping of a commit with :func:`plain` values; not a mapping: empty."""
    if not isinstance(values, dict):
        return {}
    return {
        text(name): _REDACTED if _SECRET_NAME.search(str(name)) else plain(value)
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
            text(name): _REDACTED
            if _SECRET_NAME.search(str(name))
            else plain(item, depth=depth + 1)
            for name, item in value.items()
            if name not in ("schemaString", "protocol")  # the schema has a field of its own
        }
    if isinstance(value, list):
        return [plain(item, depth=depth + 1) for item in value]
    return value


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
    value = _URL_PASSWORD.sub(_REDACTED, text(value))
    value = _URL_SIGNATURE.sub(rf"\g<name>{_REDACTED}", value)
    value = _ASSIGNED.sub(rf"\g<name>{_REDACTED}", value)
    value = _SHAPES.sub(_REDACTED, value)
    if len(value) > _MAX_TEXT:
        return f"{value[:_MAX_TEXT]}... ({len(value)} characters)"
    return value


def text(value: object) -> str:
    """Text that can be encoded: bytes of a name that are not UTF-8 become U+FFFD."""
    return str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
