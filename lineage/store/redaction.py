"""What a redaction must leave in place, alike in every backend."""

from __future__ import annotations

from lineage.errors import InputError, RefusedError
from lineage.model.claims import Claims
from lineage.store.contract import Interpreter

__all__ = ["check_stub", "claims_of_stub"]


def claims_of_stub(interpret: Interpreter, kind: str, v: int, stub: bytes) -> Claims:
    """What a stub says of an entry whose body was never seen here: nothing, if it is no ``kind``.

    The redaction came first, so nobody could tell then what its target would be.
    """
    try:
        return interpret(kind, v, stub)
    except InputError:
        return Claims()


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
