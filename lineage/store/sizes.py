"""What every backend asks of checkpoints that come from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

from lineage.store.contract import StoredCheckpoint

__all__ = ["require_sizes"]


def require_sizes(checkpoints: Iterable[StoredCheckpoint], entries: int) -> None:
    """Raise ``IndexError`` for a checkpoint of more entries than there are."""
    for checkpoint in checkpoints:
        if checkpoint.size > entries:
            raise IndexError(checkpoint.size)
