"""A running service."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

import httpx

from tests.serving import Serving, event

__all__ = [
    "HEAD",
    "JSON",
    "ROOT",
    "nameless",
    "post",
    "run",
]

ROOT = UUID("00000000-0000-4000-8000-000000000000")
HEAD = "{ ledger { head { seq rootHash } } }"
JSON = {"content-type": "application/json"}


def run(n: int) -> str:
    """A run id."""
    return str(uuid5(ROOT, str(n)))


def post(serving: Serving, value: Any, **headers: str) -> httpx.Response:
    return serving.client.post("/api/v1/lineage", json=value, headers=headers)


def nameless(n: int) -> dict[str, Any]:
    """An event that names no run."""
    return {**event(run(n)), "run": {}}
