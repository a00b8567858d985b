"""Which table a log is of, told from what is left of it."""

from __future__ import annotations

from lineage.capture.delta.actions import parse_actions
from lineage.capture.delta.checkpoint import read_checkpoint
from lineage.capture.delta.log import event_time
from lineage.capture.delta.names import Listing, commit_name
from lineage.capture.delta.storage import LogStorage
from lineage.errors import LogGapError, TornCommitError

__all__ = ["first_event_at", "first_id", "id_after_gap", "ids_of"]


def id_after_gap(log: LogStorage, listing: Listing, first: int, last: int) -> str:
    """The table id by the newest checkpoint of versions ``first`` to ``last``, or empty."""
    for checkpoint in listing.checkpoints_upto(last):
        if checkpoint.version < first:
            break
        try:
            found = read_checkpoint(log, checkpoint, files=False).metadata
        except LogGapError:
            continue
        if found:
            return found.id
    return ""


def first_id(log: LogStorage) -> str:
    """The table id that the log began with, or empty where its first commit is gone or torn."""
    return _id_set_by(log, 0)


def ids_of(log: LogStorage, listing: Listing) -> set[str]:
    """Table ids that the log names: at its start, in its newest checkpoint, else anywhere."""
    latest = listing.latest if listing.latest is not None else 0
    found = {first_id(log), id_after_gap(log, listing, 0, latest)} - {""}
    if found:
        return found
    set_later = (_id_set_by(log, version) for version in listing.commits)
    return {next((table_id for table_id in set_later if table_id), "")} - {""}


def first_event_at(log: LogStorage, listing: Listing, default: int) -> int:
    """When the first commit that can be read was made, in microseconds."""
    for version in listing.commits[:1]:
        raw, stamp = log.read(commit_name(version)), log.stamp(commit_name(version))
        if raw is None or stamp is None:
            continue
        try:
            return event_time(parse_actions(version, raw).info, stamp.modified_at)[0]
        except TornCommitError:
            continue
    return default


def _id_set_by(log: LogStorage, version: int) -> str:
    raw = log.read(commit_name(version))
    if raw is None:
        return ""
    try:
        metadata = parse_actions(version, raw).metadata
    except TornCommitError:
        return ""
    return metadata.id if metadata else ""
