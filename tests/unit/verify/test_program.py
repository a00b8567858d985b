"""What an auditor checks alone: as a program."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from lineage import verify
from lineage.model.keys import COSIGNATURE, SIGNATURE, PublicKey, SigningKey
from lineage.model.notes import add_signature
from tests.handed import LOG, ORIGIN, WITNESS, Handed, ledger, put
from tests.unit.verify.checking import FILES, HANDED, KEY_WORDS, KEYS, check


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
