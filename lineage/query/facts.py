"""What a node is called and what kind it is, for people: from its id and what is known of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from lineage.model.ids import ARTIFACT, PERSON, RUN, SCOPE, artifact_of, parse_id
from lineage.model.naming import UNKNOWN_KIND, display_name, kind_of_path, short_token
from lineage.store.contract import Attribute, Node

__all__ = ["kind_of", "name_of", "value_of"]


_parsed = lru_cache(maxsize=8192)(parse_id)
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-")


def value_of(attributes: Mapping[str, Attribute], name: str, default: Any = None) -> Any:
    """The value of an attribute as plain data."""
    shown = attributes.get(name)
    return default if shown is None else json.loads(shown.value)


def kind_of(node: str, artifact: Mapping[str, Attribute]) -> str:
    """The kind of a node: its class, or for artifacts and versions what ``artifact`` shows."""
    parsed = _parsed(node)
    if parsed.cls != ARTIFACT:
        return parsed.cls
    said = value_of(artifact, "kind")
    return said if isinstance(said, str) else kind_of_path(parsed.texts[-1]) or UNKNOWN_KIND


def name_of(node: str, kind: str, attributes: Mapping[str, Attribute]) -> str:
    """The name people see, with the number of a version where it has one (``features/tx@12``)."""
    parsed = _parsed(node)
    if parsed.cls == RUN:
        return f"{display_name(parsed.texts[1], None)} {_short(parsed.texts[2])}"
    if parsed.cls == PERSON:
        said = value_of(attributes, "name")
        return said if isinstance(said, str) and said else parsed.texts[0]
    if parsed.cls == SCOPE:
        return " ".join(parsed.texts)
    shown = display_name(parsed.texts[-1], kind)
    return shown if parsed.version is None else f"{shown}@{short_token(parsed.version.text)}"


def _short(run: str) -> str:
    # The first twelve digits of a time-ordered UUID are its millisecond: fewer would look alike.
    return run[:13] if _UUID.match(run) else run[:40]


def artifacts_of(nodes: Mapping[str, Node], node: str) -> Mapping[str, Attribute]:
    """Attributes of the artifact a node is, or is a version of."""
    artifact = nodes.get(artifact_of(node))
    return {} if artifact is None else artifact.attributes
