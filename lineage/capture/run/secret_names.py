"""Names of what holds a secret: arguments, variables, settings."""

from __future__ import annotations

import re

__all__ = ["is_secret_name"]

_SECRET_WORDS = frozenset({
    "password", "passwords", "passwd", "passphrase", "pwd", "pass", "secret", "secrets", "token",
    "apikey", "credential", "credentials", "sas", "bearer", "authorization", "passin", "passout",
})  # fmt: skip
_SECRET_ENDS = (
    "password", "passwords", "passwd", "passphrase", "secret", "apikey", "apikeys", "secretkey",
    "accesskey", "privatekey", "accountkey", "authkey", "authtoken", "accesstoken", "apitoken",
)  # fmt: skip
"""Also as the end of a longer word: ``PGPASSWORD``."""
_SECRET_KEYS = frozenset({
    "api", "access", "secret", "private", "auth", "encryption", "account", "signing", "hmac",
    "subscription", "session",
})  # fmt: skip
"""Words that make a following ``key`` secret: ``api_key``, ``AWS_SECRET_ACCESS_KEY``."""
_SECRET_TOKENS = frozenset({
    "api", "access", "auth", "bearer", "refresh", "secret", "session", "service", "client",
    "github", "gitlab", "hf", "slack", "vault",
})  # fmt: skip
"""Words that make following ``tokens`` secret; others count words of text: ``max_tokens``."""
_HARMLESS_TOKENS = frozenset({
    "pad", "eos", "bos", "unk", "mask", "sep", "cls", "special", "stop", "start", "max", "min",
    "num", "per", "new", "next", "first", "last", "image", "image_token", "mean", "by",
})  # fmt: skip
"""Words before ``token`` that speak of text: ``--pad-token``, ``max_token``."""
_SWITCHES = frozenset({"use", "no", "with", "has", "enable", "disable", "skip", "ask", "prompt"})
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_LONGEST = 256
_ACCOUNT_KEY = re.compile(r"account[._]key\b", re.IGNORECASE)


def is_secret_name(name: str, *, switch: bool = False) -> bool:
    """Whether an argument or variable of that name holds a secret: by its last words.

    With ``switch`` it is an option that is asked whether it takes a secret as its value: then
    ``--use-auth-token`` takes none.
    """
    name = name[-_LONGEST:].removeprefix("-D")
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or (switch and words[0] in _SWITCHES):
        return False
    if _ACCOUNT_KEY.search(name):
        return True
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last == "token":
        return before not in _HARMLESS_TOKENS
    if last == "tokens":
        return not before or before in _SECRET_TOKENS
    if last in {"key", "keys"}:
        return before in _SECRET_KEYS
    return last in _SECRET_WORDS or last.endswith(_SECRET_ENDS)
