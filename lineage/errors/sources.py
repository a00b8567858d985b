"""What is captured: sources that cannot be read, changes that cannot be kept or delivered."""

from __future__ import annotations

from lineage.errors.base import LineageError

__all__ = [
    "BrokerRefusedError",
    "CaptureError",
    "DeliveryError",
    "LogGapError",
    "SourceUnavailableError",
    "SpoolError",
    "SpoolFullError",
    "TornCommitError",
]


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
