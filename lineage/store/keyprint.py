"""The print of a store's key: what tells the key apart, and says nothing of it."""

from __future__ import annotations

import hashlib
import hmac

from lineage.errors import StoreKeyError

__all__ = ["keyprint", "require_same"]

_LABEL = b"which key is the store's"


def keyprint(key: bytes) -> str:
    """What the key makes of a fixed text."""
    return hmac.new(key, _LABEL, hashlib.sha256).hexdigest()


def require_same(known: str, key: bytes, name: str) -> None:
    """Raise ``StoreKeyError`` unless the key has the print that a store has noted."""
    if not hmac.compare_digest(known, keyprint(key)):
        raise StoreKeyError(
            f"the key in use is not that of {name}",
            hint="take it from another machine that uses this store, or from a backup; "
            "LINEAGE_STORE_KEY_FILE says where it is",
        )
