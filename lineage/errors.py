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

from typing import Any, ClassVar


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


class CaptureError(LineageError):
    """A source of changes cannot be read."""

    code = "capture-failed"
    exit_status = 74


class SourceUnavailableError(CaptureError):
    """A source is away for now; trying again will do."""

    code = "source-unavailable"
    retryable = True
    exit_status = 69
    http_status = 503


class BrokerRefusedError(CaptureError):
    """A Kafka broker does not let us in, does not prove who it is, or does not let us read."""

    code = "broker-refused"
    exit_status = 77


class SpoolError(CaptureError):
    """Captured changes cannot be kept on local disk, or not read back."""

    code = "spool-failed"
    retryable = True
    http_status = 503


class SpoolFullError(SpoolError):
    """The spool may not grow further: its disk or its limit is full."""

    code = "spool-full"


class DeliveryError(CaptureError):
    """The service that changes are delivered to is away, busy, or refuses our token."""

    code = "not-delivered"
    retryable = True
    exit_status = 69
    http_status = 503


class LogGapError(CaptureError):
    """A stretch of a source was lost; ``where`` says from and to."""

    code = "log-gap"


class TornCommitError(CaptureError):
    """A commit of a table's log is empty, cut off or not what its format says."""

    code = "torn-commit"


class ProofError(LineageError):
    """A checkpoint or a proof that was handed over does not hold."""

    code = "bad-proof"
    http_status = 422


class BadNoteError(ProofError):
    """What was given is no signed note, no checkpoint, or no key of one."""

    code = "bad-note"
    exit_status = 65


class BadSignatureError(ProofError):
    """A signature of a known key does not hold, or there is none by a known key."""

    code = "bad-signature"


class InconsistentError(ProofError):
    """A log signed what contradicts a checkpoint of it; ``where['evidence']`` is kept."""

    code = "inconsistent-log"


class WentBackError(ProofError):
    """A log shows a smaller checkpoint than it did; ``where['evidence']`` is kept."""

    code = "log-went-back"


class AnotherSizeError(ProofError):
    """The proof does not begin at what the witness cosigned last; ``where['size']`` is that."""

    code = "another-size"
    retryable = True
    http_status = 409


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
