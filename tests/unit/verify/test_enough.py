"""What an auditor checks alone: what is not enough."""

from __future__ import annotations

import json
from pathlib import Path

from lineage import verify
from lineage.model.checkpoint import Checkpoint
from lineage.model.notes import add_signature, generate_key, sign_note
from tests.handed import ORIGIN, ledger
from tests.unit.verify.checking import FILES, HANDED, KEYS, check


def test_without_a_key_nothing_is_decided(tmp_path: Path) -> None:
    for name, data in FILES.items():
        result = check(tmp_path, {name: data}, keys=[])
        assert result["verdict"] == "UNDECIDED", name


def test_another_key_of_the_same_name_is_not_the_ledgers(tmp_path: Path) -> None:
    other = verify.key_of(generate_key(ORIGIN).public.text())
    assert check(tmp_path, keys=[other], proof=FILES["proof"])["verdict"] == "UNDECIDED"


def test_a_known_key_speaks_for_its_own_ledger_alone(tmp_path: Path) -> None:
    other = generate_key("other.example/l")
    text = HANDED.notes[9].decode().partition("\n\n")[0] + "\n"
    result = check(tmp_path, keys=[verify.key_of(other.public.text())],
                   checkpoint=sign_note(text, [other]))  # fmt: skip
    assert result["verdict"] == "UNDECIDED"


def test_checkpoints_that_nothing_ties_are_not_one_history(tmp_path: Path) -> None:
    apart = {"old": HANDED.notes[4], "proof": HANDED.proof(5, 9)}
    assert check(tmp_path, apart)["verdict"] == "UNDECIDED"
    tied = {**apart, "tie": HANDED.consistency(4, 9)}
    assert check(tmp_path, tied)["verdict"] == "HOLDS"
    assert check(tmp_path, apart, export=FILES["export"])["verdict"] == "HOLDS"


def test_a_newer_checkpoint_that_nobody_known_signed_is_not_believed(tmp_path: Path) -> None:
    stranger = generate_key(ORIGIN)
    bundle = json.loads(HANDED.consistency(4, 12))
    text = HANDED.notes[12].decode().partition("\n\n")[0] + "\n"
    bundle["new"] = sign_note(text, [stranger]).decode()
    result = check(tmp_path, keys=KEYS[:1], tie=json.dumps(bundle).encode())
    assert result["verdict"] == "UNDECIDED"
    assert "at 12 entries" in result["questions"][0]


def test_a_ledger_that_changed_its_key_is_known_by_the_newest(tmp_path: Path) -> None:
    handed = ledger(11, sealed=(4, 9))
    new = generate_key(ORIGIN)
    text = Checkpoint(ORIGIN, 12, handed.store.head().frontier.root()).text()
    handed.store.seal(lambda _: sign_note(text, [new]))
    keys = [verify.key_of(new.public.text())]
    assert check(tmp_path, keys=keys, export=handed.export())["verdict"] == "HOLDS"
    assert check(tmp_path, keys=KEYS[:1], export=handed.export())["verdict"] == "UNDECIDED"
    assert check(tmp_path, keys=[*keys, KEYS[0]], export=handed.export())["verdict"] == "HOLDS"


def test_two_ledgers_are_not_mixed(tmp_path: Path) -> None:
    other = generate_key("other.example/l")
    keys = [*KEYS[:1], verify.key_of(other.public.text())]
    theirs = sign_note(Checkpoint(other.name, 9, bytes(32)).text(), [other])
    result = check(tmp_path, keys=keys, ours=HANDED.notes[9], theirs=theirs)
    assert (result["verdict"], result["faults"]) == ("UNDECIDED", [])
    assert "several ledgers" in result["questions"][0]


def test_a_ledger_that_goes_on_under_another_name_is_one(tmp_path: Path) -> None:
    handed = ledger(11, sealed=(4, 9))
    new = generate_key("new.example/l")
    text = Checkpoint(new.name, 12, handed.store.head().frontier.root()).text()
    handed.store.seal(lambda _: sign_note(text, [new]))
    keys = [*KEYS[:1], verify.key_of(new.public.text())]
    assert check(tmp_path, keys=keys, export=handed.export())["verdict"] == "HOLDS"


def test_the_witnesses_that_are_asked_for_must_have_cosigned(tmp_path: Path) -> None:
    second = generate_key("second.example/w", 4)
    keys = [*KEYS, verify.key_of(second.public.text())]
    assert check(tmp_path, keys=keys, checkpoint=HANDED.notes[9])["verdict"] == "UNDECIDED"
    both = add_signature(HANDED.notes[9], second, at=5)
    assert check(tmp_path, keys=keys, checkpoint=both)["verdict"] == "HOLDS"
