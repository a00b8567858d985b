"""What a test needs of the machine. Without it the test is skipped, or fails where it must not be.

``LINEAGE_REQUIRE`` (names with commas, as ``.ci/run`` sets it) lists what must be here.
"""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

KNOWN = {
    "compiler": "a C compiler (cc)",
    "namespaces": "unprivileged user namespaces",
    "neo4j": "a Neo4j server (a JDK 17 and Maven, or LINEAGE_TEST_NEO4J)",
    "kafka": "a Kafka broker (a JDK 17 and Maven)",
    "s3": "an S3 server (what tests/servers/s3 names, from the package index)",
}


def required() -> frozenset[str]:
    """What this run may not skip; a name nobody knows is an error, not a wish.

    Raises:
        pytest.UsageError: an unknown name in ``LINEAGE_REQUIRE``.
    """
    names = frozenset(filter(None, os.environ.get("LINEAGE_REQUIRE", "").split(",")))
    if unknown := names - KNOWN.keys():
        raise pytest.UsageError(f"LINEAGE_REQUIRE: {sorted(unknown)} is none of {sorted(KNOWN)}")
    return names


def missing(name: str, why: str) -> NoReturn:
    """Skip the running test, or fail it where ``name`` is required."""
    if name in required():
        pytest.fail(f"LINEAGE_REQUIRE names {name}, but: {why}", pytrace=False)
    pytest.skip(f"needs {KNOWN[name]}: {why}")


def check(name: str) -> None:
    """For the mark ``needs(name)``: what can be told without trying."""
    if name == "compiler" and shutil.which("cc") is None:
        missing(name, "there is no cc on the PATH")
