"""Where a witness finds the checkpoints of a log, and the proofs between them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

from typing_extensions import override

from lineage.capture.service import Service
from lineage.errors import ConfigError, DeliveryError, PublishError, SourceUnavailableError
from lineage.model.canonical import parse_json
from lineage.model.checkpoint import Checkpoint
from lineage.model.notes import text_of
from lineage.model.proofs import Consistency
from lineage.record.seal.places import LATEST, consistency_name
from lineage.record.seal.publishing import places_of

__all__ = ["PublishedSource", "ServiceSource", "Source", "source_of"]

_MOST = 1 << 20
_MISSING = 404
_QUERY = "query($old: Seq!) { ledger { consistency(old: $old) } }"


class Source(Protocol):
    """A log as somebody shows it. Raises ``SourceUnavailableError``; checks nothing."""

    name: str

    def latest(self, origin: str) -> bytes | None:
        """The last checkpoint, None before the first."""
        ...

    def proofs(self, origin: str, old: int, note: bytes) -> list[Consistency]:
        """Proofs that lead from the checkpoint of ``old`` entries to ``note``, one after another.

        Raises ``ProofError`` for what is none, ``SourceUnavailableError`` where one is missing.
        """
        ...


class PublishedSource(Source):
    """What a log published (``lineage.record.seal.places``), followed back from the latest."""

    def __init__(self, name: str, read: Callable[[str], bytes | None]) -> None:
        self.name = name
        self._read = read

    @override
    def latest(self, origin: str) -> bytes | None:
        return self._contents(f"{origin}/{LATEST}")

    @override
    def proofs(self, origin: str, old: int, note: bytes) -> list[Consistency]:
        found: list[Consistency] = []
        size = _size(note)
        while size > old:
            data = self._contents(f"{origin}/{consistency_name(size)}")
            if data is None:
                break
            proof = Consistency.of_value(parse_json(data))
            if not _size(proof.old) < size == _size(proof.new):
                break  # another's, and it could lead in a circle
            found.append(proof)
            size = _size(proof.old)
        if size != old:
            raise SourceUnavailableError(
                f"{self.name} has no proof from {old:,} entries to {_size(note):,}: "
                f"the way back ends at {size:,}",
                hint="it may be written just now; a service makes any proof: follow its /graphql",
            )
        return found[::-1]

    def _contents(self, name: str) -> bytes | None:
        try:
            return self._read(name)
        except PublishError as fault:
            raise SourceUnavailableError(fault.message, hint=fault.hint) from fault


class ServiceSource(Source):
    """A running service, asked over GraphQL: it makes the proof that is needed."""

    def __init__(self, url: str, token: str) -> None:
        self.name = url
        self._service = Service(url, token=token)

    @override
    def latest(self, origin: str) -> bytes | None:
        ledger = self._ask({"query": "{ ledger { checkpoint { note } } }"})
        return None if ledger["checkpoint"] is None else ledger["checkpoint"]["note"].encode()

    @override
    def proofs(self, origin: str, old: int, note: bytes) -> list[Consistency]:
        ledger = self._ask({"query": _QUERY, "variables": {"old": str(old)}})
        return [Consistency.of_value(ledger["consistency"])]

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(question).encode()
        try:
            answer = self._service.ask("POST", "", body, "application/json", most=_MOST)
            said = json.loads(answer.body)
            if said.get("errors"):
                raise SourceUnavailableError(f"{self.name}: {said['errors'][0]['message']}")
            ledger: dict[str, Any] = said["data"]["ledger"]
        except DeliveryError as fault:
            raise SourceUnavailableError(fault.message) from fault
        except (ValueError, KeyError, TypeError, AttributeError) as fault:
            raise SourceUnavailableError(
                f"{self.name} gives no answer that is understood", hint="is it a Lineage?"
            ) from fault
        return ledger


def source_of(text: str, token: str = "") -> Source:
    """The source of its name: a service's ``.../graphql``, else where checkpoints are published.

    That is a directory, ``git:`` and a clone, a bucket, or a URL that serves the same files. Raises
    ``ConfigError``.
    """
    if not text.startswith(("http://", "https://")):
        away = "name the directory that the log publishes to, or mount it"
        places = places_of(text, "SOURCE", away)
        if len(places) != 1:
            raise ConfigError(f"{text!r} is not one place", hint="follow each with its own command")
        return PublishedSource(places[0].name, places[0].read)
    if text.rstrip("/").endswith("/graphql"):
        return ServiceSource(text.rstrip("/"), token)
    return PublishedSource(text, _Web(text).read)


class _Web:
    """Files below a URL. No token is sent: what is published is for everybody."""

    def __init__(self, url: str) -> None:
        self._service = Service(url)

    def read(self, name: str) -> bytes | None:
        try:
            answer = self._service.ask("GET", f"/{name}", most=_MOST)
        except DeliveryError as fault:
            raise PublishError(fault.message) from fault
        if answer.status == _MISSING:
            return None
        if answer.status != 200:
            raise PublishError(answer.what)
        return answer.body.encode()


def _size(note: bytes) -> int:
    return Checkpoint.of_text(text_of(note)).size
