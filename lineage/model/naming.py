"""One normalisation of names, in one place (OpenLineage's naming rules), and what names tell.

Identity is ``(namespace, name)`` compared byte for byte after :func:`normalise`. Kind is an
attribute, not identity; the built-in rules here say which kind a path suggests.
"""

from __future__ import annotations

import posixpath
import re
from functools import lru_cache

from lineage.model.ids import RUN, SCOPE, number_of_token, parse_id

__all__ = [
    "FILE",
    "MODEL_SUFFIXES",
    "UNKNOWN_KIND",
    "display_name",
    "kind_of_path",
    "normalise",
    "short_token",
    "terms_of",
    "terms_of_name",
]

FILE = "file"
UNKNOWN_KIND = "dataset"
"""Kind of an artifact that nobody has described: OpenLineage's word for anything with a name."""

MODEL_SUFFIXES = frozenset({
    ".joblib", ".pkl", ".pickle", ".pt", ".pth", ".safetensors", ".onnx", ".keras", ".h5", ".hdf5",
    ".gguf", ".ubj", ".cbm", ".mlmodel", ".tflite", ".pb", ".npz",
})  # fmt: skip
"""Suffixes of files that are taken for models. ``.npz`` is last: it is data as often."""

_SCHEME_ALIASES = {"s3a": "s3", "s3n": "s3", "wasb": "wasbs", "abfs": "abfss"}
_DEFAULT_PORTS = {
    "postgres": "5432", "mysql": "3306", "sqlserver": "1433", "mssql": "1433", "oracle": "1521",
    "redshift": "5439", "trino": "8080", "hive": "10000", "cassandra": "9042", "kafka": "9092",
    "hdfs": "8020", "mongodb": "27017", "http": "80", "https": "443",
}  # fmt: skip
_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)\Z", re.DOTALL)
_LOCAL = re.compile(r"file:(//(localhost)?)?/?\Z")
_REPEATED = re.compile(r"/(?:\.?/)+")


@lru_cache(maxsize=65536)
def normalise(namespace: str, name: str) -> tuple[str, str]:
    """The one spelling of a name.

    Aliases of a scheme become one (``s3a`` -> ``s3``), default ports and trailing slashes go, local
    files are namespace ``file`` and an absolute path. What is not a URI is left as it is.
    """
    if namespace == FILE or _LOCAL.match(namespace):
        return FILE, _local_name(name)
    uri = _URI.match(namespace)
    if uri is None:
        return _no_trailing_slash(namespace), _no_trailing_slash(name)
    scheme = uri["scheme"].lower()
    scheme = _SCHEME_ALIASES.get(scheme, scheme)
    authority = _no_trailing_slash(uri["rest"])
    port = _DEFAULT_PORTS.get(scheme)
    host, slash, path = authority.partition("/")
    if port is not None and host.endswith(f":{port}"):
        host = host[: -len(port) - 1]
    return f"{scheme}://{host}{slash}{path}", _no_trailing_slash(name)


def _local_name(name: str) -> str:
    """Lexical only: whoever captures a path resolves symbolic links, this cannot."""
    if name.startswith("file:"):
        name = "/" + name[len("file:") :].lstrip("/").removeprefix("localhost/")
    return _no_trailing_slash(_REPEATED.sub("/", name))


def _no_trailing_slash(text: str) -> str:
    return text.rstrip("/") or text[:1]


def kind_of_path(name: str) -> str | None:
    """The kind that a file's name suggests (``model``), or None: then it is a plain file."""
    suffix = posixpath.splitext(name)[1].lower()
    return "model" if suffix in MODEL_SUFFIXES else None


def display_name(name: str, kind: str | None) -> str:
    """The name people see: the stem of a model's file, the last two segments of a longer path."""
    if kind == "model":
        return posixpath.splitext(posixpath.basename(name))[0] or name
    if "/" in name:
        return "/".join(name.strip("/").split("/")[-2:])
    return name


_HEX = re.compile(r"[0-9a-f]{16,}\Z")
_SHORT_HEX = 12


def short_token(token: str) -> str:
    """A version as people see it: its number, or the start of its digest (``sha256.1f3a9c2e04b7``).

    What is shown can be typed back as the version of a name.
    """
    number = number_of_token(token)
    if number is not None:
        return number
    scheme, dot, rest = token.partition(".")
    return f"{scheme}.{rest[:_SHORT_HEX]}" if dot and _HEX.match(rest) else token[:80]


_TOKEN = re.compile(r"[^\W_]+")


def terms_of(node: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Case-folded names and tokens under which an id is found: ``((names), (tokens))``.

    Names are the name itself, its last segment and that segment's stem. A run is found by its run
    id alone; a version, which is found by its artifact, and a scope pattern have no terms.
    """
    parsed = parse_id(node)
    if parsed.version is not None:
        return (), ()
    return terms_of_name(parsed.cls, parsed.texts[-1])


def terms_of_name(cls: str, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The terms of an id without a version by its class and its last part, decoded."""
    if cls == SCOPE:
        return (), ()
    folded = name.casefold()
    if cls == RUN:
        return (folded,) if folded else (), ()
    last = folded.rstrip("/").rpartition("/")[2]
    stem = posixpath.splitext(last)[0]
    names = tuple(dict.fromkeys(text for text in (folded, last, stem) if text))
    return names, tuple(dict.fromkeys(_TOKEN.findall(folded)))
