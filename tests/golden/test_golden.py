"""The published formats are what the code says, and the examples mean what they claim."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import reference  # type: ignore[import-not-found]  # beside this file
import regenerate  # type: ignore[import-not-found]  # beside this file

from lineage import verify
from lineage.errors import RefusedError
from lineage.model.changes import CHANGES, encode_change, parse_change

SCHEMA = regenerate.SCHEMA
GOLDEN = {**regenerate.event_files(), **regenerate.ledger_files()}
EXAMPLES = sorted((SCHEMA / "events").glob("*/*.json"))


@pytest.mark.parametrize("path", sorted(GOLDEN))
def test_published_files_are_what_the_code_says(path: str) -> None:
    assert (SCHEMA / path).read_text(encoding="utf-8") == GOLDEN[path], (
        "run `python tests/golden/regenerate.py`, and read the difference: a published kind "
        "never changes meaning"
    )


@pytest.mark.parametrize("path", ["docs/reference/cli.md", "docs/reference/settings.md"])
def test_reference_pages_are_what_the_code_says(path: str) -> None:
    wanted = reference.reference_files()[path]
    assert (regenerate.ROOT / path).read_text(encoding="utf-8") == wanted, (
        "run `python tests/golden/regenerate.py`"
    )


def test_nothing_else_is_published() -> None:
    found = {str(path.relative_to(SCHEMA)) for path in (SCHEMA / "events").rglob("*.json")}
    assert found == {path for path in GOLDEN if path.startswith("events/")}


def test_the_examples_of_what_is_handed_over_hold(capsys: pytest.CaptureFixture[str]) -> None:
    examples = SCHEMA / "ledger" / "examples"
    files = [str(path) for path in sorted(examples.iterdir()) if path.name != "keys.txt"]
    assert len(files) == 5
    assert verify.main([*files, "--key", str(examples / "keys.txt")]) == 0
    assert capsys.readouterr().out.endswith("HOLDS\n")


def _schema_of(kind: str) -> Any:
    return json.loads((SCHEMA / "events" / f"{kind}.schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_examples_are_taken_or_refused_as_they_say(path: Path) -> None:
    value = json.loads(path.read_text(encoding="utf-8"))
    kind = path.parent.name
    if path.name.startswith("ok-"):
        jsonschema.validate(value, _schema_of(kind))
        again = json.loads(encode_change(parse_change(value)))
        assert parse_change(again) == parse_change(value)
    else:
        with pytest.raises(RefusedError) as refused:
            parse_change(value["change"])
        assert (refused.value.code, refused.value.pointer) == (value["code"], value["pointer"])


def test_every_kind_has_a_good_and_a_bad_example() -> None:
    for kind in CHANGES:
        names = [p.name for p in EXAMPLES if p.parent.name == kind]
        assert any(name.startswith("ok-") for name in names), kind
        assert any(name.startswith("bad-") for name in names), kind


def test_unknown_fields_survive_a_round_trip() -> None:
    value = json.loads((SCHEMA / "events/run.started/ok-wrapped.json").read_text("utf-8"))
    value["x_site"] = {"rack": [1, 2, {"deep": None}]}
    value["run"]["x_attempt"] = 3
    again = json.loads(encode_change(parse_change(value)))
    assert again["x_site"] == value["x_site"]
    assert again["run"]["x_attempt"] == 3


def test_ledger_vectors_follow_from_the_format_alone() -> None:
    """Recomputed with hashlib only, as an outside implementor would."""
    vectors = json.loads((SCHEMA / "ledger/vectors.json").read_text(encoding="utf-8"))
    leaves = []
    for entry in vectors["entries"]:
        envelope = entry["envelope"].encode()
        parsed = json.loads(envelope)
        canonical = json.dumps(parsed, sort_keys=True, separators=(",", ":")).encode()
        assert canonical == envelope
        commitment = hashlib.sha256(bytes.fromhex(entry["salt"]) + entry["body"].encode())
        assert parsed["commitment"] == commitment.hexdigest()
        leaves.append(hashlib.sha256(b"\x00" + envelope).digest())
        assert leaves[-1].hex() == entry["leaf"]

    def root(part: list[bytes]) -> bytes:
        if len(part) < 2:
            return part[0] if part else hashlib.sha256(b"").digest()
        split = 1
        while split * 2 < len(part):
            split *= 2
        return hashlib.sha256(b"\x01" + root(part[:split]) + root(part[split:])).digest()

    assert [root(leaves[:n]).hex() for n in range(len(leaves) + 1)] == vectors["roots"]
    # RFC 6962 section 2.1: the hash of an empty tree, and of an empty leaf.
    assert vectors["rfc6962"] == {
        "empty_root": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "empty_leaf": "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    }
