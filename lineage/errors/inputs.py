"""What somebody set, sent or typed."""

from __future__ import annotations

from typing import Any

from lineage.errors.base import LineageError

__all__ = [
    "AmbiguousNameError",
    "BadCursorError",
    "ConfigError",
    "InputError",
    "MalformedError",
    "NotInstalledError",
    "PolicyError",
    "RefusedError",
    "SealKeyError",
    "TooLargeError",
    "UnknownNameError",
    "UnsupportedError",
]


class ConfigError(LineageError):
    """A setting or an argument is wrong."""

    code = "bad-setting"
    exit_status = 64
    http_status = 400


class NotInstalledError(ConfigError):
    """An optional part is not installed; the hint names the extra."""

    code = "not-installed"


class PolicyError(ConfigError):
    """A policy that is not understood: nothing is decided by it."""

    code = "bad-policy"


class SealKeyError(ConfigError):
    """There is no key to seal with, or it is not one that this ledger names."""

    code = "seal-key"


class UnsupportedError(ConfigError):
    """The platform or the host cannot do what was asked."""

    code = "unsupported-here"
    exit_status = 69


class InputError(LineageError):
    """What was sent or typed is not understood."""

    code = "bad-input"
    exit_status = 65
    http_status = 422


class MalformedError(InputError):
    """Input that cannot be parsed at all."""

    code = "malformed"
    http_status = 400


class TooLargeError(InputError):
    """Input over a limit."""

    code = "too-large"
    http_status = 413


class RefusedError(InputError):
    """Input that parses but means nothing: it goes to the dead-letter queue.

    ``code`` is given per instance, since each fault has a page of its own.
    """

    code = "refused"

    def __init__(
        self,
        message: str,
        *,
        code: str = "refused",
        hint: str = "",
        pointer: str = "",
        **where: Any,
    ) -> None:
        super().__init__(message, hint=hint, pointer=pointer, **where)
        self.code = code  # type: ignore[misc]  # per-instance code of the one open-ended family


class UnknownNameError(InputError):
    """Nothing is known by that id or name."""

    code = "not-found"
    exit_status = 66
    http_status = 404


class AmbiguousNameError(InputError):
    """A name means several things; ``where['candidates']`` lists their ids."""

    code = "ambiguous-name"
    exit_status = 66
    http_status = 409


class BadCursorError(InputError):
    """A page cursor that is not ours, or that belongs to another question."""

    code = "bad-cursor"
    http_status = 400
