"""Secrets out of what is recorded: command lines, variables, URLs, diffs.

What is recognised: arguments and settings by their name, credentials in URLs, and tokens by their
published shapes. It replaces, never reformats: a diff keeps its lines and still applies, but for
the secret.
"""

from __future__ import annotations

import re

__all__ = ["HIDDEN", "is_secret_name", "scrub_arguments", "scrub_bytes", "scrub_text", "scrub_url"]

HIDDEN = "***"

_SECRET_WORDS = frozenset({
    "password", "passwd", "passphrase", "pwd", "pass", "secret", "secrets", "token", "apikey",
    "credential", "credentials", "sas",
})  # fmt: skip
_SECRET_ENDS = ("password", "passwd", "passphrase", "secret", "apikey")
"""Also as the end of a longer word: ``PGPASSWORD``."""
_SECRET_KEYS = frozenset({"api", "access", "secret", "private", "auth", "encryption", "account"})
"""Words that make a following ``key`` secret: ``api_key``, ``AWS_SECRET_ACCESS_KEY``."""
_HARMLESS_TOKENS = frozenset({
    "pad", "eos", "bos", "unk", "mask", "sep", "cls", "special", "stop", "start", "max", "min",
    "num", "per", "new", "next", "first", "last", "image", "image_token", "mean", "by",
})  # fmt: skip
"""Words before ``token`` that speak of text: ``--pad-token``, ``max_token``."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_USERINFO = re.compile(r"(?P<scheme>\b[A-Za-z][A-Za-z0-9+.-]*://)(?P<who>[^\s/?#@'\"]+)@")
_QUERY = re.compile(
    r"(?P<name>[?&;](?:[\w.-]*(?:token|secret|password|signature|credential|api_?key|"
    r"access_?key)[\w.-]*|sig|key|code)=)(?P<value>[^&\s'\"#;]+)",
    re.IGNORECASE,
)
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
_URL_BYTES = re.compile(rb"(\b[A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#@'\"]+:[^\s/?#@'\"]+@")


def is_secret_name(name: str) -> bool:
    """Whether an argument or variable of that name holds a secret: by its last words."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words:
        return False
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last == "token":
        return before not in _HARMLESS_TOKENS
    if last == "key":
        return before in _SECRET_KEYS
    return last in _SECRET_WORDS or last.endswith(_SECRET_ENDS)


def scrub_url(text: str) -> str:
    """URLs without passwords and signatures. A user name that stands alone is kept for ssh only."""

    def userinfo(found: re.Match[str]) -> str:
        user = found["who"].partition(":")[0]
        if found["scheme"].lower() in {"ssh://", "git+ssh://", "sftp://"}:
            return f"{found['scheme']}{user}@"
        return f"{found['scheme']}{HIDDEN}@"

    return _QUERY.sub(rf"\g<name>{HIDDEN}", _USERINFO.sub(userinfo, text))


def scrub_text(text: str) -> str:
    """Credentials in URLs and tokens of known shape, in any text."""
    raw = scrub_url(text).encode("utf-8", "surrogateescape")
    return _shapes(raw).decode("utf-8", "surrogateescape")


def scrub_arguments(arguments: list[str]) -> list[str]:
    """A command line without its secrets: ``--password=x``, ``--token x``, ``api_key=x``, URLs."""
    out: list[str] = []
    hide_next = False
    for argument in arguments:
        if hide_next and not argument.startswith("--"):
            out.append(HIDDEN)
            hide_next = False
            continue
        hide_next = False
        name, equals, value = argument.partition("=")
        if equals and value and is_secret_name(name) and not re.search(r"\s", name):
            out.append(f"{name}={HIDDEN}")
            continue
        hide_next = argument.startswith("-") and not equals and is_secret_name(argument)
        out.append(scrub_text(argument))
    return out


def scrub_bytes(data: bytes) -> bytes:
    """A diff or a source file without tokens, passwords in URLs and private keys.

    Line breaks stay where they are. Binary patches of git are left alone: their base 85 could look
    like anything.
    """
    parts = re.split(rb"(?m)(^GIT binary patch$.*?(?=^diff --git |\Z))", data, flags=re.DOTALL)
    return b"".join(part if n % 2 else _clean(part) for n, part in enumerate(parts))


def _clean(data: bytes) -> bytes:
    hidden = HIDDEN.encode()
    data = _PRIVATE_KEY.sub(_hide_key, data)
    return _shapes(_URL_BYTES.sub(rb"\g<1>" + hidden + b"@", data))


def _hide_key(found: re.Match[bytes]) -> bytes:
    text = _KEY_TEXT.sub(lambda m: (m[1] or b"") + HIDDEN.encode(), found[2])
    return found[1] + text + found[3]


def _shapes(raw: bytes) -> bytes:
    return _SHAPES.sub(HIDDEN.encode(), raw)
