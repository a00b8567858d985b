"""Credentials in URLs: user and password, and parameters that open doors."""

from __future__ import annotations

import re

__all__ = ["HIDDEN", "scrub_url"]

HIDDEN = "***"

_QUERY = re.compile(r"(?P<start>[?&;](?P<name>[\w.-]++)=)(?P<value>[^&\s'\"#;]++)")
_SECRET_QUERY = re.compile(
    r"token|secret|password|signature|credential|api_?key|access_?key|\A(?:sig|key|code)\Z",
    re.IGNORECASE,
)
_RUN = re.compile(r"[^\s'\"<>`]*+")
_WIDE = re.compile(r"\S*+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}\Z")
_AUTHORITY = re.compile(r"[^/?#]*+")
_TEMPLATE = re.compile(r"\$?\{[^{}]*\}|%s|%\(\w+\)s|\$\w+")
_KEEP_USER = frozenset({"ssh", "git+ssh", "sftp"})


def scrub_url(text: str, *, source: bool = False) -> str:
    """URLs without passwords and signatures. A user name that stands alone is kept for ssh only.

    A password may hold any character but white space, so it goes as far as the last ``@``. In
    ``source`` what is filled in when it runs (``{password}``) stays, and a user without a password.
    """
    parts, done, end, last = list[str](), 0, -1, -1
    at = text.find("://")
    wide = not source and _SCHEME.match(text[: max(at, 0)]) is not None
    while at >= 0:
        start = at + 3
        if start > end:
            end = (_WIDE if wide else _RUN).match(text, start).end()  # type: ignore[union-attr]
            last = text.rfind("@", start, end)
        cut = _end_of_user(text, start, end, last, source=source) if last >= start else -1
        if cut >= 0:
            parts += (text[done:start], _shown_user(text, at, cut))
            done = cut
        at = text.find("://", max(start, cut))
    return _QUERY.sub(_shown_query, "".join((*parts, text[done:])))


def _shown_query(found: re.Match[str]) -> str:
    if not _SECRET_QUERY.search(found["name"]) or not _TEMPLATE.sub("", found["value"]):
        return found[0]
    return found["start"] + HIDDEN


def _end_of_user(text: str, start: int, end: int, last: int, *, source: bool) -> int:
    """Where the ``@`` after user and password is, or -1 where there is none."""
    authority = _AUTHORITY.match(text, start, end)
    said = authority[0] if authority else ""
    user, colon, rest = said.partition(":")
    if "@" in user or (not colon and "@" in said):
        return -1 if source else start + said.rfind("@")
    if not colon or said.startswith("["):
        return -1
    if "@" not in rest and (not rest or rest.isdigit()):
        return -1  # a port
    password = text[start + len(user) + 1 : last]
    if source and not _TEMPLATE.sub("", password).strip("@:/"):
        return -1
    return last


def _shown_user(text: str, at: int, cut: int) -> str:
    scheme = _SCHEME.search(text, max(0, at - 32), at)
    if scheme and scheme[0].lower() in _KEEP_USER:
        return re.split("[:@]", text[at + 3 : cut], maxsplit=1)[0]
    return HIDDEN
