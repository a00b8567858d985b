"""Archives after a redaction: what was erased goes from each, and why is in each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lineage.errors import LineageError
from lineage.record.archive.erasing import redact_in_archive
from lineage.record.archive.place import Archive
from lineage.record.archive.writing import archive
from lineage.store.blobs import BlobStore
from lineage.store.contract import Store, StoredEntry

__all__ = ["rewrite_archives"]

_BACK = "bring it back and run `lineage redactions finish`, or delete it wherever it is"


def rewrite_archives(
    store: Store,
    blobs: BlobStore,
    places: Iterable[str],
    entries: Sequence[StoredEntry],
    erased_blobs: Iterable[str],
) -> dict[str, str]:
    """Redact in every archive; by place why one was not, or could not be reached.

    ``entries`` are the redacted ones as the store has them now. First each archive is brought up to
    the head, sealed or not: a stub whose redaction is not in the archive would look altered.
    """
    digests, why = list(erased_blobs), {}
    for place in places:
        try:
            target = Archive(place)
            if target.last() is None:  # archiving would begin another
                why[place] = f"there is no archive now: {_BACK}"
                continue
            archive(store, blobs, target, unsealed=True, skip_missing=True)
            redact_in_archive(target, entries, digests)
        except LineageError as fault:
            why[place] = f"{fault.message}: repeat it, or delete the archive"
    return why
