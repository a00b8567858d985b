"""Scope patterns: globs over the namespace and the name of artifacts.

==========  ==================================================================
``*``       any characters within one path segment (none, or some, no ``/``)
``**``      any characters, ``/`` too (more stars in a row mean the same)
``?``       one character, but ``/``
others      themselves: ``[``, ``{`` and ``!`` have no meaning
==========  ==================================================================

Both parts must match whole, letter by letter, as decoded from the artifact's id. So ``*`` does not
match the namespace ``s3://lake`` (``**`` does), and ``a/**/b`` matches ``a/x/b`` but not ``a/b``.

Matching simulates the automaton with the bits of one integer: time is linear in the name whatever
the pattern. Backtracking (``re``, ``fnmatch``) takes minutes on ``**a**a**a**a**b``, and whoever
may claim a scope could stall every gate with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

from lineage.model.ids import ARTIFACT, SCOPE, ParsedId, Part, parse_id

__all__ = ["Pattern", "Scope", "Specificity", "scope_of"]

_MANY, _ANY, _ONE = "**", "*", "?"

Specificity = tuple[int, int, int, int, int]
"""Greater is more specific. See :meth:`Scope.specificity`."""


@dataclass(frozen=True)
class Pattern:
    """One glob."""

    text: str

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """Wildcards and single characters, in order; runs of stars are one wildcard."""
        out: list[str] = []
        at = 0
        while at < len(self.text):
            end = at
            while end < len(self.text) and self.text[end] == "*":
                end += 1
            if end > at:
                out.append(_ANY if end - at == 1 else _MANY)
            else:
                end = at + 1
                out.append(self.text[at])
            at = end
        return tuple(out)

    @cached_property
    def prefix(self) -> str:
        """The literal characters before the first wildcard."""
        for at, letter in enumerate(self.text):
            if letter in "*?":
                return self.text[:at]
        return self.text

    @cached_property
    def is_literal(self) -> bool:
        """Whether it has no wildcard."""
        return self.prefix == self.text

    def matches(self, text: str) -> bool:
        """Whether the whole text matches."""
        if self.is_literal:
            return text == self.text
        return text.startswith(self.prefix) and self._run(text)

    def matches_cut(self, head: str) -> bool:
        """Whether every text that begins with ``head`` matches.

        The name of a shortened id is known by its head only.
        """
        return bool(self.tokens) and self.tokens[-1] == _MANY and self.matches(head)

    @cached_property
    def _masks(self) -> tuple[dict[str, int], int, int, int]:
        """Bits of the tokens: by literal character, of ``?``, of ``*``, of ``**``."""
        letters: dict[str, int] = {}
        wild = {_ONE: 0, _ANY: 0, _MANY: 0}
        for at, token in enumerate(self.tokens):
            if token in wild:
                wild[token] |= 1 << at
            else:
                letters[token] = letters.get(token, 0) | 1 << at
        return letters, wild[_ONE], wild[_ANY], wild[_MANY]

    def _run(self, text: str) -> bool:
        """Bit ``n`` of ``here``: the first ``n`` tokens match what was read so far."""
        letters, one, some, many = self._masks
        stars = some | many
        here = _skip_stars(1, stars)
        for letter in text:
            slash = letter == "/"
            stay = here & (many if slash else stars)
            step = here & (letters.get(letter, 0) | (0 if slash else one))
            here = _skip_stars(stay | step << 1, stars)
            if not here:
                return False
        return bool(here >> len(self.tokens) & 1)


def _skip_stars(here: int, stars: int) -> int:
    """Stars also match nothing; two of them never stand side by side."""
    return here | (here & stars) << 1


@dataclass(frozen=True)
class Scope:
    """A pattern over artifacts, and its id."""

    id: str
    namespace: Pattern
    name: Pattern
    readable: bool = True
    """False for a pattern so long that its id had to be shortened: it matches nothing."""

    def matches(self, artifact: ParsedId) -> bool:
        """Whether an artifact (taken apart) is in the scope; a version is as its artifact."""
        if artifact.cls != ARTIFACT or not self.readable:
            return False
        namespace, name = artifact.parts
        return _fits(self.namespace, namespace) and _fits(self.name, name)

    @cached_property
    def specificity(self) -> Specificity:
        """How narrow the pattern is, comparable with that of any other.

        In this order: the length of the literal text before the first wildcard (of namespace and
        name read as one), the number of literal characters, then fewer ``**``, ``*``, ``?``.
        Patterns that are equal in all of these are equally specific.
        """
        prefix = len(self.namespace.prefix)
        if self.namespace.is_literal:
            prefix += len(self.name.prefix)
        tokens = self.namespace.tokens + self.name.tokens
        wild = [tokens.count(kind) for kind in (_MANY, _ANY, _ONE)]
        many, some, one = wild
        return (prefix, len(tokens) - sum(wild), -many, -some, -one)


def _fits(pattern: Pattern, part: Part) -> bool:
    if part.digest is None:
        return pattern.matches(part.text)
    # The cut may be inside a character, which then shows as U+FFFD.
    return pattern.matches_cut(part.text.rstrip("\ufffd"))


@lru_cache(maxsize=4096)
def scope_of(node: str) -> Scope:
    """The scope that an id stands for. Raises ``RefusedError`` (``bad-id``) for any other id."""
    parsed = parse_id(node)
    if parsed.cls != SCOPE:
        raise ValueError(f"not a scope: {node}")
    namespace, name = parsed.parts
    readable = namespace.digest is None and name.digest is None
    return Scope(node, Pattern(namespace.text), Pattern(name.text), readable)
