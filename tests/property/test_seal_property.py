"""Whatever is done to a ledger and its keys, every checkpoint stays true of what came later."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.model.checkpoint import Checkpoint
from lineage.model.claims import Claims
from lineage.model.merkle import verify_consistency, verify_inclusion
from lineage.model.notes import open_note, text_of
from lineage.model.proofs import Consistency
from lineage.record.interpret import interpret
from lineage.record.ledger import verify
from lineage.record.rebuild import rebuild
from lineage.record.recorder import Recorder
from lineage.record.seal.changing import make_key, rotate_key
from lineage.record.seal.checking import promises
from lineage.record.seal.folder import FolderPlace
from lineage.record.seal.guard import SealGuard
from lineage.record.seal.keyfile import KeyFile
from lineage.record.seal.keys import ledger_keys
from lineage.record.seal.proofs import prove_consistency, prove_entry
from lineage.record.seal.sealer import Sealer
from lineage.store.contract import NewEntry
from lineage.store.memory import MemoryStore
from lineage.testing.plain import ACTOR

STEPS = st.lists(
    st.one_of(
        st.integers(1, 300),  # append so many
        st.sampled_from(["seal", "rotate", "lose the key and rotate", "process starts again"]),
    ),
    max_size=8,
)


def _sealer(store: MemoryStore, place: Path) -> Sealer:
    (place / "published").mkdir(exist_ok=True)
    key_file, places = KeyFile(place / "key"), [FolderPlace(place / "published")]
    guard = SealGuard(store, key_file, place / "beside", places)
    store.guard(guard)
    return Sealer(store, key_file, guard, place / "beside", places)


def _played(store: MemoryStore, place: Path, steps: list[int | str]) -> Sealer:
    recorder, sealer = Recorder(store, key=b"k" * 32), _sealer(store, place)
    make_key(sealer, recorder, ACTOR, now=1)
    for step in steps:
        if isinstance(step, int):
            start = store.head().seq
            store.append([
                NewEntry("foreign", 1, "test", str(n), ACTOR, b"%d" % n, Claims())
                for n in range(start, start + step)
            ])  # fmt: skip
        elif step == "seal":
            sealer.seal()
        elif step == "process starts again":
            sealer = _sealer(store, place)
        else:
            if step != "rotate":
                sealer.key_file.path.unlink()
            rotate_key(sealer, recorder, ACTOR, now=1)
    sealer.seal()
    return sealer


@settings(max_examples=30, deadline=None)
@given(steps=STEPS, data=st.data())
def test_every_checkpoint_binds_what_came_later(
    steps: list[int | str], data: st.DataObject
) -> None:
    store = MemoryStore(interpret)
    with tempfile.TemporaryDirectory() as place:
        _played(store, Path(place), steps)
        every = list(store.checkpoints())
        assert every[-1].size == store.head().seq
        found = promises(store)
        assert not found.faults
        assert not verify(store, expect=found.roots).faults
        keys = [key.public for key in ledger_keys(store)]
        assert keys[-1] in open_note(every[-1].note, keys).signed_by
        one, other = (data.draw(st.sampled_from(every)) for _ in range(2))
        old, new = sorted((one, other), key=lambda sealed: sealed.size)
        before, after = (Checkpoint.of_text(text_of(c.note)).root for c in (old, new))
        path = Consistency.of_value(prove_consistency(store, old, new)).path
        assert verify_consistency(old.size, new.size, before, after, path)
        seq = data.draw(st.integers(1, old.size))
        bundle = prove_entry(store, seq, old)
        leaf = store.leaves(seq - 1, seq)[0]
        assert len(bundle["inclusion"]) <= 12
        assert verify_inclusion(leaf, seq - 1, old.size, _steps(bundle), before)
        built = MemoryStore(interpret)
        rebuild(store, built)
        assert list(built.checkpoints()) == every


def _steps(bundle: dict[str, list[str]]) -> list[bytes]:
    import base64

    return [base64.b64decode(step) for step in bundle["inclusion"]]
