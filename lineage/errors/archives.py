"""What an archive cannot do, and what cannot be restored."""

from __future__ import annotations

from lineage.errors.base import LineageError

__all__ = [
    "ArchiveBusyError",
    "ArchiveDamagedError",
    "ArchiveError",
    "ArchiveForeignError",
    "ArchiveFullError",
    "ArchiveUnavailableError",
    "NothingSealedError",
    "RestoreError",
    "RestoreOccupiedError",
]


class ArchiveError(LineageError):
    """The archive cannot do what was asked."""

    code = "archive-failed"
    exit_status = 74
    http_status = 503


class ArchiveUnavailableError(ArchiveError):
    """The place of the archive cannot be reached, or does not let us in."""

    code = "archive-unavailable"
    retryable = True
    exit_status = 69


class ArchiveBusyError(ArchiveError):
    """Others wrote to the archive each time that we tried to."""

    code = "archive-busy"
    retryable = True
    exit_status = 75


class ArchiveFullError(ArchiveError):
    """No space left where the archive is."""

    code = "archive-full"
    retryable = True


class ArchiveDamagedError(ArchiveError):
    """What is read from the archive is not what was written.

    ``where`` names ``position``, ``table`` and ``file`` as far as they are known.
    """

    code = "archive-damaged"
    exit_status = 1


class ArchiveForeignError(ArchiveError):
    """The archive is that of another ledger, or of one that was rewritten since."""

    code = "archive-foreign"
    exit_status = 1


class NothingSealedError(ArchiveError):
    """No checkpoint covers anything, and only what is sealed is archived."""

    code = "nothing-sealed"
    exit_status = 1


class RestoreError(LineageError):
    """A store cannot be restored from what was named."""

    code = "restore-failed"
    exit_status = 65


class RestoreOccupiedError(RestoreError):
    """The store to restore into holds something else than the beginning of what is restored."""

    code = "restore-occupied"
    exit_status = 75
