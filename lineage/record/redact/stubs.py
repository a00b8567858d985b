"""Stubs: what stands in the place of a redacted body. Pure.

:func:`stub_of` leaves nothing but names; :func:`without` leaves everything but some words, which
is how a person is erased from what is not about them alone.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from itertools import count
from typing import Any

from lineage.errors import InputError
from lineage.model.canonical import canonical, parse_json
from lineage.model.claims import Claims
from lineage.record.interpret import interpret
from lineage.record.interpret.facets import is_person, mapping, sequence, text
from lineage.record.redact.names import ERASED, KEEP, NESTED, OWNERS, Fixed, Rule, names_of
from lineage.store.redaction import check_stub

__all__ = ["Words", "only_names", "stub_of", "without"]

_FREE = frozenset({
    "attributes", "capture", "evidence", "hardware", "metrics", "parameters", "policy", "variables",
})  # fmt: skip
"""Fields whose keys are chosen by whoever wrote them: all other keys are of the format."""


def stub_of(kind: str, v: int, body: bytes) -> bytes:
    """A stub with the names of ``body`` alone (canonical JSON).

    Raises ``RefusedError``: ``not-redactable`` for what cannot be redacted,
    ``redaction-loses-names`` where a name is in a place that no rule speaks of.
    """
    value, rule = _parsed(body), names_of(kind)
    return _checked(kind, v, body, canonical(_kept(value, rule) if value else {}))


def only_names(kind: str, v: int, body: bytes) -> bool:
    """Whether a body is a stub that nothing was left in but names."""
    try:
        return stub_of(kind, v, body) == body
    except InputError:
        return False


def without(
    kind: str,
    v: int,
    body: bytes,
    words: Words,
    *,
    person: str = "",
    blobs: Container[str] = frozenset(),
) -> bytes:
    """``body`` without ``words``, references to ``blobs`` and what it says of ``person``.

    Names stay. It is ``body`` itself where nothing had to go. Raises as :func:`stub_of`.
    """
    value, rule = _parsed(body), names_of(kind)
    if kind == "person.described" and value.get("person") == person:
        return stub_of(kind, v, body)
    cleared = _cleared(_unreferred(value, blobs), rule, words)
    user = cleared.get("user")
    if kind == "run.started" and isinstance(user, dict) and user.get("person") == person:
        cleared = {**cleared, "user": {"person": person}}
    return body if cleared == value else _checked(kind, v, body, canonical(cleared))


class Words:
    """Texts to look for: each as a whole, not within a longer word, in any case of letters."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = sorted(filter(None, set(texts)), key=lambda each: (-len(each), each))
        alternatives = "|".join(map(re.escape, self.texts))
        self._found = re.compile(rf"(?<![^\W_])(?:{alternatives})(?![^\W_])", re.IGNORECASE)

    def __bool__(self) -> bool:
        return bool(self.texts)

    def within(self, said: str) -> bool:
        """Whether one of them occurs."""
        return bool(self.texts) and self._found.search(said) is not None

    def erased(self, said: str) -> str:
        """The text with a mark in the place of each."""
        return self._found.sub(ERASED, said) if self.texts else said


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        value = parse_json(body)
    except InputError:
        return {}  # never interpreted, so nothing in it is a name
    return value if isinstance(value, dict) else {}


def _checked(kind: str, v: int, body: bytes, stub: bytes) -> bytes:
    try:
        before = interpret(kind, v, body)
    except InputError:
        before = Claims()
    check_stub(before, interpret(kind, v, stub))
    return stub


def _kept(value: Any, rule: Rule) -> Any:
    """What of a value is a name."""
    if isinstance(rule, Fixed):
        return rule.value
    if isinstance(rule, list):
        return [_kept(each, rule[0]) for each in value] if isinstance(value, list) else []
    if isinstance(rule, Mapping):
        found = value if isinstance(value, dict) else {}
        return {name: _kept(found[name], inner) for name, inner in rule.items() if name in found}
    if rule is OWNERS:
        return [{"name": owner["name"]} for owner in sequence(value) if _is_team(owner)]
    return value


def _is_team(owner: Any) -> bool:
    name = text(mapping(owner).get("name"))
    return bool(name) and not is_person(name)


def _cleared(value: Any, rule: Rule | None, words: Words, *, free: bool = False) -> Any:
    """A value without words, but in its names. ``free``: its keys are anybody's, too."""
    if rule is KEEP:
        return value
    if rule is NESTED:
        return _cleared_stub(value, words)
    if rule is OWNERS:
        return [o if _is_team(o) else _cleared(o, None, words) for o in sequence(value)]
    if isinstance(value, dict):
        inner = rule if isinstance(rule, Mapping) else {}
        cleared: dict[str, Any] = {}
        for name, each in value.items():
            key = _unused(words.erased(name), cleared) if free else name
            inner_free = free or name in _FREE
            cleared[key] = _cleared(each, inner.get(name), words, free=inner_free)
        return cleared
    if isinstance(value, list):
        each_rule = rule[0] if isinstance(rule, list) else None
        return [_cleared(each, each_rule, words, free=free) for each in value]
    return words.erased(value) if isinstance(value, str) else value


def _unreferred(value: Any, blobs: Container[str]) -> Any:
    """A value without the references to some blobs."""

    def gone(each: Any) -> bool:
        return isinstance(each, dict) and "size" in each and each.get("sha256") in blobs

    if isinstance(value, dict):
        return {name: _unreferred(each, blobs) for name, each in value.items() if not gone(each)}
    if isinstance(value, list):
        return [_unreferred(each, blobs) for each in value if not gone(each)]
    return value


def _unused(name: str, taken: Container[str]) -> str:
    """Two keys may become one text."""
    numbered = (f"{name} {n}" for n in count(2))
    return name if name not in taken else next(each for each in numbered if each not in taken)


def _cleared_stub(stub: str, words: Words) -> str:
    """The stub in a redaction without words: as its target's is, so that both stay equal."""
    value = parse_json(stub)
    cleared = _cleared(value, names_of(_kind_of(value)), words)
    return stub if cleared == value else canonical(cleared).decode("ascii")


def _kind_of(value: Any) -> str:
    """The kind of a stub: events of OpenLineage do not say theirs."""
    fields = mapping(value)
    foreign = next((name for name in ("run", "dataset", "job") if name in fields), "")
    return text(fields.get("kind")) or f"openlineage.{foreign}"
