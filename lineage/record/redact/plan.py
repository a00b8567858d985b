"""What a redaction would do: which entries, what stays of each, which blobs only they name.

A person is looked for by what the ledger ever said of them: what identifies somebody (name,
e-mail address, login) in every body, everything else only where it is said of them. A login that
machines have is nobody's name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lineage.errors import InputError, UnknownNameError
from lineage.model.canonical import parse_json
from lineage.model.claims import EntryRef
from lineage.record.redact.contents import Contents
from lineage.record.redact.names import names_of
from lineage.record.redact.stubs import Words, only_names, stub_of, without
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


def plan_entries(store: Store, blobs: BlobStore, seqs: Sequence[int], tick: Tick = _quiet) -> Plan:
    """The entries at these positions, with nothing left of them but names.

    Raises ``UnknownNameError`` for a position where there is none, ``RefusedError``
    (``not-redactable``).
    """
    plan, contents = Plan(store.head().seq), Contents(blobs)
    for seq in dict.fromkeys(seqs):
        entry = next(store.entries(seq - 1, 1), None) if seq > 0 else None
        if entry is None or entry.seq != seq:
            raise UnknownNameError(
                f"no entry {seq}", hint="`lineage ledger list` shows them, and where it ends"
            )
        _add(plan, entry, stub_of(entry.kind, entry.v, entry.body), contents)
    plan.blobs = _nobody_elses(store, plan, contents, tick)
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
    plan, contents = Plan(store.head().seq, person=person, words=words), Contents(blobs)
    telling = contents.telling(words)
    mentioned, quick = person.encode(), _quick(words)
    for entry in store.entries(after):
        if entry.seq > plan.position:
            break
        tick(entry.seq)
        refers = telling and b'"sha256"' in entry.body
        if not (refers or mentioned in entry.body or quick(entry.body)):
            continue
        stub = _without(entry, plan, telling)
        if stub != entry.body:
            _add(plan, entry, stub, contents)
        plan.in_names += words.within(stub.decode("utf-8", "replace"))
    plan.blobs = telling | _nobody_elses(store, plan, contents, tick)
    return plan


def _without(entry: StoredEntry, plan: Plan, telling: Container[str]) -> bytes:
    try:
        names_of(entry.kind)
    except InputError:
        return entry.body  # of a proposal or a rule: its reason stays
    kind, v, body = entry.kind, entry.v, entry.body
    return without(kind, v, body, plan.words, person=plan.person, blobs=telling)


def _add(plan: Plan, entry: StoredEntry, stub: bytes, contents: Contents) -> None:
    ref = EntryRef(entry.source, entry.event_id)
    new = entry.salt is not None or entry.body != stub
    plan.targets.append(Target(entry.seq, ref, entry.kind, stub, new))
    plan.blobs |= contents.there(contents.meant(entry.body, redacted=False))


def _nobody_elses(store: Store, plan: Plan, contents: Contents, tick: Tick) -> set[str]:
    """Blobs are shared: those that another entry means, or a stub refers to, stay."""
    left = set(plan.blobs)
    stubs = {target.seq: target.stub for target in plan.targets}
    for entry in store.entries() if left else ():
        tick(entry.seq)
        body, whole = stubs.get(entry.seq), False
        if body is None:
            body, whole = entry.body, entry.salt is not None
        # The stub in a redaction says what its target does.
        redacted = entry.kind == "entry.redacted" or (
            not whole and only_names(entry.kind, entry.v, body)
        )
        left -= contents.meant(body, redacted=redacted)
        if not left:
            break
    return left


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
