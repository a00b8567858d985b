"""Settings: one frozen value, and the only place that reads the environment.

Every setting has a default that works on a laptop. Secrets come from the environment or from a file
named there, never from a command line, and are not part of ``repr``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lineage.errors import ConfigError

__all__ = ["NEO4J_SCHEMES", "Settings", "load_settings"]

_MIB = 1 << 20
NEO4J_SCHEMES = frozenset({"neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc"})


@dataclass(frozen=True)
class Settings:
    """What can be set. The name in the environment is ``LINEAGE_`` + the field in capitals."""

    home: Path
    """Everything local: store, key, spool, blobs, dead letters, caches."""
    store: str
    """``sqlite:///path``, or a team's ``neo4j://user@host:7687/database`` (port and database may
    be left out; also neo4j+s, neo4j+ssc, bolt, bolt+s, bolt+ssc)."""
    store_key_file: Path
    """The store's secret key, made on first use: beside a SQLite store, else ``<home>/neo4j.key``.
    All processes of one store need the same."""
    blobs: Path
    """Directory of contents too large for an entry: beside a SQLite store, else
    ``<home>/neo4j.blobs``. All processes of one store need the same."""
    seal_key_file: Path
    """The key that signs checkpoints, made by ``lineage ledger init-key``: beside a SQLite store,
    else ``<home>/neo4j.seal-key``. In no backup. Only who seals needs it."""
    store_password: str = field(default="", repr=False)
    """Password of the user in LINEAGE_STORE (or the file LINEAGE_STORE_PASSWORD_FILE names)."""
    url: str = ""
    """Deliver captured changes to this service instead of a local store."""
    token: str = field(default="", repr=False)
    """Bearer token of the service (LINEAGE_TOKEN, or the file LINEAGE_TOKEN_FILE names)."""
    host: str = "127.0.0.1"
    """Address the service binds to."""
    port: int = 8080
    """Port the service listens on; 0 takes a free one."""
    max_body: int = 16 * _MIB
    """Largest request body, bytes, after decompression."""
    max_event: int = 4 * _MIB
    """Largest single event, bytes."""
    spool_max: int = 1 << 30
    """Bytes that each process of the service may accept while its database is away."""
    job_namespace: str = ""
    """Namespace of jobs of ``lineage run``; empty: ``local://<host name>``."""
    variables: tuple[str, ...] = ()
    """Further environment variables that runs may record (comma-separated)."""
    exclude: tuple[str, ...] = ()
    """Further path prefixes whose reads are no inputs (comma-separated)."""
    hash_limit: int = 1 << 30
    """Bytes of inputs, and again of outputs, that a run may have digested; others have none."""
    kafka_config: str = ""
    """File of properties for the Kafka client, with the names of librdkafka (TLS, SASL)."""
    kafka_user: str = ""
    """User for SASL; its password is sent over TLS unless LINEAGE_KAFKA_CONFIG says otherwise."""
    kafka_password: str = field(default="", repr=False)
    """Password of that user (or the file LINEAGE_KAFKA_PASSWORD_FILE names)."""
    seal_every: int = 60
    """Seconds after which the service seals what was recorded since; 0: not by time."""
    seal_entries: int = 10_000
    """Entries after which the service seals without waiting for LINEAGE_SEAL_EVERY; 0: not so."""
    seal_publish: str = ""
    """Where checkpoints are published, by commas: a directory, ``git:`` and the path of a clone, or
    a bucket (``s3://bucket/prefix``; credentials as for Delta tables there)."""
    isolation: str = "auto"
    """How reproductions are isolated: auto, namespaces or in-process."""

    @property
    def store_kind(self) -> str:
        """``sqlite`` or ``neo4j``. Raises ``ConfigError`` for what is neither."""
        scheme, _, rest = self.store.partition("://")
        if scheme in NEO4J_SCHEMES and rest:
            return "neo4j"
        if scheme == "sqlite" and rest.strip("/"):
            return "sqlite"
        raise ConfigError(
            f"LINEAGE_STORE is not understood: {scheme}://...",
            hint="use sqlite:///path.db (a fourth slash makes the path absolute), or "
            "neo4j://user@host:7687",
        )

    @property
    def store_path(self) -> Path:
        """The file of a SQLite store; of another, what is local is named after this path."""
        kind = self.store_kind
        return _beside(self.home, self.store) if kind == "sqlite" else self.home / kind

    @property
    def store_name(self) -> str:
        """What people call the store: its file, or its address, which has no password in it."""
        return str(self.store_path.absolute()) if self.store_kind == "sqlite" else self.store

    @property
    def key_path(self) -> Path:
        """The store's secret key: in its backups, never in an export."""
        return self.store_key_file

    @property
    def key_beside(self) -> Path:
        """Where the key is unless LINEAGE_STORE_KEY_FILE names another place."""
        return self.store_path.with_suffix(".key")

    @property
    def last_checkpoint(self) -> Path:
        """The last checkpoint, beside the store: a store restored from an older copy lacks it."""
        return self.store_path.with_suffix(".checkpoint")

    @property
    def spool(self) -> Path:
        """Where captured changes wait to be recorded."""
        return self.home / "spool"

    @property
    def accepted(self) -> Path:
        """What the service accepted while its database was away, until it is recorded."""
        return self.store_path.with_suffix(".accepted")

    @property
    def dead_letters(self) -> Path:
        """What was taken in but not understood."""
        return self.store_path.with_suffix(".dlq")

    @property
    def audit(self) -> Settings:
        """The settings of the audit log: a store of its own beside this one."""
        path = self.store_path.with_suffix(".audit.db").absolute()
        return replace(
            self, store=f"sqlite:///{path}", seal_key_file=path.with_suffix(".seal-key"), url=""
        )

    @property
    def is_audit(self) -> bool:
        """Whether these are the settings of an audit log."""
        return self.store_kind == "sqlite" and self.store_path.name.endswith(".audit.db")

    @property
    def copies(self) -> Path:
        """The list of backups and archives that were made, which redactions have to reach."""
        return self.store_path.with_suffix(".copies")

    @property
    def redacting(self) -> Path:
        """What a redaction that is under way has still to erase."""
        return self.store_path.with_suffix(".redacting")

    @property
    def cache(self) -> Path:
        """What can be deleted at any time."""
        return self.home / "cache"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings of this process. Raises ``ConfigError`` naming the variable that is wrong."""
    env = os.environ if environ is None else environ
    home = Path(env.get("LINEAGE_HOME") or ".lineage").absolute()
    store = _without_password(env.get("LINEAGE_STORE") or f"sqlite:///{home}/store.db")
    beside = _beside(home, store)
    return Settings(
        home=home,
        store=store,
        store_key_file=Path(env.get("LINEAGE_STORE_KEY_FILE") or beside.with_suffix(".key")),
        blobs=Path(env.get("LINEAGE_BLOBS") or beside.with_suffix(".blobs")),
        store_password=_secret(env, "LINEAGE_STORE_PASSWORD"),
        url=(env.get("LINEAGE_URL") or "").rstrip("/"),
        token=_secret(env, "LINEAGE_TOKEN"),
        host=env.get("LINEAGE_HOST") or "127.0.0.1",
        port=_number(env, "LINEAGE_PORT", 8080),
        max_body=_number(env, "LINEAGE_MAX_BODY", 16 * _MIB),
        max_event=_number(env, "LINEAGE_MAX_EVENT", 4 * _MIB),
        spool_max=_number(env, "LINEAGE_SPOOL_MAX", 1 << 30),
        job_namespace=env.get("LINEAGE_JOB_NAMESPACE") or "",
        variables=_names(env, "LINEAGE_VARIABLES"),
        exclude=_names(env, "LINEAGE_EXCLUDE"),
        hash_limit=_number(env, "LINEAGE_HASH_LIMIT", 1 << 30),
        kafka_config=env.get("LINEAGE_KAFKA_CONFIG") or "",
        kafka_user=env.get("LINEAGE_KAFKA_USER") or "",
        kafka_password=_secret(env, "LINEAGE_KAFKA_PASSWORD"),
        seal_key_file=Path(env.get("LINEAGE_SEAL_KEY_FILE") or beside.with_suffix(".seal-key")),
        seal_every=_number(env, "LINEAGE_SEAL_EVERY", 60),
        seal_entries=_number(env, "LINEAGE_SEAL_ENTRIES", 10_000),
        seal_publish=env.get("LINEAGE_SEAL_PUBLISH") or "",
        isolation=env.get("LINEAGE_ISOLATION") or "auto",
    )


def _beside(home: Path, store: str) -> Path:
    """The path that what belongs to the store is named after. An address is judged later."""
    scheme, _, rest = store.partition("://")
    if scheme != "sqlite" or not rest.strip("/"):
        return home / "neo4j"
    return Path(rest.removeprefix("/")) if not rest.startswith("//") else Path(rest[1:])


def _without_password(store: str) -> str:
    """The address, if there is no secret in it: addresses are shown, logged and listed by ps."""
    user, at, _ = store.partition("://")[2].rpartition("@")
    if at and ":" in user and not store.startswith("sqlite:"):
        raise ConfigError(
            "LINEAGE_STORE has a password in it",
            hint="write neo4j://user@host, and give the password by LINEAGE_STORE_PASSWORD or the "
            "file that LINEAGE_STORE_PASSWORD_FILE names; change this one if it was shown",
        )
    return store


def _secret(env: Mapping[str, str], name: str) -> str:
    named = env.get(f"{name}_FILE")
    if not named:
        return env.get(name) or ""
    try:
        return Path(named).read_text(encoding="utf-8").strip()
    except OSError as fault:
        raise ConfigError(
            f"{name}_FILE cannot be read: {fault.strerror}", hint="name a readable file"
        ) from fault


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name)
    if not text:
        return default
    try:
        value = int(text)
    except ValueError as fault:
        raise ConfigError(f"{name} is not a number: {text!r}") from fault
    if value < 0:
        raise ConfigError(f"{name} is negative: {value}")
    return value


def _names(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in (env.get(name) or "").split(",") if part.strip())
