"""What the driver's errors mean, as errors of ours."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from neo4j.exceptions import (
    AuthError,
    ConfigurationError,
    ConnectionPoolError,
    DriverError,
    Forbidden,
    ForbiddenOnReadOnlyDatabase,
    IncompleteCommit,
    Neo4jError,
    ServiceUnavailable,
    SessionExpired,
    TransientError,
)

from lineage.errors import (
    ConfigError,
    NotAStoreError,
    OutcomeUnknownError,
    StoreAuthError,
    StoreBusyError,
    StoreError,
    StoreFullError,
    StoreTlsError,
    StoreUnavailableError,
)
from lineage.store.neo4j.address import Address

__all__ = ["translated"]

_AGAIN = "trying again is safe: what was recorded already is not recorded twice"
# The server stops, or stopped what it did for us: nobody is at fault, and it can be asked again.
_GOING = frozenset({
    "Neo.ClientError.Transaction.LockClientStopped",
    "Neo.ClientError.Transaction.Terminated",
    "Neo.DatabaseError.Database.DatabaseNotRunning",
    "Neo.TransientError.Database.DatabaseUnavailable",
    "Neo.TransientError.General.DatabaseUnavailable",
    "Neo.TransientError.Transaction.LockClientStopped",
    "Neo.TransientError.Transaction.Terminated",
})  # fmt: skip
_SLOW = frozenset({
    "Neo.ClientError.Transaction.TransactionTimedOut",
    "Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration",
})  # fmt: skip
_NO_SPACE = ("no space left", "not enough space", "disk quota", "disk full")


@contextmanager
def translated(url: str | Address) -> Iterator[None]:
    """Turn the driver's errors into ours."""
    address = url if isinstance(url, Address) else Address.parse(url)
    try:
        yield
    except Neo4jError as fault:
        raise _of_server(fault, address) from fault
    except DriverError as fault:
        raise _of_driver(fault, address) from fault


def _of_server(fault: Neo4jError, address: Address) -> StoreError:
    """What the server answered."""
    code, said = fault.code or "", fault.message or str(fault)
    if any(words in said.lower() for words in _NO_SPACE):
        return StoreFullError(
            f"no space left where {address.place} keeps its data: {said}",
            hint="make room there; nothing was half written",
        )
    if code.startswith("Neo.ClientError.Security.") or isinstance(fault, AuthError | Forbidden):
        return _not_let_in(code, said, address)
    if code == "Neo.ClientError.Database.DatabaseNotFound":
        return NotAStoreError(
            f"{address.place} has no database {address.database!r}",
            hint="name it in LINEAGE_STORE as neo4j://user@host/database, or have it made",
        )
    return _not_now(fault, code, said, address)


def _not_now(fault: Neo4jError, code: str, said: str, address: Address) -> StoreError:
    if code in _GOING:
        return StoreUnavailableError(f"{address.place} is going or coming: {said}", hint=_AGAIN)
    if isinstance(fault, ForbiddenOnReadOnlyDatabase):
        return StoreError(
            f"{address.place} takes no writes: {said}", hint="ask who runs it: it is read-only"
        )
    if isinstance(fault, TransientError) or code in _SLOW:
        return StoreBusyError(f"{address.place} could not do it now: {said}", hint="try again")
    return StoreError(f"{address.place}: {said} ({code})")


def _not_let_in(code: str, said: str, address: Address) -> StoreAuthError:
    if code.endswith("Forbidden"):
        return StoreAuthError(
            f"{address.user!r} may not do this at {address.place}: {said}",
            hint="a store reads, writes and makes indexes and constraints: have it granted",
        )
    if code.endswith("AuthenticationRateLimit"):
        return StoreAuthError(
            f"{address.place} refuses {address.user!r} after too many wrong passwords",
            hint="wait some seconds, and correct LINEAGE_STORE_PASSWORD everywhere it is used",
        )
    if code.endswith("CredentialsExpired"):
        return StoreAuthError(
            f"the password of {address.user!r} at {address.place} has to be changed first",
            hint="change it with the tools of Neo4j, and set LINEAGE_STORE_PASSWORD to the new one",
        )
    return StoreAuthError(
        f"{address.place} does not let {address.user!r} in: {said}",
        hint="set LINEAGE_STORE_PASSWORD, or LINEAGE_STORE_PASSWORD_FILE to a file that holds it; "
        "the user is part of LINEAGE_STORE: neo4j://user@host",
    )


def _of_driver(fault: DriverError, address: Address) -> StoreError | ConfigError:
    """What became of the connection."""
    if isinstance(fault, IncompleteCommit):
        return OutcomeUnknownError(
            f"the connection to {address.place} broke during a commit: it may be recorded or not",
            hint=_AGAIN,
        )
    if isinstance(fault, ConnectionPoolError | SessionExpired):
        return StoreUnavailableError(f"no connection to {address.place}: {fault}", hint=_AGAIN)
    if isinstance(fault, ServiceUnavailable):
        return _not_reached(fault, address)
    if isinstance(fault, ConfigurationError):
        return ConfigError(f"LINEAGE_STORE is not understood: {fault}")
    return StoreError(f"{address.place}: {fault}")


def _not_reached(fault: ServiceUnavailable, address: Address) -> StoreError:
    """Nobody there, or somebody else: only the address is wrong for good, so only that is said so.

    A server that is killed in mid-greeting looks like one that speaks otherwise: it is asked.
    """
    causes = list(_causes(fault))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return StoreTlsError(
                f"the certificate of {address.place} is not trusted: {cause.verify_message}",
                hint="name the authority that signed it with SSL_CERT_FILE, or take any "
                "certificate with neo4j+ssc://",
            )
        if isinstance(cause, socket.gaierror):
            return StoreUnavailableError(
                f"no address is known for {address.host}: {cause.strerror}",
                hint="is the host in LINEAGE_STORE right?",
            )
    refused = any(isinstance(cause, ConnectionRefusedError) for cause in causes)
    if not refused and (misunderstood := _misunderstood(address)):
        return misunderstood
    said = next((str(c) for c in reversed(causes) if isinstance(c, OSError)), str(fault))
    return StoreUnavailableError(
        f"{address.place} does not answer: {said.splitlines()[0]}",
        hint=f"is Neo4j running there? {_AGAIN}",
    )


def _misunderstood(address: Address) -> StoreError | None:
    if not address.takes_connections():
        return None
    if not address.encrypted and address.speaks_tls():
        return StoreTlsError(
            f"{address.place} takes encrypted connections only",
            hint="write neo4j+s:// in LINEAGE_STORE, or neo4j+ssc:// to take any certificate",
        )
    spoken = address.speaks_plain()
    if spoken == "http":
        return NotAStoreError(
            f"{address.place} speaks HTTP, not Bolt",
            hint="name the Bolt port of Neo4j, usually 7687",
        )
    if address.encrypted and spoken == "bolt":
        return StoreTlsError(
            f"{address.place} takes no encrypted connections",
            hint="write neo4j:// in LINEAGE_STORE, or set up TLS for Bolt at the server",
        )
    return None


def _causes(fault: BaseException | None, depth: int = 0) -> Iterator[BaseException]:
    """The fault and what led to it; a routing fault holds those of every router."""
    while fault is not None and depth < 20:
        yield fault
        if isinstance(fault, BaseExceptionGroup):
            for inner in fault.exceptions:
                yield from _causes(inner, depth + 1)
        fault, depth = fault.__cause__ or fault.__context__, depth + 1
