"""A redacted entry is proved with what redacted it, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage import verify
from lineage.errors import UnknownNameError
from lineage.model.proofs import to_line
from lineage.record.interpret import interpret
from lineage.record.seal.proofs import prove_entry
from lineage.store.memory import MemoryStore
from tests.handed import LOG, fill, note_of


def test_the_proof_of_a_redacted_entry_waits_for_its_redaction_to_be_sealed(tmp_path: Path) -> None:
    store = MemoryStore(interpret)
    fill(store, 6, sealed=(6,))  # entry 7 redacts entry 3, after the checkpoint
    assert prove_entry(store, 2)["index"] == 1
    with pytest.raises(UnknownNameError, match="redacted by entry 7"):
        prove_entry(store, 3)
    store.seal(note_of)
    file = tmp_path / "proof"
    file.write_bytes(to_line(prove_entry(store, 3)))
    keys = [verify.key_of(LOG.public.text())]
    assert verify.check([str(file)], keys, set(), 0)["verdict"] == "HOLDS"


def test_a_redacted_redaction_is_proved_by_the_next(tmp_path: Path) -> None:
    store = MemoryStore(interpret)
    fill(store, 6, sealed=())
    fill(store, 6, sealed=(), after=6, redact=(7,))  # and entry 8 redacts entry 7
    store.seal(note_of)
    bundle = prove_entry(store, 3)
    assert [part["index"] for part in bundle["redactions"]] == [6, 7]
    for name, data, verdict in (
        ("all", bundle, "HOLDS"),
        ("cut", {**bundle, "redactions": bundle["redactions"][:1]}, "DOES NOT HOLD"),
    ):
        (tmp_path / name).write_bytes(to_line(data))
        keys = [verify.key_of(LOG.public.text())]
        assert verify.check([str(tmp_path / name)], keys, set(), 0)["verdict"] == verdict
