"""Secrets out of what is recorded: command lines, variables, URLs, diffs, names.

What is recognised: arguments and settings by their name, credentials in URLs and headers, and
tokens by their published shapes. It replaces, never reformats: a diff keeps its lines and still
applies, but for the secret. Every pattern takes time in proportion to the text.

There are two ways to read a text. On a command line, in a variable or a name, whatever follows a
secret's name is hidden. In source only literals are: ``password = ask()`` is code, and has to run
again. Files of settings are read in both.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any

from lineage.capture.run.secret_names import is_secret_name
from lineage.capture.run.urls import HIDDEN, scrub_url

__all__ = [
    "HIDDEN", "SETTINGS_SUFFIXES", "is_secret_name", "scrub_arguments", "scrub_bytes",
    "scrub_path", "scrub_text", "scrub_url",
]  # fmt: skip

SETTINGS_SUFFIXES = frozenset({
    ".cfg", ".conf", ".env", ".ini", ".json", ".md", ".properties", ".rst", ".sql", ".template",
    ".toml", ".yaml", ".yml",
})  # fmt: skip
"""Suffixes of files with settings: a secret stands in them without quotes, too."""

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
_PRIVATE_KEY = re.compile(
    rb"(-----BEGIN [A-Z ]*PRIVATE KEY-----)(.*?)(-----END [A-Z ]*PRIVATE KEY-----)", re.DOTALL
)
_KEY_TEXT = re.compile(rb"(^[ +-])?[A-Za-z0-9+/=]{16,}", re.MULTILINE)
"""The first character of a line may be that of a diff."""
_WORD = re.compile(r"(-{0,2}[+~]{0,2}[\w./@-]++)=", re.ASCII)
"""``--name=``, ``name=`` at the begin of an argument."""
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
_SHELL_SUFFIXES = frozenset({".sh", ".bash", ".zsh"})
_CALL = re.compile(r"[A-Za-z_][\w.]*+\(", re.ASCII)
_REFERENCE = re.compile(r"\"?\$(?:\{[A-Za-z_]\w*+\}|[A-Za-z_]\w*+)\"?\Z", re.ASCII)
_TEMPLATE = re.compile(r"\$?\{[^{}]*\}|\{\{[^{}]*\}\}|%s|%\(\w+\)s|<[^<>]*>|\*+")
_BEARER = re.compile(r"\b(Bearer[ \t]+)[\w.~+/=-]++", re.IGNORECASE)
_BEARER_LITERAL = re.compile(r"\b(Bearer[ \t]+|Basic[ \t]+)[\w.~+/=-]{16,}+")
_BASIC = re.compile(r"\b(Basic[ \t]+)[\w.~+/=-]{12,}+")
_CURL = re.compile(r"\bcurl(?:\.exe)?\b")
_CURL_USER = re.compile(
    r"(?<![\w-])((?:-[a-zA-Z]*[uU]|--user|--proxy-user)[ =]?[\"']?[^\s:\"'=]*+:)[^\s\"']++"
)
_IS_CURL_USER = frozenset({"-u", "-U", "--user", "--proxy-user"})
_HEADERS = frozenset({"authorization", "proxy-authorization"})
_FILES_OF_DIFF = re.compile(rb"(?m)^(?=diff --git )")
_SHORTEST_TOKEN = 8
"""``token = "<s>"`` in source is text, not a secret."""


def scrub_text(text: str) -> str:
    """Any text that is not source: a script of a shell, the value of a variable, a name."""
    text = _BASIC.sub(rf"\g<1>{HIDDEN}", _BEARER.sub(rf"\g<1>{HIDDEN}", scrub_url(text)))
    if _CURL.search(text):
        text = _CURL_USER.sub(rf"\g<1>{HIDDEN}", text)
    text = _cut(text, _secrets_of_text(text))
    return _shapes(text)


def _shapes(text: str) -> str:
    raw = text.encode("utf-8", "surrogateescape")
    return _SHAPES.sub(HIDDEN.encode(), raw).decode("utf-8", "surrogateescape")


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
        len(word) > 2
        and _OPTION.fullmatch(f"{word} ") is not None
        and is_secret_name(word, switch=True)
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


Span = tuple[int, int, str]


def _cut(text: str, spans: Iterator[Span]) -> str:
    """The text with spans replaced; of two that overlap the first one counts, to the later end."""
    parts, at = list[str](), 0
    for start, end, put in sorted(spans):
        if start >= at:
            parts += (text[at:start], put)
        at = max(at, end)
    return "".join((*parts, text[at:]))


def _secrets_of_text(text: str, computed: str = "") -> Iterator[Span]:
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


def _is_asked_for(value: str, computed: str) -> bool:
    if _REFERENCE.match(value):
        return True
    return bool(computed) and value.lstrip('"')[:1] in set(computed)


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
        text = _cut(text, _secrets_of_text(text, computed="$`"))
    text = _cut(text, _secrets_of_source(text, settings=settings))
    return _SHAPES.sub(HIDDEN.encode(), text.encode("latin-1"))


def _secrets_of_source(text: str, *, settings: bool) -> Iterator[Span]:
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


def _hide_key(found: re.Match[bytes]) -> bytes:
    text = _KEY_TEXT.sub(lambda m: (m[1] or b"") + HIDDEN.encode(), found[2])
    return found[1] + text + found[3]
