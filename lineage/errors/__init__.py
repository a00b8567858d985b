"""Every error this package raises on purpose, as one tree.

::

    LineageError
      ConfigError            a setting or an argument is wrong
        NotInstalledError    an optional part is missing; names the extra
        PolicyError          a policy file that is not understood
        SealKeyError         no key to seal with, or not one of this ledger
        UnsupportedError     this platform or host cannot do it
      InputError             what was sent or typed is not understood
        MalformedError       cannot be parsed at all (counted, not kept)
        TooLargeError        over a limit (counted, not kept)
        RefusedError         parseable, not understandable (kept in the dead-letter queue)
        UnknownNameError     nothing by that id or name
        AmbiguousNameError   a name means several things; lists them
        BadCursorError       a page cursor that is not ours or of another question
      StoreError             the store cannot do it
        StoreBusyError*      somebody else holds it; try again
        StoreNewerError      written by a newer version
        StoreDamagedError    the file is not a store, or is broken
        StoreFullError*      no space, no quota
        StoreInUseError      a second service on one file
        NotAuditedError      what is handed out cannot be noted first
        TamperedError        the ledger does not verify; names the first bad position
        NotAsSealedError     the ledger lacks or contradicts what was sealed: it takes nothing
        PublishError*        checkpoints could not be put where they are published
        ReadOnlyStoreError   an append on a store opened read-only
        StoreUnavailableError*  the database is away
          OutcomeUnknownError*  it went away while it committed: ask again, by event id
        StoreAuthError       the database does not let us in
        StoreTlsError        one side speaks TLS and the other does not, or whom it proves to be
        NotAStoreError       what answers is no Neo4j, or has no such database
        StoreBehindError     the database needs `lineage migrate`
        StoreKeyError        the key is that of another store
      ArchiveError           the archive cannot do it
        ArchiveUnavailableError*  its place cannot be reached
        ArchiveBusyError*    others write to it all the time
        ArchiveFullError*    no space, no quota
        ArchiveDamagedError  what is read is not what was written; names position, table and file
        ArchiveForeignError  it is the archive of another ledger
        NothingSealedError   there is no checkpoint to archive up to
      RestoreError           a store cannot be restored
        RestoreOccupiedError the store holds something else
      CaptureError           a source cannot be read
        SourceUnavailableError*
        BrokerRefusedError   a Kafka broker does not let us in
        LogGapError          a stretch of a source was lost
        SpoolError*          captured changes cannot be kept on local disk
          SpoolFullError*    no space there, or as much as it may take
        DeliveryError*       the service that changes go to is away or refuses us
        TornCommitError      a commit of a table's log is cut off or empty
      ProofError             what was handed over as evidence does not hold
        BadNoteError         no signed note, checkpoint or key
        BadSignatureError    a signature does not hold, or none is by a known key
        InconsistentError    a log contradicts what it signed before
        WentBackError        a log shows fewer entries than it did
        AnotherSizeError*    a witness saw another checkpoint last; says which
      OwnershipError         an ownership change that is not allowed
      ReproduceError         a run cannot be re-run
        VersionLostError     files of a pinned version are gone; names them
        CannotPinError       a table version cannot be kept; says why
        PinNeedsCopyError    no links here: says what a copy would cost
        VacuumRefusedError   a vacuum would lose recorded versions; names them
        IsolationError       this host refuses the isolation asked for
                                                              * = retryable

Names end in ``Error``. ``code`` is stable, kebab-case, and the name of a page in
``docs/errors/``.
"""

from __future__ import annotations

from lineage.errors.archives import (
    ArchiveBusyError,
    ArchiveDamagedError,
    ArchiveError,
    ArchiveForeignError,
    ArchiveFullError,
    ArchiveUnavailableError,
    NothingSealedError,
    RestoreError,
    RestoreOccupiedError,
)
from lineage.errors.base import (
    LineageError,
)
from lineage.errors.inputs import (
    AmbiguousNameError,
    BadCursorError,
    ConfigError,
    InputError,
    MalformedError,
    NotInstalledError,
    PolicyError,
    RefusedError,
    SealKeyError,
    TooLargeError,
    UnknownNameError,
    UnsupportedError,
)
from lineage.errors.proofs import (
    AnotherSizeError,
    BadNoteError,
    BadSignatureError,
    InconsistentError,
    ProofError,
    WentBackError,
)
from lineage.errors.runs import (
    CannotPinError,
    IsolationError,
    OwnershipError,
    PinNeedsCopyError,
    ReproduceError,
    VacuumRefusedError,
    VersionLostError,
)
from lineage.errors.sources import (
    BrokerRefusedError,
    CaptureError,
    DeliveryError,
    LogGapError,
    SourceUnavailableError,
    SpoolError,
    SpoolFullError,
    TornCommitError,
)
from lineage.errors.stores import (
    NotAsSealedError,
    NotAStoreError,
    NotAuditedError,
    OutcomeUnknownError,
    PublishError,
    ReadOnlyStoreError,
    StoreAuthError,
    StoreBehindError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreFullError,
    StoreInUseError,
    StoreKeyError,
    StoreNewerError,
    StoreTlsError,
    StoreUnavailableError,
    TamperedError,
)

__all__ = [
    "AmbiguousNameError",
    "AnotherSizeError",
    "ArchiveBusyError",
    "ArchiveDamagedError",
    "ArchiveError",
    "ArchiveForeignError",
    "ArchiveFullError",
    "ArchiveUnavailableError",
    "BadCursorError",
    "BadNoteError",
    "BadSignatureError",
    "BrokerRefusedError",
    "CannotPinError",
    "CaptureError",
    "ConfigError",
    "DeliveryError",
    "InconsistentError",
    "InputError",
    "IsolationError",
    "LineageError",
    "LogGapError",
    "MalformedError",
    "NotAStoreError",
    "NotAsSealedError",
    "NotAuditedError",
    "NotInstalledError",
    "NothingSealedError",
    "OutcomeUnknownError",
    "OwnershipError",
    "PinNeedsCopyError",
    "PolicyError",
    "ProofError",
    "PublishError",
    "ReadOnlyStoreError",
    "RefusedError",
    "ReproduceError",
    "RestoreError",
    "RestoreOccupiedError",
    "SealKeyError",
    "SourceUnavailableError",
    "SpoolError",
    "SpoolFullError",
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
    "TooLargeError",
    "TornCommitError",
    "UnknownNameError",
    "UnsupportedError",
    "VacuumRefusedError",
    "VersionLostError",
    "WentBackError",
]
