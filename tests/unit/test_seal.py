"""Keys, checkpoints and the guard, on a store of each kind."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from lineage.errors import (
    ConfigError,
    NotAsSealedError,
    SealKeyError,
    StoreFullError,
    UnknownNameError,
)
from lineage.model.checkpoint import Checkpoint
from lineage.model.keys import PublicKey, generate_key
from lineage.model.merkle import verify_consistency, verify_inclusion
from lineage.model.notes import open_note, text_of
from lineage.model.proofs import Consistency
from lineage.record.seal.changing import begin_log, make_key, rotate_key
from lineage.record.seal.keys import ledger_keys
from lineage.record.seal.proofs import prove_consistency, prove_entry
from lineage.record.seal.sealer import Sealed
from lineage.store.contract import StoredCheckpoint
from lineage.wiring import Workspace
from tests.sealing import ACTOR, ORIGIN, now, opened, write

pytestmark = pytest.mark.both_stores


def keyed(ws: Workspace, origin: str = ORIGIN) -> Sealed:
    return make_key(ws.sealer, ws.recorder, ACTOR, origin=origin, now=now())[1]


def rotated(ws: Workspace) -> Sealed:
    return rotate_key(ws.sealer, ws.recorder, ACTOR, now=now())[1]


def signers(ws: Workspace, sealed: StoredCheckpoint) -> list[int]:
    """Numbers of the keys whose signatures hold."""
    known = ledger_keys(ws.store)
    note = open_note(sealed.note, [key.public for key in known])
    return [key.number for key in known if key.public in note.signed_by]


def test_the_first_key_is_an_entry_and_seals_at_once(tmp_path: Path) -> None:
    with opened(tmp_path) as ws:
        write(ws, 3)
        sealed = keyed(ws)
        (key,) = ledger_keys(ws.store)
        assert (key.number, key.seq, key.public.name) == (1, 4, ORIGIN)
        found = Checkpoint.of_text(open_note(sealed.checkpoint.note, [key.public]).text)
        assert found == Checkpoint(ORIGIN, 4, ws.store.head().frontier.root())
        assert ws.sealer.beside.read_bytes() == sealed.checkpoint.note
        file = ws.sealer.key_file.path
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.read_text().startswith("PRIVATE+KEY+")


def test_a_second_first_key_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as ws:
        keyed(ws)
        with pytest.raises(SealKeyError, match="there is a key"):
            keyed(ws)
        ws.sealer.key_file.path.unlink()
        with pytest.raises(SealKeyError, match="not at"):
            keyed(ws)
        assert len(ledger_keys(ws.store)) == 1


def test_a_key_of_another_ledger_seals_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as ws:
        write(ws, 1)
        with pytest.raises(SealKeyError, match="no key to seal with"):
            ws.sealer.seal()
        ws.sealer.key_file.keep(generate_key("elsewhere.org/log"))
        with pytest.raises(SealKeyError, match="none of this ledger"):
            ws.sealer.seal()
        assert ws.store.last_checkpoint() is None


@pytest.mark.parametrize("origin", ["a b", "x+y", "../x", "/x", "x//y", "x" * 201, ".hidden"])
def test_a_name_that_is_no_path_of_folders_is_refused(tmp_path: Path, origin: str) -> None:
    with opened(tmp_path) as ws, pytest.raises(ConfigError):
        keyed(ws, origin)


def test_both_keys_sign_where_one_takes_over(tmp_path: Path) -> None:
    with opened(tmp_path) as ws:
        first = keyed(ws).checkpoint
        write(ws, 2)
        second = rotated(ws).checkpoint
        write(ws, 1, start=2)
        third = ws.sealer.seal().checkpoint
        assert [signers(ws, sealed) for sealed in (first, second, third)] == [[1], [1, 2], [2]]
        keys = ledger_keys(ws.store)
        assert keys[1].replaces == keys[0].public.text()
        assert keys[1].public.name == ORIGIN
        assert not ws.sealer.key_file.next_path.exists()
        proof = Consistency.of_value(prove_consistency(ws.store, first, third))
        assert (proof.old, proof.new) == (first.note, third.note)


def test_a_lost_key_is_replaced_and_what_it_signed_still_holds(tmp_path: Path) -> None:
    with opened(tmp_path) as ws:
        first = keyed(ws).checkpoint
        ws.sealer.key_file.path.unlink()
        write(ws, 1)
        second = rotated(ws).checkpoint
        assert [signers(ws, sealed) for sealed in (first, second)] == [[1], [2]]
        write(ws, 1, start=1)
        assert signers(ws, ws.sealer.seal().checkpoint) == [2]


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_rotation_that_was_interrupted_is_completed(
    tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the next key's file, after its entry, after the checkpoint."""
    with opened(tmp_path) as ws:
        keyed(ws)
        broken = {
            1: "lineage.record.seal.changing.add_key",
            2: "lineage.record.seal.sealer.Sealer.seal",
            3: "lineage.record.seal.keyfile.KeyFile.promote",
        }[step]
        with monkeypatch.context() as patched:
            patched.setattr(broken, lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                rotated(ws)
        waiting = ws.sealer.key_file.next_key()
        assert waiting is not None
        if step > 1:  # whoever seals meanwhile signs by both
            assert signers(ws, ws.sealer.seal().checkpoint) == [1, 2]
        sealed = rotated(ws)
        keys = ledger_keys(ws.store)
        assert [key.number for key in keys] == [1, 2]
        assert keys[1].public == waiting.public
        assert ws.sealer.key_file.key() == waiting
        assert signers(ws, sealed.checkpoint) == [1, 2]


@pytest.mark.parametrize("step", ["add_key", "seal"])
def test_a_first_key_that_was_interrupted_is_completed(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as ws:
        with monkeypatch.context() as patched:
            patched.setattr(
                "lineage.record.seal.changing.add_key" if step == "add_key"
                else "lineage.record.seal.sealer.Sealer.seal",
                lambda *_, **__: 1 / 0,
            )  # fmt: skip
            with pytest.raises(ZeroDivisionError):
                keyed(ws)
        key = ws.sealer.key_file.key()
        assert key is not None
        assert keyed(ws).checkpoint.size == 1
        assert [had.public for had in ledger_keys(ws.store)] == [key.public]


def test_every_entry_is_proved_by_every_checkpoint_that_covers_it(tmp_path: Path) -> None:
    with opened(tmp_path) as ws:
        sealed = [keyed(ws).checkpoint]
        for start, count in ((0, 300), (300, 5), (305, 250)):
            write(ws, count, start=start)
            sealed.append(ws.sealer.seal().checkpoint)
        leaves = ws.store.leaves(0, 1000)
        for one in sealed:
            root = Checkpoint.of_text(text_of(one.note)).root
            for seq in {1, 2, one.size // 2 or 1, one.size}:
                bundle = prove_entry(ws.store, min(seq, one.size), one)
                assert bundle["checkpoint"].encode() == one.note
                path = _paths(bundle["inclusion"])
                index = bundle["index"]
                assert verify_inclusion(leaves[index], index, one.size, path, root)
        for old in sealed:
            for new in sealed[sealed.index(old) :]:
                proof = Consistency.of_value(prove_consistency(ws.store, old, new))
                before, after = (Checkpoint.of_text(text_of(c.note)).root for c in (old, new))
                assert verify_consistency(old.size, new.size, before, after, proof.path)


def _paths(steps: list[str]) -> list[bytes]:
    import base64

    return [base64.b64decode(step) for step in steps]


@pytest.mark.sqlite
def test_a_database_of_before_the_last_checkpoint_takes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as ws:
        keyed(ws)
        write(ws, 3)
    older = shutil.copy(tmp_path / "store.db", tmp_path / "backup.db")
    with opened(tmp_path) as ws:
        write(ws, 2, start=3)
        newer = ws.sealer.seal().checkpoint
        file = ws.settings.store_path
    shutil.copy(file, tmp_path / "newer.db")
    shutil.copy(older, file)
    with opened(tmp_path) as ws:
        with pytest.raises(NotAsSealedError) as refused:
            write(ws, 1, start=9)
        assert refused.value.where == {
            "kept": str(ws.sealer.beside), "size": newer.size, "entries": 4,
        }  # fmt: skip
        assert "--new-log" in refused.value.hint
        with pytest.raises(NotAsSealedError):
            ws.sealer.seal()
        assert ws.store.head().seq == 4  # reading works
    shutil.copy(tmp_path / "newer.db", file)
    with opened(tmp_path) as ws:
        write(ws, 1, start=9)
        assert ws.sealer.seal().checkpoint.size == newer.size + 1


@pytest.mark.sqlite
def test_a_ledger_with_other_entries_than_were_sealed_takes_nothing(tmp_path: Path) -> None:
    """As long as what was sealed, or longer: the root tells."""
    with opened(tmp_path) as ws:
        keyed(ws)
    older = shutil.copy(tmp_path / "store.db", tmp_path / "backup.db")
    with opened(tmp_path) as ws:
        write(ws, 2)
        ws.sealer.seal()
        beside, file = ws.sealer.beside, ws.settings.store_path
    note = beside.read_bytes()
    shutil.copy(older, file)
    beside.unlink()
    with opened(tmp_path) as ws:
        write(ws, 5, start=10)
    beside.write_bytes(note)
    with opened(tmp_path) as ws, pytest.raises(NotAsSealedError, match="not those"):
        write(ws, 1, start=20)


def test_a_running_process_notices_that_its_database_became_shorter(tmp_path: Path) -> None:
    with opened(tmp_path) as ws:
        keyed(ws)
        before = ws.store.head()
        write(ws, 2)
        ws.sealer.guard(before)  # not sealed yet: that is nobody's business
        ws.sealer.seal()
        ws.sealer.guard(ws.store.head())
        with pytest.raises(NotAsSealedError, match="1 entries, and 3 were sealed"):
            ws.sealer.guard(before)
        write(ws, 1, start=2)


@pytest.mark.sqlite
def test_a_ledger_goes_on_under_another_name_after_a_loss(tmp_path: Path) -> None:
    with opened(tmp_path) as ws:
        keyed(ws)
    older = shutil.copy(tmp_path / "store.db", tmp_path / "backup.db")
    with opened(tmp_path) as ws:
        write(ws, 2)
        lost = ws.sealer.seal().checkpoint
        file = ws.settings.store_path
    shutil.copy(older, file)
    with opened(tmp_path) as ws:
        who = (ws.sealer, ws.recorder, ACTOR)
        with pytest.raises(ConfigError, match="why"):
            begin_log(*who, origin="example.com/log2", reason="", now=now())
        with pytest.raises(ConfigError, match="before"):
            begin_log(*who, origin=ORIGIN, reason="x", now=now())
        key, sealed = begin_log(*who, origin="example.com/log2", reason="disk died", now=now())
        assert "disk died" in key.reason
        assert PublicKey.of_text(key.replaces).name == ORIGIN
        assert Checkpoint.of_text(text_of(sealed.checkpoint.note)).origin == "example.com/log2"
        with pytest.raises(UnknownNameError, match="two logs"):
            prove_consistency(ws.store, next(ws.store.checkpoints()), sealed.checkpoint)
        write(ws, 1, start=5)
        kept = ws.sealer.beside.with_name(f"{ws.sealer.beside.name}-{lost.size}")
        assert kept.read_bytes() == lost.note


def test_what_is_kept_beside_the_store_and_is_no_checkpoint_refuses(tmp_path: Path) -> None:
    with opened(tmp_path) as ws:
        keyed(ws)
        ws.sealer.beside.write_bytes(b"x")
    with opened(tmp_path) as ws, pytest.raises(NotAsSealedError, match="none"):
        write(ws, 1)


@pytest.mark.sqlite
def test_what_is_kept_beside_the_store_may_be_set_aside_at_any_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as ws:
        note = keyed(ws).checkpoint.note
        ws.sealer.beside.unlink()
        with monkeypatch.context() as patched:
            patched.setattr(Path, "exists", lambda _: True)  # a moment ago
            ws.sealer.guard.judge()
            ws.sealer.guard.expect(note)
        assert ws.sealer.beside.read_bytes() == note


@pytest.mark.sqlite
def test_a_wrong_tile_neither_refuses_nor_gives_a_wrong_proof(tmp_path: Path) -> None:
    import apsw

    with opened(tmp_path) as ws:
        write(ws, 600)
        keyed(ws)
        file = ws.settings.store_path
    other = apsw.Connection(str(file))
    other.execute("UPDATE tile SET root = zeroblob(32)")
    other.close()
    with opened(tmp_path) as ws:
        write(ws, 1, start=700)
        sealed = ws.sealer.seal().checkpoint
        bundle = prove_entry(ws.store, 600, sealed)
        root = Checkpoint.of_text(text_of(sealed.note)).root
        leaf = ws.store.leaves(599, 600)[0]
        assert verify_inclusion(leaf, 599, sealed.size, _paths(bundle["inclusion"]), root)


@pytest.mark.sqlite
def test_a_full_disk_seals_nothing_half(tmp_path: Path) -> None:
    """No room in the store: nothing was sealed. No room beside it: sealed, and said."""
    with opened(tmp_path) as ws:
        keyed(ws)
        write(ws, 3)
        connection = ws.store._connection  # type: ignore[attr-defined]
        ((pages,),) = connection.execute("PRAGMA page_count")
        list(connection.execute(f"PRAGMA max_page_count={pages}"))
        with pytest.raises(StoreFullError):
            ws.store.seal(lambda _: b"x" * 1_000_000)
        assert [sealed.size for sealed in ws.store.checkpoints()] == [1]
        list(connection.execute("PRAGMA max_page_count=1000000"))
        ws.sealer.beside = tmp_path / "store.db" / "no-folder"
        made = ws.sealer.seal()
        assert (made.checkpoint.size, [type(fault) for fault in made.faults]) == (
            4, [StoreFullError],
        )  # fmt: skip
        write(ws, 1, start=3)
