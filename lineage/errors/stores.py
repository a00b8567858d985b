"""What a store cannot do."""

from __future__ import annotations

from lineage.errors.base import LineageError

__all__ = [
    "NotAStoreError",
    "NotAsSealedError",
    "NotAuditedError",
    "OutcomeUnknownError",
    "PublishError",
    "ReadOnlyStoreError",
    "StoreAuthError",
    "StoreBehindError",
    "StoreBusyError",
    "StoreDamagedError",
    "StoreError",
    "StoreFullError",
    "StoreInUseError",
    "StoreKeyError",
    "StoreNewerError",
    "StoreTlsError",
    "StoreUnavailableError",
    "TamperedError",
]


class StoreError(LineageError):
    """The store cannot do what was asked."""

    code = "store-failed"
    exit_status = 74
    http_status = 503


class StoreBusyError(StoreError):
    """Somebody else holds the store; trying again will do."""

    code = "store-busy"
    retryable = True


class StoreNewerError(StoreError):
    """The store was written by a newer version of this program."""

    code = "store-newer"


class StoreDamagedError(StoreError):
    """The file is not a store, or it is broken."""

    code = "store-damaged"


class StoreFullError(StoreError):
    """No space left where the store lives."""

    code = "store-full"
    retryable = True
    http_status = 507


class StoreInUseError(StoreError):
    """A second service was started on one store file."""

    code = "store-in-use"
    exit_status = 75


class NotAuditedError(StoreError):
    """What is handed out cannot be noted in the audit log, so it is not handed out."""

    code = "not-audited"


class TamperedError(StoreError):
    """The ledger does not verify; ``where['position']`` is the first bad position."""

    code = "ledger-tampered"
    exit_status = 1


class NotAsSealedError(StoreError):
    """The ledger is shorter than a checkpoint of it, or was another then: nothing is appended.

    ``where`` has the checkpoint's ``size``, where it is ``kept``, and the ``entries`` there are.
    """

    code = "not-as-sealed"
    exit_status = 1


class PublishError(StoreError):
    """Checkpoints could not be published; they are kept, and published with the next one."""

    code = "not-published"
    retryable = True
    exit_status = 69


class ReadOnlyStoreError(StoreError):
    """An append on a store that was opened read-only."""

    code = "store-read-only"
    exit_status = 77


class StoreUnavailableError(StoreError):
    """The database that holds the store is away for now."""

    code = "store-unavailable"
    retryable = True
    exit_status = 69


class OutcomeUnknownError(StoreUnavailableError):
    """The database went away while it committed: recorded or not, only it can tell.

    The same entries can be appended again: those that are there are found by their event ids.
    """

    code = "outcome-unknown"


class StoreAuthError(StoreError):
    """The database does not let us in, or not do what a store does."""

    code = "store-auth"
    exit_status = 77


class StoreTlsError(StoreError):
    """No encrypted connection: one side does not speak TLS, or its certificate is not trusted."""

    code = "store-tls"
    exit_status = 69


class NotAStoreError(StoreError):
    """What answers at the address is no Neo4j, or it has no database of that name."""

    code = "not-a-store"
    exit_status = 64


class StoreBehindError(StoreError):
    """The database was written by an older version; it is not changed without being asked to."""

    code = "store-behind"


class StoreKeyError(StoreError):
    """The key is that of another store: what it names would look new."""

    code = "store-key"
    exit_status = 64
