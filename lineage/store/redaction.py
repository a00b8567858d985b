"""What a redaction must leave in place, alike in every backend."""

from __future__ import annotations

from lineage.errors import RefusedError
from lineage.model.claims import Claims

__all__ = ["check_stub"]


def check_stub(before: Claims, stub: Claims) -> None:
    """Refuse a stub that says other names, retractions or redaction targets than the entry did.

    Raises ``RefusedError`` (``redaction-loses-names``): positions before the redaction would show
    other nodes than they did, or what was withdrawn would come back.
    """
    if (
        set(before.nodes()) != set(stub.nodes())
        or set(before.retracts) != set(stub.retracts)
        or {r.target for r in before.redacts} != {r.target for r in stub.redacts}
    ):
        raise RefusedError(
            "a redaction that does not keep the names of its target",
            code="redaction-loses-names",
            hint="a stub keeps kind, v and every name; only other contents can be erased",
        )
