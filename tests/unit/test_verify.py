"""What an auditor checks alone: what is sound holds, one flipped byte is found and named."""

from __future__ import annotations

import ast
import base64
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage import verify
from lineage.model.checkpoint import Checkpoint
from lineage.model.keys import COSIGNATURE, SIGNATURE, PublicKey, SigningKey
from lineage.model.notes import add_signature, generate_key, sign_note
from tests.handed import LOG, ORIGIN, WITNESS, Handed, ledger, put

KEYS = [verify.key_of(LOG.public.text()), verify.key_of(WITNESS.public.text())]
KEY_WORDS = ["--key", LOG.public.text(), "--key", WITNESS.public.text()]
HANDED = ledger()
FILES = {
    "checkpoint": HANDED.notes[9],
    "proof": HANDED.proof(5, 9),
    "redaction": HANDED.proof(3, 12, (12,)),
    "consistency": HANDED.consistency(4, 12),
    "export": HANDED.export(),
}

# RFC 8032 section 7.1: secret, message ("-": none), signature.
RFC_8032 = """
9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60 -
e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b
4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb 72
92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00
c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7 af82
6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a
833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42
ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f
dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589\
09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704
"""


def check(
    tmp_path: Path,
    files: Mapping[str, bytes] | None = None,
    *,
    keys: list[verify.Key] | None = None,
    **more: bytes,
) -> Any:
    paths = put(tmp_path, **(files or {}), **more)
    known = KEYS if keys is None else keys
    quorum = sum(key.type == verify.WITNESS for key in known)
    return verify.check(paths, known, set(), quorum)


# --- signatures


@pytest.mark.parametrize("n", range(4))
def test_our_own_ed25519_is_that_of_the_rfc(n: int) -> None:
    secret, message, signature = RFC_8032.split()[n * 3 : n * 3 + 3]
    key = SigningKey("k", bytes.fromhex(secret)).public.key
    said, signed = bytes.fromhex(message.strip("-")), bytes.fromhex(signature)
    assert verify.own_ed25519(key, signed, said)
    assert not verify.own_ed25519(key, signed, said + b"x")
    for at in (0, 31, 32, 63):
        wrong = bytes(byte ^ (at == n) for n, byte in enumerate(signed))
        assert not verify.own_ed25519(key, wrong, said)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=40), st.data())
@settings(max_examples=30, deadline=None)
def test_our_own_ed25519_judges_as_the_library_does(
    seed: bytes, message: bytes, data: st.DataObject
) -> None:
    signer = SigningKey("k", seed)
    signature = signer.sign("") if not message else bytearray(signer.sign(message.hex()))
    said = message.hex().encode()
    changed = bytearray(signature)
    changed[data.draw(st.integers(0, 63))] ^= data.draw(st.sampled_from([0, 0, 1, 0x80]))
    for judged in (bytes(changed), bytes(signature)[:63], b""):
        assert verify.own_ed25519(signer.public.key, judged, said) == verify.library_ed25519(
            signer.public.key, judged, said
        )


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=40, deadline=None)
def test_what_is_no_key_holds_nothing(key: bytes) -> None:
    signature = LOG.sign("x")
    assert not verify.own_ed25519(key, signature, b"x")
    assert not verify.library_ed25519(key, signature, b"x")


def test_keys_are_read_as_they_are_published() -> None:
    for signer in (LOG, WITNESS):
        key = verify.key_of(signer.public.text())
        assert (key.name, key.id, key.key) == (signer.name, signer.public.id, signer.public.key)
        for n in range(len(signer.public.text())):
            text = signer.public.text()
            with pytest.raises(verify.BadError):
                verify.key_of(text[:n] + chr(ord(text[n]) ^ 1) + text[n + 1 :])


# --- what is sound


def test_all_of_it_together_holds(tmp_path: Path) -> None:
    result = check(tmp_path, FILES)
    assert result["verdict"] == "HOLDS", result
    assert [found["format"] for found in result["files"]] == [
        "checkpoint", "lineage-proof/1", "lineage-proof/1", "lineage-consistency/1",
        "lineage-ledger/1",
    ]  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
def test_every_entry_of_every_ledger_is_proved(tmp_path: Path, size: int) -> None:
    handed = ledger(size - 1 if size > 3 else 3, sealed=(size,))
    for seq in range(1, size + 1):
        (entry,) = handed.store.entries(seq - 1, 1)
        by = (size,) if entry.salt is None and size > 3 else ()
        result = check(tmp_path, proof=handed.proof(seq, size, by))
        sound = entry.salt is not None or bool(by)
        assert result["verdict"] == ("HOLDS" if sound else "DOES NOT HOLD"), (seq, result)


def test_an_export_without_checkpoints_holds_for_who_kept_a_root(tmp_path: Path) -> None:
    handed = ledger(5, sealed=())
    (path,) = put(tmp_path, export=handed.export())
    root = handed.store.head().frontier.root()
    assert verify.check([path], [], set(), 0)["verdict"] == "UNDECIDED"
    assert verify.check([path], [], {(6, root)}, 0)["verdict"] == "HOLDS"
    assert verify.check([path], [], {(6, bytes(32))}, 0)["verdict"] == "DOES NOT HOLD"
    assert verify.check([path], [], {(7, root)}, 0)["verdict"] == "UNDECIDED"
    early = handed.leaves()[0]
    assert verify.check([path], [], {(1, early)}, 0)["verdict"] == "HOLDS"


def test_what_no_checkpoint_covers_is_told(tmp_path: Path) -> None:
    handed = ledger(11, sealed=(4, 9))
    result = check(tmp_path, export=handed.export())
    assert result["verdict"] == "HOLDS"
    assert "3 are after the last checkpoint" in result["files"][0]["facts"][0]


# --- what is not enough


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


# --- what is false


def test_two_ledgers_shown_under_one_name_are_found(tmp_path: Path) -> None:
    other = ledger()  # recorded at other times: other leaves
    result = check(tmp_path, one=HANDED.notes[9], other=other.notes[9])
    assert result["verdict"] == "DOES NOT HOLD"
    assert result["faults"][0]["where"] == "root at 9"
    result = check(tmp_path, kept=other.notes[4], export=FILES["export"])
    assert result["verdict"] == "DOES NOT HOLD"


def test_a_ledger_that_was_cut_off_is_found(tmp_path: Path) -> None:
    lines = FILES["export"].splitlines(keepends=True)
    for kept in range(1, len(lines)):
        result = check(tmp_path, export=b"".join(lines[:kept]))
        assert result["verdict"] == "DOES NOT HOLD"
    shorter = ledger(8, sealed=(4,))
    result = check(tmp_path, keys=KEYS[:1], kept=HANDED.notes[9], export=shorter.export())
    assert result["verdict"] != "HOLDS"


def test_a_ledger_that_was_written_anew_is_found_where_it_departs(tmp_path: Path) -> None:
    # With all hashes and the end made right again: only the signatures stand in the way.
    lines = FILES["export"].splitlines(keepends=True)
    forged = _forged(lines, seq=6)
    result = check(tmp_path, export=forged)
    assert result["verdict"] == "DOES NOT HOLD"
    assert "entries 5 to 9" in result["files"][0]["faults"][0]["what"]


def _forged(lines: list[bytes], seq: int) -> bytes:
    tree, out, count = verify.Tree(), [lines[0]], 0
    for line in lines[1:]:
        value = json.loads(line)
        if "envelope" in value:
            count += 1
            if count == seq:
                value["envelope"]["source"] = "somebody else"
            leaf = verify.sha256(b"\x00" + verify.canonical(value["envelope"]))
            value["leaf"] = _base64(leaf)
            tree.push(leaf)
        if "entries" in value:
            value["root"] = _base64(tree.root())
            value["sha256"] = verify.sha256(b"".join(out)).hex()
        out.append(verify.canonical(value) + b"\n")
    return b"".join(out)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_a_stub_that_no_redaction_committed_to_is_found(tmp_path: Path) -> None:
    assert check(tmp_path, proof=HANDED.proof(3, 12))["verdict"] == "DOES NOT HOLD"
    bundle = json.loads(FILES["redaction"])
    bundle["entry"]["body"] = _base64(b"{}")
    result = check(tmp_path, proof=json.dumps(bundle).encode())
    assert result["verdict"] == "DOES NOT HOLD"
    assert result["files"][0]["faults"][0]["where"] == "proof, entry, body"


def test_a_body_may_not_be_taken_away_and_called_redacted(tmp_path: Path) -> None:
    bundle = json.loads(FILES["proof"])
    bundle["entry"]["salt"] = None
    assert check(tmp_path, p=json.dumps(bundle).encode())["verdict"] == "DOES NOT HOLD"


# --- every byte

REGIONS = {
    "checkpoint": [(b"log.example/l\n9", "checkpoint"), (b"\n9\n", "checkpoint")],
    "proof": [
        (b'"body":"', "entry"), (b'"salt":"', "entry"), (b'"commitment":"', "entry"),
        (b'"recorded_at":', "inclusion"), (b'"source":"', "inclusion"), (b'"kind":"', "inclusion"),
        (b'"inclusion":["', "inclusion"), (b'"index":', "index"), (b'"checkpoint":"', "checkpoint"),
        (b'"format":"', "format"),
    ],
    "consistency": [(b'"old":"', "old"), (b'"new":"', "new"), (b'"proof":["', "proof")],
    "export": [
        (b'"body":"', "(entry 1), body"), (b'"salt":"', "(entry 1), body"),
        (b'"leaf":"', "(entry 1), envelope"), (b'"event_id":"', "(entry 1), envelope"),
        (b'"checkpoint":"', "line 6, checkpoint"), (b'"root":"', ", root"),
        (b'"sha256":"', ", sha256"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("name", "region", "where"), [
    (name, region, where) for name, regions in REGIONS.items() for region, where in regions
])  # fmt: skip
def test_what_was_changed_is_named(tmp_path: Path, name: str, region: bytes, where: str) -> None:
    data = bytearray(FILES[name])
    at = data.index(region) + (len(region) if region.endswith((b'"', b":")) else 1)
    data[at] = ord("3") if data[at] in b"012456789" else ord("B") if data[at] != ord("B") else 67
    result = check(tmp_path, file=bytes(data))
    assert result["verdict"] == "DOES NOT HOLD", result
    assert where in result["files"][0]["faults"][0]["where"], result["files"][0]["faults"]


@pytest.mark.parametrize("name", FILES)
@given(at=st.integers(0, 1 << 20), bit=st.integers(0, 7))
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_flipped_bit_is_missed(tmp_path: Path, name: str, at: int, bit: int) -> None:
    data = bytearray(FILES[name])
    data[at % len(data)] ^= 1 << bit
    result = check(tmp_path, file=bytes(data))
    assert _told(name, bytes(data), result)


def _told(name: str, data: bytes, result: Any) -> bool:
    """Whether the change was noticed, or is none: \u00e9 may be written \u00e9 in a proof.

    A signature that became another's does no harm beside one that is known, and is told.
    """
    if result["verdict"] != "HOLDS":
        return bool(result["questions"] or any(found["faults"] for found in result["files"]))
    if name == "export":
        return False
    checkpoints = result["files"][0]["checkpoints"]
    return any(c["unchecked"] for c in checkpoints) or bool(
        name != "checkpoint" and json.loads(data) == json.loads(FILES[name])
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_no_byte_of_any_file_can_be_changed(tmp_path: Path, name: str) -> None:
    for at in range(len(FILES[name])):
        data = bytearray(FILES[name])
        data[at] ^= 1 << at % 7
        result = check(tmp_path, file=bytes(data))
        assert _told(name, bytes(data), result), at


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 1 << 70) | st.text(max_size=5)
    | st.sampled_from(["\ud800", "AAAA", "\u2014 a AAAAAAAA", [[[[]]]], {"envelope": {}}]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)  # fmt: skip


def _with_junk(value: Any, data: st.DataObject, junk: Any) -> Any:
    """The value with one part of it, at any depth, replaced by junk."""
    if isinstance(value, dict | list) and value and data.draw(st.integers(0, 4)):
        inner = list(value) if isinstance(value, dict) else range(len(value))
        key = data.draw(st.sampled_from(inner))
        changed = dict(value) if isinstance(value, dict) else list(value)
        changed[key] = _with_junk(value[key], data, junk)
        return changed
    return junk


@pytest.mark.parametrize("name", ["proof", "redaction", "consistency"])
@given(data=st.data(), junk=JUNK)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_junk_breaks_the_check(
    tmp_path: Path, name: str, data: st.DataObject, junk: Any
) -> None:
    value = _with_junk(json.loads(FILES[name]), data, junk)
    result = check(tmp_path, file=json.dumps(value).encode())
    assert result["verdict"] != "HOLDS" or value == json.loads(FILES[name])


@given(data=st.data(), junk=JUNK)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_junk_in_an_export_breaks_the_check(
    tmp_path: Path, data: st.DataObject, junk: Any
) -> None:
    lines = FILES["export"].splitlines(keepends=True)
    at = data.draw(st.integers(1, len(lines) - 1))
    lines[at] = verify.canonical(_with_junk(json.loads(lines[at]), data, junk)) + b"\n"
    result = check(tmp_path, file=b"".join(lines))
    assert result["verdict"] != "HOLDS" or b"".join(lines) == FILES["export"]


@pytest.mark.parametrize("depth", [10, 300, 900, 990, 1000, 5000, 100_000])
def test_no_depth_breaks_the_check(tmp_path: Path, depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    line = b'{"body":' + deep + b"}\n"
    result = check(tmp_path, one=line, other=FILES["export"].partition(b"\n")[0] + b"\n" + line)
    assert result["verdict"] == "DOES NOT HOLD"
    assert all(found["faults"] for found in result["files"])


# --- as a program


def _alone(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The one file, somewhere else, with the standard library alone."""
    program = tmp_path / "alone.py"
    program.write_bytes(Path(verify.__file__).read_bytes())
    return subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", str(program), *words],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip


def test_it_runs_alone_and_says_by_its_exit_code(tmp_path: Path) -> None:
    paths = put(tmp_path, **FILES)
    done = _alone(tmp_path, *paths, *KEY_WORDS, "--json")
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["ed25519"] == "own"
    (bad,) = put(tmp_path, bad=FILES["proof"].replace(b'"index":4', b'"index":5'))
    assert _alone(tmp_path, bad, *KEY_WORDS).returncode == 1
    undecided = _alone(tmp_path, paths[0])
    assert (undecided.returncode, undecided.stdout.split()[-1]) == (2, "UNDECIDED")
    assert _alone(tmp_path, paths[0], "--key", "nonsense").returncode == 2
    assert _alone(tmp_path, str(tmp_path / "nowhere"), *KEY_WORDS).returncode == 2


def test_keys_may_stand_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = f"# of the ledger\n{LOG.public.text()}\n{WITNESS.public.text()}\n"
    paths = put(tmp_path, proof=FILES["proof"], keys=keys.encode())
    assert verify.main([paths[0], "--key", paths[1], "--body"]) == 0
    said = capsys.readouterr().out
    assert said.endswith("HOLDS\n")
    assert "run.started" in said


def test_a_file_that_is_not_there_or_holds_no_key_is_called_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = f"{LOG.public.text()}  since entry 1, its file is here\n".encode()
    proof, listed = put(tmp_path, proof=FILES["proof"], listed=table)
    gone = str(tmp_path / "gone")
    for words, said in (
        ([proof, "--key", gone], f"{gone}: no such file, and no key"),
        ([gone, *KEY_WORDS], f"{gone}: No such file or directory"),
        ([proof, "--key", listed], f"{listed}: no line NAME+ID+BASE64"),
    ):
        assert verify.main(words) == 2
        told = capsys.readouterr().err
        assert told.startswith(f"lineage-verify: {said}"), told


def test_keys_of_one_name_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = SigningKey(ORIGIN, bytes(range(7, 39)))
    note = add_signature(HANDED.notes[9], other)
    paths = put(tmp_path, note=note)
    assert verify.main([*paths, *KEY_WORDS]) == 0
    said = capsys.readouterr().out
    assert f"signed by {ORIGIN}+{LOG.public.id.hex()};" in said
    assert f"signature of {ORIGIN}+{other.public.id.hex()} not checked" in said
    assert f"cosigned by {WITNESS.name}+{WITNESS.public.id.hex()} at" in said


def test_two_keys_of_one_witness_are_one_witness(tmp_path: Path) -> None:
    other = SigningKey(WITNESS.name, bytes(range(7, 39)), COSIGNATURE)
    paths = put(tmp_path, note=add_signature(HANDED.notes[9], other, at=1_800_000_000))
    keys = [*KEYS, verify.key_of(other.public.text())]
    assert verify.check(paths, keys, set(), 1)["verdict"] == "HOLDS"
    assert verify.check(paths, keys, set(), 2)["verdict"] == "UNDECIDED"


@pytest.mark.parametrize(("first", "count"), [(1, 1), (1, 2), (5, 1), (9, 1), (12, 1)])
def test_entries_that_were_taken_out_are_told_once(tmp_path: Path, first: int, count: int) -> None:
    kept, seq, line = [], 0, 0
    for text in FILES["export"].splitlines(keepends=True):
        seq += b'"envelope"' in text
        if b'"envelope"' in text and first <= seq < first + count:
            continue
        kept.append(text)
        line = line or (len(kept) if seq >= first else 0)
    (found,) = check(tmp_path, export=b"".join(kept))["files"]
    last = min(first + count, seq + 1) - 1
    fault, *others = found["faults"]
    assert all("the stub of a redaction" in other["what"] for other in others)  # it was taken out
    assert fault["what"] == f"entries {first} to {last} are missing before this line"
    assert fault["where"].split(",")[0] == f"line {line}"


def test_an_entry_that_comes_twice_is_told_once(tmp_path: Path) -> None:
    lines = FILES["export"].splitlines(keepends=True)
    (found,) = check(tmp_path, export=b"".join([*lines[:3], *lines[2:]]))["files"]
    assert [fault["what"] for fault in found["faults"]] == ["has the number 2"]


def test_what_would_tie_two_checkpoints_is_named(tmp_path: Path) -> None:
    result = check(tmp_path, old=HANDED.notes[4], new=HANDED.notes[12])
    assert "`lineage ledger consistency 4 12`" in result["questions"][0]


def test_what_it_prints_cannot_steer_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in ("\x1b[2J", "\u202e"):
        (path,) = put(tmp_path, bad=json.dumps({"format": text}, ensure_ascii=False).encode())
        assert verify.main([path]) == 1
        assert text not in capsys.readouterr().out


def test_it_is_written_for_old_pythons_and_imports_nothing_of_ours() -> None:
    text = Path(verify.__file__).read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 9))
    imported = {
        (node.module or "").partition(".")[0] if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}
    assert len(text.splitlines()) < 830, "an auditor reads it in a sitting"


def test_the_formats_of_signatures_agree_with_those_that_we_write() -> None:
    assert (SIGNATURE, WITNESS.type) == (verify.LOG, verify.WITNESS)
    assert PublicKey.of_text(WITNESS.public.text()).type == verify.WITNESS


def test_a_ledger_of_nothing_is_sound(tmp_path: Path) -> None:
    handed = Handed(ledger(3, sealed=()).store)
    handed.store = type(handed.store)(handed.store._interpret)
    root = verify.sha256(b"")
    (path,) = put(tmp_path, export=handed.export())
    result = verify.check([path], [], set(), 0)
    assert not result["files"][0]["faults"]
    assert root.hex() in result["files"][0]["facts"][0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_verdict_that_nobody_can_read_is_no_other_verdict(tmp_path: Path) -> None:
    """Exit 1 would say that what holds was altered."""
    (proof,) = put(tmp_path, proof=FILES["proof"])
    words = [sys.executable, verify.__file__, proof, *KEY_WORDS]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            words, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path
        )
    assert done.returncode == 74, done.stderr
    assert done.stderr.startswith("lineage-verify: the result cannot be written")
    assert "Traceback" not in done.stderr
