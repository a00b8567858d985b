"""A service that records: changes go to it, and before them the contents that they refer to.

The token travels in a header only, and to nowhere else: a redirect is an error. Whatever keeps a
request from being answered is a ``DeliveryError``: what it carried is tried again later.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from typing_extensions import override

from lineage.capture.deliver import Brought
from lineage.capture.references import lists_within, references_of
from lineage.capture.spool import Item
from lineage.errors import DeliveryError, InputError, LineageError

__all__ = ["Answer", "HttpSink", "KeptHere", "Service", "Upload"]

_TAKEN = frozenset({200, 201})
_SOME_REFUSED = 207
_ABSENT = 404
_TOO_LARGE = 413
_REFUSALS = frozenset({400, _TOO_LARGE, 422})
_READ = 10_000
_SHOWN = 200
_LATER = "the changes wait in the spool; `lineage spool deliver` tries again"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said to a request."""

    status: int
    body: str
    what: str

    def refusal(self) -> DeliveryError:
        """It as an error: not taken, for now."""
        hint = _LATER
        if self.status in {401, 403}:
            hint = f"set LINEAGE_TOKEN_FILE to a file with a token that may write; {_LATER}"
        return DeliveryError(self.what, hint=hint, status=self.status)


class Service:
    """Requests to a service."""

    def __init__(self, url: str, *, token: str = "", timeout: float = 30.0) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout = timeout
        self._opener = urllib.request.build_opener(_NoRedirect)

    def ask(
        self,
        method: str,
        path: str,
        data: bytes | None = None,
        kind: str = "",
        *,
        most: int = _READ,
    ) -> Answer:
        """Send a request; every answer is one, of which ``most`` bytes are read.

        Raises ``DeliveryError`` where there is none.
        """
        headers = {**self._headers, **({"Content-Type": kind} if kind else {})}
        request = urllib.request.Request(  # noqa: S310  # the operator's own setting
            f"{self._url}{path}", data=data, headers=headers, method=method
        )
        try:
            with self._open(request) as response:
                return _answer(request.full_url, response, most)
        except (OSError, ValueError) as fault:
            reason = getattr(fault, "reason", fault)
            raise DeliveryError(
                f"{request.full_url} cannot be reached: {reason}", hint=_LATER
            ) from fault
        except http.client.HTTPException as fault:
            raise DeliveryError(
                f"{request.full_url} gave no whole answer: {repr(fault)[:_SHOWN]}", hint=_LATER
            ) from fault

    def _open(self, request: urllib.request.Request) -> Any:
        """The response, whatever its status."""
        try:
            return self._opener.open(request, timeout=self._timeout)
        except urllib.error.HTTPError as refusal:
            return refusal


def _answer(url: str, response: Any, most: int) -> Answer:
    body = response.read(most).decode("utf-8", "replace")
    return Answer(response.status, body, f"{url} answered {response.status} {response.reason}")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    @override
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """None makes urllib raise the redirect as an error."""


class HttpSink:
    """Sends changes: ``POST <url>/api/v1/changes``. Raises ``InputError``, ``DeliveryError``."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def __call__(self, items: Sequence[Item]) -> None:
        """Send items in one request."""
        body = _request_body(items)
        answer = self._service.ask("POST", "/api/v1/changes", body, "application/json")
        if answer.status == _SOME_REFUSED:  # one by one tells which
            raise InputError("refused in part by the service", said=answer.body)
        if answer.status in _REFUSALS:
            raise InputError(f"refused by the service ({answer.status})", said=answer.body)
        if answer.status not in _TAKEN:
            raise answer.refusal()


def _request_body(items: Sequence[Item]) -> bytes:
    changes = [
        {"source": item.source, "event_id": item.event_id, "change": json.loads(item.body)}
        for item in items
    ]
    return json.dumps({"changes": changes}, separators=(",", ":")).encode()


class KeptHere(Protocol):
    """The blob store of this machine, as far as it is needed here."""

    def has(self, sha256: str, /) -> bool:
        """Whether a blob is there."""
        ...

    def get(self, sha256: str, /) -> bytes:
        """Its contents, checked. Raises ``LineageError``."""
        ...


class Upload:
    """Brings the blobs that changes refer to: ``PUT <url>/api/v1/blobs/sha256/<hex>``.

    What is there already is not sent. What is not here any more, or larger than the service takes,
    is told, and holds nothing back: a run without its diff is better than no run.
    """

    def __init__(self, service: Service, here: KeptHere) -> None:
        self._service = service
        self._here = here
        self._settled: set[str] = set()

    def __call__(self, items: Sequence[Item]) -> Brought:
        """Bring what ``items`` refer to. Raises ``DeliveryError``; what came so far stays there."""
        brought = Brought()
        for item in items:
            named = references_of(item.body)
            for digest in sorted(named.lists):
                self._bring(digest, brought, is_list=True)
            for digest in sorted(named.kept):
                self._bring(digest, brought)
            for digest in sorted(named.perhaps):
                if self._here.has(digest):
                    self._bring(digest, brought)
        return brought

    def _bring(self, digest: str, brought: Brought, *, is_list: bool = False) -> None:
        if digest in self._settled or self._is_there(digest):
            return
        try:
            data = self._here.get(digest)
        except LineageError as fault:
            brought.missing[digest] = fault.message
            return
        if is_list:  # its parts before it: where it is, they are
            for inner in sorted(lists_within(data)):
                self._bring(inner, brought, is_list=True)
        answer = self._service.ask("PUT", _place(digest), data, "application/octet-stream")
        if answer.status == _TOO_LARGE:
            brought.missing[digest] = f"{len(data):,} bytes are more than the service takes"
        elif answer.status not in _TAKEN:
            raise answer.refusal()
        else:
            brought.sent += 1
            self._settled.add(digest)

    def _is_there(self, digest: str) -> bool:
        answer = self._service.ask("HEAD", _place(digest))
        if answer.status == _ABSENT:
            return False
        if answer.status not in _TAKEN:
            raise answer.refusal()
        self._settled.add(digest)
        return True


def _place(digest: str) -> str:
    return f"/api/v1/blobs/sha256/{digest}"
