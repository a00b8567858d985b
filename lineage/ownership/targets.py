"""What a person names when they speak of ownership: teams, and what teams answer for."""

from __future__ import annotations

from lineage.errors import OwnershipError, RefusedError
from lineage.model.ids import (
    ARTIFACT,
    JOB,
    SCOPE,
    TEAM,
    class_of,
    parse_id,
    scope_id,
    team_id,
)
from lineage.model.naming import normalise
from lineage.ownership.claims import owned_as
from lineage.ownership.patterns import scope_of

__all__ = ["scope_target", "subject_of", "target_words", "team_of"]

_CLASSES = frozenset({"artifact", "job", "run", "person", "service", "scope"})


def team_of(text: str) -> str:
    """The id of a team that a person named ``risk`` or ``team:risk``.

    Raises ``OwnershipError`` (``bad-team``): only a team is accountable, and its name is not empty
    and has no ``|`` (which divides team and claim source in the record).
    """
    cls, colon, _ = text.partition(":")
    if colon and cls in _CLASSES:
        raise _bad_team(text, "only a team can be accountable")
    node = text if colon and cls == TEAM else team_id(text)
    try:
        parsed = parse_id(node)
    except RefusedError as fault:
        raise _bad_team(text, fault.message) from fault
    if not parsed.texts[0].strip() or "|" in node or not text.strip():
        raise _bad_team(text, "a team's name is not empty and has no `|`")
    return node


def scope_target(namespace: str, name: str) -> str:
    """The id of a scope pattern, in the one spelling of names (``s3a://`` -> ``s3://``).

    Raises ``OwnershipError`` (``not-ownable``) for an empty pattern or one that is too long.
    """
    if not namespace or not name:
        raise _not_ownable("an empty pattern matches nothing", "`**` matches everything")
    scope = scope_id(*normalise(namespace, name))
    if not scope_of(scope).readable:
        raise _not_ownable("a pattern of more than 1,024 bytes", "use a shorter one")
    return scope


def target_words(subject: str) -> list[str]:
    """How a person names a subject of ownership on the command line, as separate words."""
    if class_of(subject) == SCOPE:
        return ["--scope", *parse_id(subject).texts]
    return [subject]


def subject_of(target: str) -> str:
    """What a claim on ``target`` is about: versions are owned as their artifact, runs as a job."""
    subject = owned_as(target)
    if parse_id(subject).cls not in (ARTIFACT, JOB, SCOPE):
        raise _not_ownable(f"nobody can own {target}", "claim an artifact, a job or a scope")
    return subject


def _bad_team(text: str, why: str) -> OwnershipError:
    return OwnershipError(
        f"not a team: {text!r:.100}: {why}",
        code="bad-team",
        hint="name it like `risk` or `team:risk`",
    )


def _not_ownable(what: str, hint: str) -> OwnershipError:
    return OwnershipError(what, code="not-ownable", hint=hint)
