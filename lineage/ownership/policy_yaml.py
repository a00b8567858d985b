"""The YAML of policies: mappings, lists and scalars, written out. All else of YAML is refused.

What YAML can hide a rule behind, a policy has no need of: aliases (a small file that blows up, a
rule that stands elsewhere), merge keys (a key said twice without a trace), tags, keys that are no
text (``yes`` and ``on`` are one key), depth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Any

import yaml
from typing_extensions import override

from lineage.errors import PolicyError

__all__ = ["MAX_BYTES", "MAX_DEPTH", "load"]

MAX_BYTES = 1 << 20
MAX_DEPTH = 60

_TEXT = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"
_WRITE_IT_OUT = (
    "write it out: a policy has mappings, lists and texts, and nothing refers to another"
)


def load(text: bytes) -> Any:
    """The one document in a text as plain data. Raises ``PolicyError``."""
    if len(text) > MAX_BYTES:
        raise PolicyError(f"a policy of more than {MAX_BYTES} bytes")
    try:
        _refuse_unplain(yaml.parse(text, _Loader))
        return yaml.load(text, _Loader)  # noqa: S506  # a safe loader
    except (yaml.YAMLError, ValueError) as fault:
        raise PolicyError(f"not YAML: {' '.join(str(fault).split())[:300]}") from fault


class _Loader(yaml.SafeLoader):
    """Refuses keys that are no text, and one that is said twice: YAML would keep the last."""

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key for key, _ in node.value]
        for key in keys:
            if key.tag == _MERGE:
                raise _refused(key, "a merge key (`<<`)", _WRITE_IT_OUT)
            if key.tag != _TEXT:
                raise _refused(key, "a key that is no text", "put it in quotes")
        for name, times in Counter(key.value for key in keys).items():
            if times > 1:
                raise _refused(node, f"said twice in one place: {name:.100}", "say it once")
        return super().construct_mapping(node, deep)


def _refuse_unplain(events: Iterable[yaml.Event]) -> None:
    """Refuse aliases, tags and depth before anything is built of them."""
    depth = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            raise _refused(event, "a YAML alias", _WRITE_IT_OUT)
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            raise _refused(event, "a YAML anchor", _WRITE_IT_OUT)
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag:
            raise _refused(event, f"a YAML tag: {event.tag:.100}", _WRITE_IT_OUT)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise PolicyError(f"a policy nested deeper than {MAX_DEPTH} levels")


def _refused(at: yaml.Event | yaml.Node, what: str, hint: str) -> PolicyError:
    where = "" if at.start_mark is None else f" (line {at.start_mark.line + 1})"
    return PolicyError(f"{what}{where}", hint=hint)
