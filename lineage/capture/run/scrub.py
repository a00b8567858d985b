"""Secrets out of what is recorded: command lines, variables, URLs, names.

What is recognised: arguments and settings by their name, credentials in URLs and headers, and
tokens by their published shapes. It replaces, never reformats.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

from lineage.capture.run.secret_names import is_secret_name
from lineage.capture.run.secret_spans import cut, hide_shapes, secrets_of_text
from lineage.capture.run.urls import HIDDEN, scrub_url

__all__ = ["HIDDEN", "scrub_arguments", "scrub_path", "scrub_text"]

_WORD = re.compile(r"(-{0,2}[+~]{0,2}[\w./@-]++)=", re.ASCII)
"""``--name=``, ``name=`` at the begin of an argument."""
_SWITCH = re.compile(r"-++[A-Za-z][\w.-]*+[ \t]{0,7}", re.ASCII)
_BEARER = re.compile(r"\b(Bearer[ \t]+)[\w.~+/=-]++", re.IGNORECASE)
_BASIC = re.compile(r"\b(Basic[ \t]+)[\w.~+/=-]{12,}+")
_CURL = re.compile(r"\bcurl(?:\.exe)?\b")
_CURL_USER = re.compile(
    r"(?<![\w-])((?:-[a-zA-Z]*[uU]|--user|--proxy-user)[ =]?[\"']?[^\s:\"'=]*+:)[^\s\"']++"
)
_IS_CURL_USER = frozenset({"-u", "-U", "--user", "--proxy-user"})


def scrub_text(text: str) -> str:
    """Any text that is not source: a script of a shell, the value of a variable, a name."""
    text = _BASIC.sub(rf"\g<1>{HIDDEN}", _BEARER.sub(rf"\g<1>{HIDDEN}", scrub_url(text)))
    if _CURL.search(text):
        text = _CURL_USER.sub(rf"\g<1>{HIDDEN}", text)
    text = cut(text, secrets_of_text(text))
    return _shapes(text)


def _shapes(text: str) -> str:
    raw = text.encode("utf-8", "surrogateescape")
    return hide_shapes(raw).decode("utf-8", "surrogateescape")


def scrub_path(path: str) -> str:
    """A path or a name of a table: each part by itself. ``token=ETH`` is how data are parted."""
    parts = scrub_url(path).split("/")
    return "/".join(
        _shapes(part) if part.startswith("token=") else scrub_text(part) for part in parts
    )


def scrub_arguments(arguments: list[str]) -> list[str]:
    """A command line without its secrets: ``--password=x``, ``--token x``, ``-e api_key=x``, URLs.

    ``-u user:x`` is a password after ``curl`` only: elsewhere it is a user and a group.
    """
    out: list[str] = []
    before, curl = "", False
    for argument in arguments:
        if _takes_secret(before):
            out.append(HIDDEN)
        elif curl and before in _IS_CURL_USER and ":" in argument:
            out.append(f"{argument.partition(':')[0]}:{HIDDEN}")
        elif curl and _CURL_USER.match(argument):
            out.append(_CURL_USER.sub(rf"\g<1>{HIDDEN}", argument))
        else:
            out.append(_argument(argument))
        curl = curl or posixpath.basename(argument) == "curl"
        before = argument
    return out


def _takes_secret(word: str) -> bool:
    """Whether what comes after an argument is a secret, whatever it looks like."""
    if word.lower() == "bearer":
        return True
    if word.endswith(":") and is_secret_name(word):
        return " " not in word
    return (
        len(word) > 2 and _SWITCH.fullmatch(word) is not None and is_secret_name(word, switch=True)
    )


def _argument(text: str) -> str:
    """One argument: ``name=value`` to any depth, JSON, and text."""
    at = 0
    while found := _WORD.match(text, at):
        at = found.end()
        if at < len(text) and is_secret_name(found[1]):
            return _unnamed(text[:at]) + HIDDEN
    return _unnamed(text[:at]) + _json(text[at:])


def _unnamed(text: str) -> str:
    return "=".join(scrub_text(part) for part in text.split("="))


def _json(text: str) -> str:
    """JSON is read as such: escapes may hide a name. Any other text is text."""
    if text[:1] in {"{", "["}:
        import json  # seldom needed, and the job waits

        try:
            value = json.loads(text)
            clean = _clean_value(value)
        except (ValueError, RecursionError):
            return scrub_text(text)
        return text if clean == value else json.dumps(clean, separators=(",", ":"))
    return scrub_text(text)


def _clean_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            scrub_text(name): HIDDEN if is_secret_name(name) else _clean_value(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_clean_value(inner) for inner in value]
    return _argument(value) if isinstance(value, str) else value
