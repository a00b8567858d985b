"""Who somebody is, by what the ledger ever said of people.

What identifies somebody is a name, an e-mail address, a login. One that machines have is nobody's
name: it would be erased wherever the word stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lineage.errors import InputError
from lineage.model.canonical import parse_json
from lineage.model.ids import PERSON
from lineage.record.redact.stubs import Words
from lineage.store.contract import Store

__all__ = ["Tick", "people_called", "quick", "words_of"]

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


def words_of(store: Store, person: str, tick: Tick = lambda _: None) -> Words:
    """What identifies a person, of all that the ledger ever said of them."""
    mentioned = person.encode()
    texts: set[str] = set()
    for entry in store.entries():
        tick(entry.seq)
        if mentioned in entry.body:
            told = _told(_value(entry.body))
            texts |= {text for who, text in told if who == person and _tells(text)}
    return Words(texts)


def people_called(store: Store, name: str, tick: Tick = lambda _: None) -> list[str]:
    """Ids of everybody whom the ledger told to have this very name, address or login, in any case.

    A read of the whole ledger, since a login that a run told names nothing.
    """
    wanted, found = name.strip().casefold(), set[str]()
    may_hold = quick(Words([name.strip()]))
    for entry in store.entries():
        tick(entry.seq)
        if may_hold(entry.body):
            told = _told(_value(entry.body))
            found |= {who for who, text in told if text.casefold() == wanted}
    return sorted(found)


def _told(value: Any) -> Iterator[tuple[str, str]]:
    """Texts in one body that identify somebody, with the id of that person."""
    if not isinstance(value, dict):
        return
    said: list[tuple[Any, str, Any]] = []
    if isinstance(attributes := value.get("attributes"), dict):
        said += [(value.get("person"), name, content) for name, content in attributes.items()]
    if isinstance(user := value.get("user"), dict):
        said.append((user.get("person"), "name", user.get("name")))
    for person, name, content in said:
        if isinstance(person, str) and person.startswith(f"{PERSON}:"):
            plain = _CAMEL.sub("_", name).lower()
            yield from (
                (person, text) for text in _texts(content) if plain in _IDENTIFYING or "@" in text
            )


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


def quick(words: Words) -> Callable[[bytes], bool]:
    """Whether a body may hold words: cheap, and never wrongly no."""
    if not words:
        return lambda _: False
    forms: Iterable[str] = {form for text in words.texts for form in (text, json.dumps(text)[1:-1])}
    found = re.compile("|".join(map(re.escape, sorted(forms))), re.IGNORECASE)

    def holds(body: bytes) -> bool:
        return b"\\u" in body or found.search(body.decode("utf-8", "replace")) is not None

    return holds
