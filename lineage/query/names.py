"""Names people type, to ids: ``model:fraud@3``, ``table:features/tx@12``, a path, a name, a prefix.

The first of these ways that finds something decides: an id; a path or a URI; ``kind:name``; a
display name; any name; the prefix of an id; the prefix of a name. Several things found the same way
are an error that lists them, unless all of them are names of one thing.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Sequence

from lineage.errors import AmbiguousNameError, RefusedError, UnknownNameError
from lineage.model.claims import EdgeType
from lineage.model.ids import (
    ARTIFACT,
    JOB,
    PERSON,
    RUN,
    SCOPE,
    SERVICE,
    TEAM,
    artifact_id,
    artifact_of,
    class_of,
    is_bare_number,
    number_of_token,
    parse_id,
)
from lineage.model.naming import FILE, display_name, normalise
from lineage.model.resolution import components, is_placeholder
from lineage.query.facts import kind_of
from lineage.store.contract import Direction, Hit, Store, View

__all__ = ["resolve_name", "resolve_names"]

_MAX_NAME = 8_192
_LISTED = 10
"""How many candidates an error lists."""
_SEARCHED = 1_000
"""How many things of one name are looked at."""
_LEAST_PREFIX = 4
"""Fewest characters that name something by its beginning."""
_CLASSES = frozenset({ARTIFACT, JOB, RUN, TEAM, PERSON, SERVICE, SCOPE})


def resolve_name(store: Store, text: str, view: View, *, base: str = "") -> str:
    """The id that ``text`` means at ``view``.

    ``base`` is the directory that relative paths start from; without it they are not paths. Raises
    ``UnknownNameError``, or ``AmbiguousNameError`` whose ``candidates`` are ids.
    """
    # A name means what it is known to mean, whenever the thing itself came to be.
    return _Lookup(store, View(view.position), base).resolve(text)


def resolve_names(store: Store, texts: Sequence[str], view: View) -> list[str | Exception]:
    """Ids of several names in their order, with the error in the place of one that has none."""
    known = store.known([text for text in texts if _is_id(text)], view)
    found: list[str | Exception] = []
    for text in texts:
        try:
            found.append(text if text in known else resolve_name(store, text, view))
        except (UnknownNameError, AmbiguousNameError) as fault:
            found.append(fault)
    return found


def _is_id(text: str) -> bool:
    try:
        parse_id(text)
    except RefusedError:
        return False
    return True


class _Lookup:
    def __init__(self, store: Store, view: View, base: str) -> None:
        self.store = store
        self.view = view
        self.base = base

    def resolve(self, text: str) -> str:
        if not text.strip() or len(text) > _MAX_NAME:
            raise UnknownNameError("an empty name" if text.strip() == "" else "a name too long")
        name, at, version = text.rpartition("@")
        found = self._one_way(text, _EXACT)
        if not found and at and name and version:
            found = self._versions(self._one_way(name, _EXACT), version)
        if not found:
            found = self._one_way(text, _PREFIX)
        found = self._merged(sorted(set(found)))
        if len(found) == 1:
            return found[0]
        if found:
            raise AmbiguousNameError(
                f"{text!r:.200} means {'more than ' if len(found) > _LISTED else ''}"
                f"{min(len(found), _LISTED)} things",
                candidates=found[:_LISTED],
                hint="use one of the ids, or say the kind, like model:name@version",
            )
        raise UnknownNameError(f"nothing is known by {text!r:.200}", hint=self._advice(text))

    def _one_way(self, text: str, ways: Sequence[Way]) -> list[str]:
        for way in ways:
            if found := way(self, text):
                return found
        return []

    # --- ways

    def by_id(self, text: str) -> list[str]:
        return list(self.store.known([text], self.view)) if _is_id(text) else []

    def by_path(self, text: str) -> list[str]:
        if not text.startswith("/"):
            if not self.base or "://" in text:
                return []
            text = posixpath.normpath(posixpath.join(self.base, text))
        return self._known([(FILE, text)])

    def by_uri(self, text: str) -> list[str]:
        scheme, mark, rest = text.partition("://")
        if not mark or not scheme:
            return []
        if scheme == FILE:
            return self.by_path("/" + rest.partition("/")[2])
        cuts = [i for i, letter in enumerate(rest) if letter == "/"][:20]
        return self._known([
            (f"{scheme}://{rest[:cut]}", name)
            for cut in cuts for name in (rest[cut + 1 :], rest[cut:])
        ])  # fmt: skip

    def by_kind(self, text: str) -> list[str]:
        kind, colon, name = text.partition(":")
        if not colon or not name:
            return []
        if kind in _CLASSES - {ARTIFACT}:
            return self._named(name, (kind,))
        return self._of_kind(self._named(name, (ARTIFACT,)), kind)

    def by_name(self, text: str) -> list[str]:
        return [] if _is_place(text) else self._named(text, ())

    def by_id_prefix(self, text: str) -> list[str]:
        cls, _, rest = text.partition(":")
        if cls not in _CLASSES or len(rest) < _LEAST_PREFIX or not text.isascii():
            return []
        ids = self.store.page(self.view, versions="@" in text, after=text, limit=_LISTED + 1)
        return [node for node in ids if node.startswith(text)]

    def by_name_prefix(self, text: str) -> list[str]:
        if _is_place(text):
            return []
        kind, colon, name = text.partition(":")
        if colon and kind in _CLASSES - {ARTIFACT}:
            return self._prefixed(name, (kind,))
        if colon and name and (found := self._of_kind(self._prefixed(name, (ARTIFACT,)), kind)):
            return found
        return self._prefixed(text, ())

    # --- parts

    def _known(self, names: Iterable[tuple[str, str]]) -> list[str]:
        return list(self.store.known({artifact_id(*normalise(*name)) for name in names}, self.view))

    def _hits(self, text: str, classes: Sequence[str], worst: int) -> list[str]:
        """Ids whose search rank is at most ``worst``."""
        hits: list[Hit] = []
        after: Hit | None = None
        while len(hits) < _SEARCHED:
            page = self.store.search(text, self.view, classes=classes, after=after, limit=100)
            good = [hit for hit in page if hit.rank <= worst]
            hits += good
            if len(good) < 100:
                break
            after = page[-1]
        return [hit.id for hit in hits]

    def _prefixed(self, text: str, classes: Sequence[str]) -> list[str]:
        return self._hits(text, classes, 1) if len(text) >= _LEAST_PREFIX else []

    def _named(self, text: str, classes: Sequence[str]) -> list[str]:
        """Things of that name: those that people see by it, else as spelt, else case-folded."""
        wanted = text.strip("/")
        last = wanted.rpartition("/")[2]
        if not last:
            return []
        hits = [hit for hit in self._hits(last, classes, 0) if _ends(hit, wanted, folded=True)]
        if not hits:
            return []
        kinds = self._kinds(hits)
        seen = [hit for hit in hits if display_name(_own_name(hit), kinds[hit]) == wanted]
        return seen or [hit for hit in hits if _ends(hit, wanted, folded=False)] or hits

    def _of_kind(self, ids: Sequence[str], kind: str) -> list[str]:
        kinds = self._kinds(ids)
        return [node for node in ids if kinds[node] == kind]

    def _kinds(self, ids: Sequence[str]) -> dict[str, str]:
        nodes = {node.id: node.attributes for node in self.store.nodes(list(ids), self.view)}
        return {node: kind_of(node, nodes.get(node, {})) for node in ids}

    def _versions(self, artifacts: Sequence[str], version: str) -> list[str]:
        tokens = [
            (node, parsed.text)
            for artifact in artifacts if class_of(artifact) == ARTIFACT
            for node, _ in self.store.versions(artifact_of(artifact), self.view)
            if (parsed := parse_id(node).version)
        ]  # fmt: skip
        for fits in (_whole, _number):
            if found := [node for node, token in tokens if fits(token, version)]:
                return found
        if is_bare_number(version) and (found := self._said([n for n, _ in tokens], version)):
            return found
        return [node for node, token in tokens if _prefix(token, version)]

    def _said(self, versions: Sequence[str], number: str) -> list[str]:
        """Versions without a token of their own, whose producer said this number."""
        unnamed = [node for node in versions if is_placeholder(node)]
        up = Direction.UPSTREAM
        return list(dict.fromkeys(
            edge.down
            for edge in self.store.edges(unnamed, up, self.view, [EdgeType.GENERATED])
            for claim in self.store.evidence(edge.type, edge.up, edge.down, self.view)
            if claim.said == number
        ))  # fmt: skip

    def _merged(self, found: list[str]) -> list[str]:
        """One id where all that was found is one thing under several names: the smallest."""
        if len(found) < 2:
            return found
        same = self.store.edges(found, Direction.UPSTREAM, self.view, [EdgeType.SAME_AS])
        of = components((edge.up, edge.down) for edge in same)
        return found[:1] if len({of.get(node, node) for node in found}) == 1 else found

    def _advice(self, text: str) -> str:
        name = text.rpartition("@")[0] or text
        base = self._one_way(name, _EXACT) if name != text else []
        if base:
            return f"known, but without that version: {', '.join(base[:_LISTED])}"
        last = name.rpartition(":")[2].rpartition("/")[2]
        near = [hit.id for hit in self.store.search(last, self.view, limit=5)]
        return f"did you mean {', '.join(near)}?" if near else "try `lineage search TEXT`"


Way = Callable[[_Lookup, str], list[str]]

_EXACT: Sequence[Way] = (
    _Lookup.by_id,
    _Lookup.by_path,
    _Lookup.by_uri,
    _Lookup.by_kind,
    _Lookup.by_name,
)
_PREFIX: Sequence[Way] = (_Lookup.by_id_prefix, _Lookup.by_name_prefix)


def _is_place(text: str) -> bool:
    """Whether it is a path or a URI: that names one place, and nothing that looks like it."""
    return text.startswith("/") or "://" in text


def _own_name(node: str) -> str:
    return parse_id(node).texts[-1]


def _ends(node: str, wanted: str, *, folded: bool) -> bool:
    """Whether a name, or its stem, is ``wanted`` or ends with these segments."""
    name = _own_name(node)
    if folded:
        name, wanted = name.casefold(), wanted.casefold()
    names = (name, posixpath.splitext(name)[0])
    return any(text == wanted or text.endswith(f"/{wanted}") for text in names)


def _whole(token: str, version: str) -> bool:
    return token == version


def _number(token: str, version: str) -> bool:
    return number_of_token(token) == version


def _prefix(token: str, version: str) -> bool:
    if len(version) < _LEAST_PREFIX:
        return False
    return token.startswith(version) or token.partition(".")[2].startswith(version)
