"""Writes ``schema/`` and ``docs/reference/``: run ``python tests/golden/regenerate.py``.

CI runs the same functions and compares (``test_golden.py``).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(1, str(Path(__file__).parents[2]))

import examples  # type: ignore[import-not-found]  # beside this file
import reference  # type: ignore[import-not-found]  # beside this file

from lineage.model.changes import CHANGES
from lineage.model.envelope import Actor, Envelope, commitment_of, event_id_of
from lineage.model.merkle import consistency_proof, inclusion_proof, leaf_hash, root_of
from tests import handed

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "schema"


def event_files() -> dict[str, str]:
    """Relative path -> contents of ``schema/events``."""
    files: dict[str, str] = {}
    for kind, cls in CHANGES.items():
        schema = TypeAdapter(cls).json_schema(mode="validation")
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        schema["title"] = kind
        schema["required"] = sorted({*schema.get("required", ()), "kind", "v"})
        files[f"events/{kind}.schema.json"] = _text(schema)
        for name, fields in examples.OK[kind].items():
            files[f"events/{kind}/ok-{name}.json"] = _text(examples.change(kind, fields))
        for name, bad in examples.BAD[kind].items():
            value = {
                "code": "bad-change",
                "pointer": bad["pointer"],
                "change": examples.change(kind, bad["change"]),
            }
            files[f"events/{kind}/bad-{name}.json"] = _text(value)
    return files


def ledger_files() -> dict[str, str]:
    """Relative path -> contents of the ledger's test vectors."""
    actor = Actor("person:3f2a", "unverified-os-user")
    entries: list[dict[str, Any]] = []
    leaves: list[bytes] = []
    for seq in range(1, 8):
        body = json.dumps({"n": seq}).encode()
        salt = bytes([seq]) * 16
        envelope = Envelope(
            seq, 1_795_248_000_000_000 + seq, "openlineage.run", 1, "openlineage:x",
            event_id_of(b"k" * 32, "openlineage:x", "openlineage.run", body, seq), actor,
            commitment_of(salt, body),
        )  # fmt: skip
        leaves.append(envelope.leaf())
        entries.append({
            "salt": salt.hex(), "body": body.decode(), "envelope": envelope.to_bytes().decode(),
            "leaf": envelope.leaf().hex(),
        })  # fmt: skip
    proofs = {
        "roots": [root_of(leaves[:n]).hex() for n in range(len(leaves) + 1)],
        "inclusion": [
            {"index": i, "size": n, "proof": [h.hex() for h in inclusion_proof(i, n, leaves)]}
            for n in range(1, len(leaves) + 1) for i in range(n)
        ],
        "consistency": [
            {"old": m, "new": n, "proof": [h.hex() for h in consistency_proof(m, n, leaves)]}
            for n in range(1, len(leaves) + 1) for m in range(1, n + 1)
        ],
        "rfc6962": {
            "empty_leaf": leaf_hash(b"").hex(),
            "empty_root": root_of([]).hex(),
        },
    }  # fmt: skip
    vectors = {"event_id_key": (b"k" * 32).hex(), "entries": entries, **proofs}
    return {"ledger/vectors.json": _text(vectors), **handed_files()}


def handed_files() -> dict[str, str]:
    """Relative path -> one of each file that is handed over, by keys that everybody knows."""
    made = handed.ledger(alike=True)
    files = {
        "checkpoint.txt": made.notes[9],
        "proof.json": made.proof(5, 9),
        "redacted.json": made.proof(3, 12, (12,)),
        "consistency.json": made.consistency(4, 12),
        "export.ndjson": made.export(),
        "keys.txt": f"{handed.LOG.public.text()}\n{handed.WITNESS.public.text()}\n".encode(),
    }
    return {f"ledger/examples/{name}": data.decode() for name, data in files.items()}


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


def main() -> None:
    """Write everything."""
    written = {SCHEMA / path: text for path, text in {**event_files(), **ledger_files()}.items()}
    written |= {ROOT / path: text for path, text in reference.reference_files().items()}
    for target, text in written.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{target.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
