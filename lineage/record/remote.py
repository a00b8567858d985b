"""Recording through a service: entries go to it as they are, and it says where they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from lineage.capture.deliver import in_parts
from lineage.capture.service import Answer, Service
from lineage.errors import DeliveryError, RefusedError
from lineage.model.envelope import Actor
from lineage.record.recorder import Incoming
from lineage.store.contract import Receipt

__all__ = ["RemoteRecorder"]

_TAKEN = frozenset({200, 201, 202})
_REFUSED = frozenset({207, 400, 413, 422})
_ANSWER = 4 << 20
_LATER = "what was read stays where it is; it is tried again"


class RemoteRecorder:
    """As ``Recorder``, but a service records: who did it is for the service to say."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def record(self, incoming: Sequence[Incoming], _actor: Actor) -> list[Receipt]:
        """Send entries in order. Not all or none: what was sent has no effect when sent again.

        Raises ``RefusedError`` if one of them is refused, ``DeliveryError`` for "not now".
        """
        receipts: list[Receipt] = []
        for foreign, group in groupby(incoming, lambda item: item.kind.startswith("openlineage.")):
            for part in in_parts(list(group)):
                receipts += self._send(part, foreign=foreign)
        return receipts

    def _send(self, items: Sequence[Incoming], *, foreign: bool) -> list[Receipt]:
        if foreign:
            path, body = "/api/v1/lineage", b"[" + b",".join(item.body for item in items) + b"]"
        else:
            path, body = "/api/v1/changes", _changes(items)
        try:
            answer = self._service.ask("POST", path, body, "application/json", most=_ANSWER)
        except DeliveryError as fault:
            raise DeliveryError(fault.message, hint=_LATER) from fault
        if answer.status in _REFUSED:
            raise _refusal(answer)
        if answer.status not in _TAKEN:
            raise DeliveryError(
                answer.what, status=answer.status,
                hint="set LINEAGE_TOKEN_FILE to a file with a token that may write"
                if answer.status in {401, 403} else _LATER,
            )  # fmt: skip
        return [
            Receipt(result.get("seq") or 0, result.get("status") != "duplicate")
            for result in _results(answer)
        ]


def _changes(items: Sequence[Incoming]) -> bytes:
    changes = [
        {
            "source": item.source,
            **({"event_id": item.event_id} if item.event_id is not None else {}),
            "change": json.loads(item.body),
        }
        for item in items
    ]
    return json.dumps({"changes": changes}, separators=(",", ":")).encode()


def _results(answer: Answer) -> list[dict[str, Any]]:
    try:
        results: list[dict[str, Any]] = json.loads(answer.body)["results"]
    except (ValueError, KeyError, TypeError) as fault:
        raise DeliveryError(
            f"{answer.what}, and nothing that is understood", hint="is LINEAGE_URL a Lineage?"
        ) from fault
    return results


def _refusal(answer: Answer) -> RefusedError:
    """The first refusal of an answer; an answer to several is asked for each of them next."""
    try:
        said = json.loads(answer.body)
        first = next(
            (r for r in said.get("results", []) if r.get("status") == "refused"),
            said.get("error", said),
        )
        return RefusedError(
            str(first.get("message") or answer.what), code=str(first.get("code") or "refused"),
            pointer=str(first.get("pointer") or ""), hint=str(first.get("hint") or ""),
        )  # fmt: skip
    except (ValueError, AttributeError, TypeError):
        return RefusedError(answer.what, code="refused")
