"""Ids: readable ASCII strings, built and parsed here and nowhere else.

Grammar: ``class:part[,part...][@version]``. Classes and their parts::

    artifact:<namespace>,<name>[@<version token>]
    job:<namespace>,<name>
    run:<job namespace>,<job name>,<run id>
    team:<name>   person:<opaque>   service:<namespace>,<name>
    scope:<namespace pattern>,<name pattern>      the subject of an ownership rule

Within a part ``% , @ # ~``, white space, control characters and every non-ASCII byte are
percent-encoded (upper-case hex, lone surrogates as ``surrogatepass``). A part of more than 1,024
bytes after encoding becomes its first 900 (never cutting an escape) + ``~`` + its SHA-256: such an
id round-trips as an id, the name it stands for is then known to the ledger only.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

from lineage.errors import RefusedError

__all__ = [
    "ARTIFACT",
    "JOB",
    "PERSON",
    "PLACEHOLDER",
    "RUN",
    "SCOPE",
    "SERVICE",
    "TEAM",
    "ParsedId",
    "Part",
    "artifact_id",
    "artifact_of",
    "class_of",
    "delta_token",
    "file_token",
    "is_bare_number",
    "job_id",
    "job_of_run",
    "number_of_token",
    "parse_id",
    "person_id",
    "run_id",
    "run_token",
    "scope_id",
    "service_id",
    "team_id",
    "token_of",
    "with_version",
]

ARTIFACT, JOB, RUN = "artifact", "job", "run"
TEAM, PERSON, SERVICE, SCOPE = "team", "person", "service", "scope"
PLACEHOLDER = "run."
"""What the token of an output begins with whose producer named no version."""

_PARTS = {ARTIFACT: 2, JOB: 2, RUN: 3, TEAM: 1, PERSON: 1, SERVICE: 2, SCOPE: 2}
_MAX_PART, _KEPT = 1024, 900
_SAFE = frozenset(range(0x21, 0x7F)) - frozenset(b"%,@#~")
_ESCAPED = [chr(b) if b in _SAFE else f"%{b:02X}" for b in range(256)]
_PLAIN = re.compile(r"[!-~]*\Z")
_RESERVED = re.compile(r"[%,@#~]")
_ESCAPE = re.compile(rb"%([0-9A-F]{2})")
_CUT = re.compile(r"(?P<head>[^~]*)~(?P<digest>[0-9a-f]{64})\Z")
_BARE_NUMBER = re.compile(r"[0-9]{1,20}\Z")
_NUMBERED = re.compile(r"([0-9]{1,20})\.")


@dataclass(frozen=True, slots=True)
class Part:
    """One decoded part. ``digest`` is set on a shortened name: ``text`` is its head then."""

    text: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class ParsedId:
    """An id taken apart."""

    cls: str
    parts: tuple[Part, ...]
    version: Part | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """The parts as text (heads of shortened ones)."""
        return tuple(part.text for part in self.parts)


@lru_cache(maxsize=65536)
def _encode(part: str) -> str:
    if len(part) <= _MAX_PART and _PLAIN.match(part) and not _RESERVED.search(part):
        return part
    raw = part.encode("utf-8", "surrogatepass")
    tokens = [_ESCAPED[byte] for byte in raw]
    if sum(map(len, tokens)) <= _MAX_PART:
        return "".join(tokens)
    head: list[str] = []
    length = 0
    for token in tokens:
        if length + len(token) > _KEPT:
            break
        head.append(token)
        length += len(token)
    return "".join(head) + "~" + hashlib.sha256(raw).hexdigest()


def _decode(part: str) -> Part:
    cut = _CUT.match(part)
    head = cut["head"] if cut else part
    raw = _ESCAPE.sub(lambda m: bytes([int(m[1], 16)]), head.encode("ascii"))
    # The head of a shortened name may end inside a character; the digest is what identifies it.
    text = raw.decode("utf-8", "replace" if cut else "surrogatepass")
    return Part(text, cut["digest"] if cut else None)


def _build(cls: str, *parts: str, version: str | None = None) -> str:
    built = f"{cls}:{','.join(map(_encode, parts))}"
    return built if version is None else f"{built}@{_encode(version)}"


def artifact_id(namespace: str, name: str, version: str | None = None) -> str:
    """Id of an artifact, or with ``version`` (a token) of one of its versions."""
    return _build(ARTIFACT, namespace, name, version=version)


def job_id(namespace: str, name: str) -> str:
    """Id of a job."""
    return _build(JOB, namespace, name)


def run_id(namespace: str, job: str, run: str) -> str:
    """Id of a run. The job is part of it: producers reuse one run id for several jobs."""
    return _build(RUN, namespace, job, run)


def team_id(name: str) -> str:
    """Id of a team."""
    return _build(TEAM, name)


def person_id(opaque: str) -> str:
    """Id of a person: an opaque string, never a name or an e-mail address."""
    return _build(PERSON, opaque)


def service_id(namespace: str, name: str) -> str:
    """Id of a service."""
    return _build(SERVICE, namespace, name)


def scope_id(namespace: str, name: str) -> str:
    """Id of a scope pattern: globs over namespace and name, the subject of ownership rules."""
    return _build(SCOPE, namespace, name)


def with_version(artifact: str, token: str) -> str:
    """The id of version ``token`` of the artifact id ``artifact``."""
    return f"{artifact}@{_encode(token)}"


def class_of(node: str) -> str:
    """The class of an id: ``artifact``, ``run``, ..."""
    return node[: node.index(":")]


def artifact_of(node: str) -> str:
    """The id without its version; an id that has none is returned as it is."""
    at = node.find("@")
    return node if at < 0 else node[:at]


def token_of(node: str) -> str:
    """The encoded version token of an id, or the empty string."""
    at = node.find("@")
    return "" if at < 0 else node[at + 1 :]


def job_of_run(run: str) -> str:
    """The id of the job a run id belongs to."""
    return f"{JOB}:{run[len(RUN) + 1 : run.rindex(',')]}"


def parse_id(node: str) -> ParsedId:
    """Take an id apart.

    Raises ``RefusedError`` (``bad-id``) for a string that is not in the grammar.
    """
    cls, colon, rest = node.partition(":")
    body, at, version = rest.partition("@")
    parts = body.split(",")
    wanted = _PARTS.get(cls)
    if not colon or wanted != len(parts) or (at and cls != ARTIFACT):
        raise _bad_id(node)
    try:
        parsed = ParsedId(cls, tuple(map(_decode, parts)), _decode(version) if at else None)
    except (UnicodeDecodeError, UnicodeEncodeError) as fault:
        raise _bad_id(node) from fault
    if not _is_canonical(parsed, node):
        raise _bad_id(node)
    return parsed


def _is_canonical(parsed: ParsedId, node: str) -> bool:
    """One thing has one id: an id that another spelling would build is refused."""
    encoded = [_recode(part) for part in parsed.parts]
    rebuilt = f"{parsed.cls}:{','.join(encoded)}"
    if parsed.version is not None:
        rebuilt += f"@{_recode(parsed.version)}"
    if any(part.digest for part in (*parsed.parts, *((parsed.version,) if parsed.version else ()))):
        return node.isascii() and not re.search(r"[\s\x00-\x20\x7f#]", node)
    return rebuilt == node


def _recode(part: Part) -> str:
    return _encode(part.text)


def _bad_id(node: str) -> RefusedError:
    return RefusedError(
        f"not an id: {node[:200]!r}",
        code="bad-id",
        hint="ids look like artifact:<namespace>,<name>@<version>, run:<namespace>,<job>,<run id>, "
        "team:<name>; names are percent-encoded (see the glossary)",
    )


def delta_token(version: int, table_id: str) -> str:
    """Version token of a Delta table: ``12.1f3a9c2e``.

    The eight hex digits are of SHA-256(metaData.id): a table that was dropped and made again has a
    second version 12.
    """
    return f"{version}.{hashlib.sha256(table_id.encode()).hexdigest()[:8]}"


def file_token(sha256_hex: str) -> str:
    """Version token of a file or of anything identified by its bytes."""
    return f"sha256.{sha256_hex}"


def run_token(run: str) -> str:
    """Version token of an output whose producer names no version; ``run`` is a run's id."""
    return f"{PLACEHOLDER}{hashlib.sha256(run.encode()).hexdigest()[:16]}"


def number_of_token(token: str) -> str | None:
    """The number people see of a token (``12`` of ``12.1f3a9c2e``), or None where it has none."""
    found = _NUMBERED.match(token)
    return found[1] if found else None


def is_bare_number(said: str) -> bool:
    """Whether a version named by a producer is a bare number, which does not identify a version."""
    return bool(_BARE_NUMBER.match(said))
