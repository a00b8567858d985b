"""What a redaction would do: which entries, what stays of each, which blobs only they name.

A person is looked for by what the ledger ever said of them: what identifies somebody (name,
e-mail address, login) in every body, everything else only where it is said of them. A login that
machines have is nobody's name.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from lineage.errors import InputError, StoreDamagedError, UnknownNameError
from lineage.model.canonical import parse_json
from lineage.model.claims import EntryRef
from lineage.record.ledger import blobs_named
from lineage.record.redact.names import names_of
from lineage.record.redact.stubs import Words, stub_of, without
from lineage.store.blobs import BlobStore
from lineage.store.contract import Store, StoredEntry

__all__ = ["Plan", "Target", "Tick", "plan_entries", "plan_person", "words_of"]

_IDENTIFYING = frozenset({
    "display_name", "email", "family_name", "full_name", "given_name", "login", "mail", "name",
    "phone", "surname", "user", "user_name", "username",
})  # fmt: skip
_MACHINES = frozenset({
    "admin", "administrator", "airflow", "daemon", "hadoop", "jenkins", "nobody", "root", "runner",
    "spark", "system", "ubuntu", "user",
})  # fmt: skip
_SHORTEST = 3
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
Tick = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Target:
    """An entry to be redacted, and its stub. ``new`` is False where it says that already."""

    seq: int
    ref: EntryRef
    kind: str
    stub: bytes
    new: bool


@dataclass(slots=True)
class Plan:
    """All of one redaction. ``position`` is the last entry that was looked at."""

    position: int
    targets: list[Target] = field(default_factory=list)
    blobs: set[str] = field(default_factory=set)
    """Digests of contents that only entries to be redacted name."""
    person: str = ""
    words: Words = field(default_factory=lambda: Words(()))
    in_names: int = 0
    """Entries that hold words of the person in names, which stay."""

    @property
    def new(self) -> list[Target]:
        """Those that nobody has redacted so yet."""
        return [target for target in self.targets if target.new]

    @property
    def refs(self) -> set[EntryRef]:
        """What names the targets."""
        return {target.ref for target in self.targets}


def _quiet(_: int) -> None:
    """Nobody watches."""


def plan_entries(store: Store, seqs: Sequence[int], tick: Tick = _quiet) -> Plan:
    """The entries at these positions, with nothing left of them but names.

    Raises ``UnknownNameError`` for a position where there is none, ``RefusedError``
    (``not-redactable``).
    """
    plan = Plan(store.head().seq)
    named: set[str] = set()
    for seq in dict.fromkeys(seqs):
        entry = next(store.entries(seq - 1, 1), None) if seq > 0 else None
        if entry is None or entry.seq != seq:
            raise UnknownNameError(
                f"no entry {seq}", hint="`lineage ledger list` shows them, and where it ends"
            )
        stub = stub_of(entry.kind, entry.v, entry.body)
        _add(plan, entry, stub, named)
    _keep_named_elsewhere(store, plan, named, tick)
    return plan


def plan_person(
    store: Store,
    blobs: BlobStore,
    person: str,
    *,
    after: int = 0,
    words: Words | None = None,
    tick: Tick = _quiet,
) -> Plan:
    """Every entry after a position that says anything of a person beyond their opaque id.

    A blob that has a word of them cannot be cleared, so it goes, and references to it with it.
    ``words`` that identify them are looked for in the ledger where they are not given.
    """
    if words is None:
        words = words_of(store, person, tick)
    plan = Plan(store.head().seq, person=person, words=words)
    named: set[str] = set()
    telling = _Telling(blobs, words)
    mentioned, quick = person.encode(), _quick(plan.words)
    for entry in store.entries(after):
        if entry.seq > plan.position:
            break
        tick(entry.seq)
        refers = words and b'"sha256"' in entry.body
        if not (refers or mentioned in entry.body or quick(entry.body)):
            continue
        stub = _without(entry, plan, telling)
        if stub != entry.body:
            _add(plan, entry, stub, named)
        plan.in_names += plan.words.within(stub.decode("utf-8", "replace"))
    _keep_named_elsewhere(store, plan, named, tick)
    return plan


class _Telling:
    """Blobs that have a word of a person, each read once."""

    def __init__(self, blobs: BlobStore, words: Words) -> None:
        self._blobs = blobs
        self._words = words
        self._known: dict[str, bool] = {}

    def __contains__(self, digest: object) -> bool:
        if not isinstance(digest, str):
            return False
        if digest not in self._known:
            self._known[digest] = self._tells(digest)
        return self._known[digest]

    def _tells(self, digest: str) -> bool:
        try:
            data = self._blobs.get(digest)
        except (UnknownNameError, StoreDamagedError):
            return False  # verification says so
        with suppress(OSError, EOFError, zlib.error):
            data = gzip.decompress(data)
        return self._words.within(data.decode("utf-8", "replace"))


def _without(entry: StoredEntry, plan: Plan, telling: _Telling) -> bytes:
    try:
        names_of(entry.kind)
    except InputError:
        return entry.body  # of a proposal or a rule: its reason stays
    kind, v, body = entry.kind, entry.v, entry.body
    return without(kind, v, body, plan.words, person=plan.person, blobs=telling)


def _add(plan: Plan, entry: StoredEntry, stub: bytes, named: set[str]) -> None:
    ref = EntryRef(entry.source, entry.event_id)
    new = entry.salt is not None or entry.body != stub
    plan.targets.append(Target(entry.seq, ref, entry.kind, stub, new))
    named |= set(_blobs(entry.body)) - set(_blobs(stub))


def _blobs(body: bytes) -> Iterator[str]:
    try:
        yield from blobs_named(parse_json(body))
    except InputError:
        return


def _keep_named_elsewhere(store: Store, plan: Plan, named: set[str], tick: Tick) -> None:
    """Blobs are shared: those that another entry, or a stub, names stay."""
    if not named:
        return
    plan.blobs = set(named)
    stubs = {target.seq: target.stub for target in plan.targets}
    for entry in store.entries():
        tick(entry.seq)
        body = stubs.get(entry.seq, entry.body)
        plan.blobs -= {digest for digest in plan.blobs if digest.encode() in body}
        if not plan.blobs:
            return


# --- who somebody is


def words_of(store: Store, person: str, tick: Tick = _quiet) -> Words:
    """What identifies a person, of all that the ledger ever said of them."""
    mentioned = person.encode()
    texts: set[str] = set()
    for entry in store.entries():
        tick(entry.seq)
        if mentioned in entry.body:
            texts |= set(_identifying(_value(entry.body), person))
    return Words(texts)


def _identifying(value: Any, person: str) -> Iterator[str]:
    """Texts in one body that identify a person."""
    if not isinstance(value, dict):
        return
    said: list[tuple[str, Any]] = []
    if value.get("person") == person and isinstance(value.get("attributes"), dict):
        said += value["attributes"].items()
    user = value.get("user")
    if isinstance(user, dict) and user.get("person") == person:
        said.append(("name", user.get("name")))
    for name, content in said:
        plain = _CAMEL.sub("_", name).lower()
        for text in _texts(content):
            if (plain in _IDENTIFYING or "@" in text) and _tells(text):
                yield text


def _tells(text: str) -> bool:
    return len(text) >= _SHORTEST and text.lower() not in _MACHINES


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _value(body: bytes) -> Any:
    try:
        return parse_json(body)
    except InputError:
        return None


def _quick(words: Words) -> Callable[[bytes], bool]:
    """Whether a body may hold words: cheap, and never wrongly no."""
    if not words:
        return lambda _: False
    forms: Iterable[str] = {form for text in words.texts for form in (text, json.dumps(text)[1:-1])}
    found = re.compile("|".join(map(re.escape, sorted(forms))), re.IGNORECASE)

    def holds(body: bytes) -> bool:
        return b"\\u" in body or found.search(body.decode("utf-8", "replace")) is not None

    return holds
