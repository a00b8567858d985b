"""The root of all errors."""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "LineageError",
]


class LineageError(Exception):
    """Root of every error: says what, where, and what to do next.

    ``code`` is the stable name of the error (a page in ``docs/errors/``), ``hint`` is advice for a
    person, ``pointer`` a JSON pointer into the input where there is one, ``where`` further facts.
    """

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    exit_status: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, hint: str = "", pointer: str = "", **where: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.pointer = pointer
        self.where = where

    def as_dict(self) -> dict[str, Any]:
        """The error as plain data: ``code``, ``message``, ``docs`` and what else is known."""
        out: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.hint:
            out["hint"] = self.hint
        if self.pointer:
            out["pointer"] = self.pointer
        if self.where:
            out["where"] = self.where
        out["docs"] = f"docs/errors/{self.code}.md"
        return out
