"""Owners that may not be changed so, and runs that cannot be made again."""

from __future__ import annotations

from typing import Any

from lineage.errors.base import LineageError

__all__ = [
    "CannotPinError",
    "IsolationError",
    "OwnershipError",
    "PinNeedsCopyError",
    "ReproduceError",
    "VacuumRefusedError",
    "VersionLostError",
]


class OwnershipError(LineageError):
    """An ownership change that the rules do not allow.

    ``code`` is given per instance, since each rule has a page of its own.
    """

    code = "ownership-refused"
    exit_status = 65
    http_status = 422

    def __init__(
        self, message: str, *, code: str = "ownership-refused", hint: str = "", **where: Any
    ) -> None:
        super().__init__(message, hint=hint, **where)
        self.code = code  # type: ignore[misc]  # per-instance code, as of RefusedError


class ReproduceError(LineageError):
    """A run cannot be re-run."""

    code = "cannot-reproduce"
    http_status = 422


class VersionLostError(ReproduceError):
    """Files of a recorded version are gone; ``where['files']`` names them."""

    code = "version-lost"


class CannotPinError(ReproduceError):
    """A table version cannot be kept in a pin."""

    code = "cannot-pin"


class PinNeedsCopyError(ReproduceError):
    """Neither links nor reflinks are possible; ``where['bytes']`` is what a copy would need."""

    code = "pin-needs-copy"


class VacuumRefusedError(ReproduceError):
    """A vacuum would lose versions that runs used; ``where['lost']`` names them."""

    code = "vacuum-refused"


class IsolationError(ReproduceError):
    """The host refuses the isolation that was asked for."""

    code = "isolation-unavailable"
    exit_status = 69
