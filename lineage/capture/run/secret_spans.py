"""Where secrets stand in a text: after their names, or by the shapes that tokens have.

On a command line, in a variable or a name, whatever follows a secret's name is one. In source only
literals are: ``password = ask()`` is code, and has to run again. Every pattern takes time in
proportion to the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lineage.capture.run.secret_names import is_secret_name
from lineage.capture.run.urls import HIDDEN

__all__ = ["Span", "cut", "hide_shapes", "secrets_of_source", "secrets_of_text"]

Span = tuple[int, int, str]
"""From, to, and what is put there."""

_SHAPES = re.compile(
    rb"""
      \b(?:AKIA|ASIA|AGPA|AIDA|AROA)[0-9A-Z]{16}\b              # AWS access key id
    | (?i:aws_secret_access_key['"]?\s*[=:]\s*['"]?)[A-Za-z0-9/+=]{40}
    | \bgh[pousr]_[A-Za-z0-9]{36,}\b | \bgithub_pat_\w{22,}     # GitHub
    | \bglpat-[\w-]{20,}                                        # GitLab
    | \bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,}                    # OpenAI, Anthropic
    | \bhf_[A-Za-z0-9]{30,}\b                                   # Hugging Face
    | \bxox[abprs]-[A-Za-z0-9-]{10,}                            # Slack
    | \bAIza[\w-]{35}                                           # Google
    | \bya29\.[\w-]{20,}
    | \bnpm_[A-Za-z0-9]{36}\b | \bpypi-AgE[\w-]{50,}            # registries
    | \bdapi[0-9a-f]{32}\b                                      # Databricks
    | \beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}                   # JSON Web Token
    """,
    re.VERBOSE,
)
_SEP = r"(?P<sep>\\{0,4}[\"']?\]?[ \t]{0,8}(?:%s:=|=>|<-|=(?![=>])|:(?!:))[ \t]{0,8})"
_NAMED = re.compile(r"(?<![\w.-])(?P<name>[\w.-]++)" + _SEP % "", re.ASCII)
"""A name, and what stands between it and its value: ``"password": ``."""
_NAMED_IN_SOURCE = re.compile(
    r"(?<![\w.-])(?P<name>[\w.-]++)" + _SEP % r":[ \t]?[\w.]{1,40}[ \t]?=(?!=)|", re.ASCII
)
"""Also with a type between: ``password: str = ``."""
_OPTION = re.compile(r"(?<![\w.-])(-++[A-Za-z][\w.-]*+)[ \t]{1,8}", re.ASCII)
_LITERAL = r"""(?: \\+["'][^"'\\]*+(?:\\+["'])? | "(?:[^"\\]|\\.)*+"? | '(?:[^'\\]|\\.)*+'? )"""
_VALUE = re.compile(
    rf"""\[[^\]]*+\]? | {_LITERAL}(?:{_LITERAL}|[^\s;&"'\\,}})\]])*+
    | (?:[^\s;&"'\\]|\\.|{_LITERAL})++""",
    re.DOTALL | re.VERBOSE,
)
_QUOTED = re.compile(
    r"""[rbfuRBFU]{0,2}(?: \\+["'](?P<e>[^"'\\\r\n]*+)
    | (?:\"{3}|\")(?P<d>(?:[^"\\\r\n]|\\.)*+) | (?:'{3}|')(?P<s>(?:[^'\\\r\n]|\\.)*+) )""",
    re.VERBOSE,
)
_FLAG_VALUE = re.compile(r"[^\s\"'`;&\\),]++")
_PLAIN = re.compile(r"[^\s#\"'][^\r\n]*+")
_REST_OF_LINE = re.compile(r"[^\"'\r\n]++")
_CALL = re.compile(r"[A-Za-z_][\w.]*+\(", re.ASCII)
_REFERENCE = re.compile(r"\"?\$(?:\{[A-Za-z_]\w*+\}|[A-Za-z_]\w*+)\"?\Z", re.ASCII)
_TEMPLATE = re.compile(r"\$?\{[^{}]*\}|\{\{[^{}]*\}\}|%s|%\(\w+\)s|<[^<>]*>|\*+")
_HEADERS = frozenset({"authorization", "proxy-authorization"})
_SHORTEST_TOKEN = 8
"""``token = "<s>"`` in source is text, not a secret."""


def hide_shapes(data: bytes) -> bytes:
    """Without tokens of known shape, whatever they are called."""
    return _SHAPES.sub(HIDDEN.encode(), data)


def cut(text: str, spans: Iterator[Span]) -> str:
    """The text with spans replaced; of two that overlap the first one counts, to the later end."""
    parts, at = list[str](), 0
    for start, end, put in sorted(spans):
        if start >= at:
            parts += (text[at:start], put)
        at = max(at, end)
    return "".join((*parts, text[at:]))


def secrets_of_text(text: str, computed: str = "") -> Iterator[Span]:
    """Where values of secret names are, with or without quotes.

    Those that begin with a character of ``computed`` stay: ``TOKEN=$(ask)`` in a script.
    """
    at = 0
    for found in _NAMED.finditer(text):
        if found.end() < at or not is_secret_name(found["name"]):
            continue
        if found["sep"] == " = " and _CALL.match(text, found.end()):
            continue
        header = found["name"].lower() in _HEADERS
        value = (_REST_OF_LINE if header else _VALUE).match(text, found.end())
        if value is None:
            continue
        at = value.end()
        if not _is_asked_for(value[0], computed):
            yield value.start(), at, HIDDEN
    at = 0
    for option in _OPTION.finditer(text):
        if option.end() < at or len(option[1]) <= 2:
            continue
        if is_secret_name(option[1], switch=True):
            value = _VALUE.match(text, option.end())
            if value is not None and not _is_asked_for(value[0], computed):
                at = value.end()
                yield value.start(), at, HIDDEN


def secrets_of_source(text: str, *, settings: bool) -> Iterator[Span]:
    """Where literals are that a secret's name is given: ``password='x'``, ``"password": "x"``."""
    at = 0
    for found in _NAMED_IN_SOURCE.finditer(text):
        name, begin = found["name"], found.end()
        if begin < at or not is_secret_name(name):
            continue
        # As in --password=x and AccountName=a;AccountKey=x, inside of a longer literal.
        inside = found["sep"] == "=" and (
            name.startswith("--") or text[found.start() - 1 : found.start()] == ";"
        )
        if value := _QUOTED.match(text, begin):
            start, at = value.span(value.lastgroup or 0)
        elif settings and (value := _PLAIN.match(text, begin)):
            start, at = begin, begin + len(value[0].rstrip(" \r,"))
        elif inside and (value := _FLAG_VALUE.match(text, begin)):
            start, at = value.span()
        else:
            continue
        if _is_literal(text[start:at], name, settings=settings):
            yield start, at, HIDDEN


def _is_asked_for(value: str, computed: str) -> bool:
    if _REFERENCE.match(value):
        return True
    return bool(computed) and value.lstrip('"')[:1] in set(computed)


def _is_literal(text: str, name: str, *, settings: bool) -> bool:
    if _is_nothing(text):
        return False
    short = len(text) < _SHORTEST_TOKEN and name.lower().endswith(("token", "tokens"))
    return settings or not short


def _is_nothing(text: str) -> bool:
    """Whether a value is empty, or only says where the real one is."""
    if text.lower() in {
        "null",
        "none",
        "true",
        "false",
        "{",
        "[",
        "[]",
        "{}",
        "|",
        ">",
        "str",
        "string",
    }:
        return True
    return not _TEMPLATE.sub("", text).strip() or _REFERENCE.match(text) is not None
