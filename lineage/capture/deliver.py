"""From the spool to where changes are recorded: at least once, oldest first, nothing lost.

Where they go is a :data:`Sink`: a store on this machine (``wiring`` makes that one) or a service.
Items have the event ids of their source, so that sending one again changes nothing. What cannot be
delivered now stays for the next one who tries; what is refused for good is set aside with its
reason, so that it does not stand in the way of the rest.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from lineage.capture.spool import Item, Spool
from lineage.errors import DeliveryError, InputError, LineageError

__all__ = ["Delivered", "HttpSink", "Sink", "deliver"]

Sink = Callable[[Sequence[Item]], None]
"""Records items, all or none. Raises ``InputError`` for what no retry can mend."""

_SOME_REFUSED = 207
_REFUSALS = frozenset({400, 413, 422})


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of the spool. ``fault`` is why ``waiting`` files were left."""

    items: int = 0
    refused: int = 0
    damaged: int = 0
    waiting: int = 0
    fault: LineageError | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        fault = None if self.fault is None else self.fault.as_dict()
        return {
            "delivered": self.items,
            "refused": self.refused,
            "damaged": self.damaged,
            "waiting": self.waiting,
            **({"fault": fault} if fault else {}),
        }


def deliver(spool: Spool, sink: Sink) -> Delivered:
    """Move everything that waits. Never raises for a sink that is away: the result says so.

    Raises ``SpoolError`` when the spool itself cannot be read.
    """
    spool.sweep()
    items = refused = damaged = 0
    names = spool.pending()
    for n, name in enumerate(names):
        taken = spool.take(name)
        if taken is None:
            damaged += 1
            continue
        try:
            turned_down = _send(spool, sink, taken) if taken else 0
        except LineageError as fault:
            return Delivered(items, refused, damaged, len(names) - n, fault)
        items += len(taken) - turned_down
        refused += turned_down
        spool.done(name)
    return Delivered(items, refused, damaged)


def _send(spool: Spool, sink: Sink, items: Sequence[Item]) -> int:
    """Send a file's items together; where that is refused, one by one. How many were refused."""
    try:
        sink(items)
    except InputError as fault:
        if len(items) == 1:
            spool.refuse(items[0], fault.as_dict())
            return 1
        return sum(_send(spool, sink, [item]) for item in items)
    return 0


class HttpSink:
    """A service that takes changes: ``POST <url>/api/v1/changes``.

    The token travels in a header only. Raises ``DeliveryError`` when the service is away, refuses
    the token or asks to come back later.
    """

    def __init__(self, url: str, *, token: str = "", timeout: float = 30.0) -> None:
        self._url = f"{url.rstrip('/')}/api/v1/changes"
        self._token = token
        self._timeout = timeout
        # A redirect would carry the token elsewhere.
        self._opener = urllib.request.build_opener(_NoRedirect)

    def __call__(self, items: Sequence[Item]) -> None:
        """Send items in one request."""
        request = urllib.request.Request(  # noqa: S310  # the operator's own setting
            self._url,
            data=_request_body(items),
            headers={"Content-Type": "application/json", **self._authorization()},
            method="POST",
        )
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                said = response.read(10_000)
                if response.status == _SOME_REFUSED:  # one by one tells which
                    raise InputError(
                        "refused in part by the service", said=said.decode("utf-8", "replace")
                    )
        except urllib.error.HTTPError as fault:
            with fault:
                self._explain(fault)
        except (OSError, ValueError) as fault:
            reason = getattr(fault, "reason", fault)
            raise DeliveryError(
                f"{self._url} cannot be reached: {reason}",
                hint="the changes wait in the spool; `lineage spool deliver` tries again",
            ) from fault

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def _explain(self, fault: urllib.error.HTTPError) -> None:
        if fault.code in _REFUSALS:
            said = fault.read(10_000).decode("utf-8", "replace")
            raise InputError(f"refused by the service ({fault.code})", said=said) from fault
        hint = "the changes wait in the spool; `lineage spool deliver` tries again"
        if fault.code in {401, 403}:
            hint = "set LINEAGE_TOKEN_FILE to a file with a token that may write; " + hint
        raise DeliveryError(
            f"{self._url} answered {fault.code} {fault.reason}", hint=hint, status=fault.code
        ) from fault


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    @override
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """None makes urllib raise the redirect as an error."""


def _request_body(items: Sequence[Item]) -> bytes:
    changes = [
        {"source": item.source, "event_id": item.event_id, "change": json.loads(item.body)}
        for item in items
    ]
    return json.dumps({"changes": changes}, separators=(",", ":")).encode()
