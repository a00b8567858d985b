"""Policies: which rules an action must pass, as YAML.

::

    version: 1
    limit: 20000                 # nodes upstream that a gate looks at
    actions:
      deploy:
        all:                     # or `any`; they nest
          - rule: owner-accepted
            kinds: [model, table]
          - rule: run-complete

What is not understood is refused (``PolicyError``), never skipped: a rule with a misspelt name must
not be a rule less. Nothing in a file is code. Of YAML, only the plain (:mod:`.policy_yaml`).
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from lineage.errors import PolicyError
from lineage.model.canonical import canonical
from lineage.ownership.checks import AllOf, AnyOf, Check
from lineage.ownership.policy_yaml import MAX_BYTES, load
from lineage.ownership.rules import RULES

__all__ = ["Policy", "default_policy", "parse_policy", "read_policy"]

_LIMIT = 20_000
_MAX_DEPTH = 20
_COMBINATIONS: dict[str, type[AllOf | AnyOf]] = {"all": AllOf, "any": AnyOf}


@dataclass(frozen=True)
class Policy:
    """The rules of one action. ``sha256`` is of the part of the file that was used."""

    action: str
    check: Check
    limit: int
    name: str
    sha256: str

    def as_dict(self) -> dict[str, Any]:
        """What is logged of the policy."""
        return {"name": self.name, "sha256": self.sha256, "limit": self.limit}


def default_policy(action: str) -> Policy:
    """The policy of this package for an action."""
    text = files("lineage.ownership").joinpath("default-policy.yaml").read_bytes()
    return parse_policy(text, action, name="default")


def read_policy(path: Path, action: str) -> Policy:
    """The policy in a file for an action. Raises ``PolicyError``."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as fault:
        raise PolicyError(f"the policy {path} cannot be read: {fault.strerror}") from fault
    return parse_policy(text, action, name=path.name)


def parse_policy(text: bytes, action: str, *, name: str = "policy") -> Policy:
    """The policy in a YAML text for an action.

    An empty text, and an action with no rules, are policies that deny. Raises ``PolicyError`` for
    what is not understood, and for an action that the policy does not name.
    """
    whole = _mapping(load(text), name, {"version", "limit", "actions"})
    version = whole.get("version")
    if whole and (version != 1 or type(version) is not int):
        raise PolicyError(
            f"{name}: version {version!r:.100} is not known", hint="write `version: 1`"
        )
    limit = whole.get("limit", _LIMIT)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise PolicyError(f"{name}: limit is not a number of nodes: {limit!r:.100}")
    actions = _mapping(whole.get("actions"), f"{name}: actions", None)
    if actions and action not in actions:
        raise PolicyError(
            f"{name}: no action is called {action!r:.100}",
            hint=f"it knows {', '.join(actions)}",
        )
    # All of the file has to be understood: a fault in another action is a fault in the file.
    checks = {each: _action(value, f"{name}: {each}") for each, value in actions.items()}
    check = checks.get(action, AllOf(()))
    used = {"action": action, "rules": actions.get(action), "limit": limit, "version": 1}
    return Policy(action, check, limit, name, hashlib.sha256(_bytes(used, name)).hexdigest())


def _action(value: Any, where: str) -> Check:
    """A list of rules is ``all`` of them; nothing at all is a policy that denies."""
    if value is None or value == {}:
        return AllOf(())
    if isinstance(value, list):
        return AllOf(tuple(_check(part, where, 1) for part in value))
    return _check(value, where, 1)


def _check(value: Any, where: str, depth: int) -> Check:
    if depth > _MAX_DEPTH:
        raise PolicyError(f"{where}: nested deeper than {_MAX_DEPTH} levels")
    part = _mapping(value, where, None)
    if "rule" in part:
        return _rule(part, where)
    words = [word for word in _COMBINATIONS if word in part]
    if len(words) != 1 or len(part) != 1:
        raise PolicyError(
            f"{where}: neither a rule nor one of `all` and `any`: {sorted(part)}",
            hint="write `- rule: NAME` with its parameters beside it, or `all:` and a list",
        )
    parts = part[words[0]]
    if not isinstance(parts, list) and parts is not None:
        raise PolicyError(f"{where}: `{words[0]}` is not a list")
    inner = tuple(_check(each, f"{where}: {words[0]}", depth + 1) for each in parts or ())
    return _COMBINATIONS[words[0]](inner)


def _rule(part: dict[str, Any], where: str) -> Check:
    rule = RULES.get(part["rule"]) if isinstance(part["rule"], str) else None
    if rule is None:
        raise PolicyError(
            f"{where}: no rule is called {part['rule']!r:.100}",
            hint=f"the rules are {', '.join(sorted(RULES))}",
        )
    known = {field.name for field in dataclasses.fields(rule)}  # type: ignore[arg-type]  # each is
    given = {key: value for key, value in part.items() if key != "rule"}
    if unknown := sorted(given.keys() - known):
        raise PolicyError(
            f"{where}: {rule.id} has no parameter {', '.join(unknown)}",
            hint=f"it has {', '.join(sorted(known)) or 'none'}",
        )
    for key in rule.patterns & given.keys():
        if isinstance(given[key], bool):
            given[key] = ["**"] if given[key] else []
    for key, value in given.items():
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise PolicyError(f"{where}: {key} of {rule.id} is not a list of texts")
    return rule(**{key: tuple(value) for key, value in given.items()})


def _mapping(value: Any, where: str, known: set[str] | None) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise PolicyError(f"{where}: not a mapping but {type(value).__name__}")
    if known is not None and (unknown := sorted(value.keys() - known)):
        raise PolicyError(
            f"{where}: not understood: {', '.join(unknown)}",
            hint=f"it may say {', '.join(sorted(known))}",
        )
    return value


def _bytes(used: dict[str, Any], name: str) -> bytes:
    try:
        return canonical(used)
    except TypeError as fault:
        raise PolicyError(f"{name}: something that is no text, number or list") from fault
