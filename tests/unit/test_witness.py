"""A witness cosigns one history of a log, and no other, whatever it is shown."""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from lineage import verify
from lineage.errors import (
    AnotherSizeError,
    BadNoteError,
    BadSignatureError,
    InconsistentError,
    SourceUnavailableError,
    UnknownNameError,
    WentBackError,
)
from lineage.model.checkpoint import Checkpoint
from lineage.model.merkle import consistency_proof, leaf_hash, root_of
from lineage.model.notes import (
    COSIGNATURE,
    SigningKey,
    add_signature_lines,
    generate_key,
    open_note,
    sign_note,
    text_of,
)
from lineage.model.proofs import Consistency
from lineage.record.seal.folder import FolderPlace
from lineage.record.seal.publishing import publish
from lineage.witness.following import follow, show
from lineage.witness.memory import Memory
from lineage.witness.requests import Request, answer
from lineage.witness.sources import PublishedSource, Source, source_of
from lineage.witness.witness import Witness
from tests.handed import LOG, ORIGIN, ledger

WITNESS = SigningKey("w.example/w", bytes(range(2, 34)), COSIGNATURE)
NOW = 1_800_000_000


def witness(folder: Path, at: Callable[[], int] = lambda: NOW) -> Witness:
    return Witness(WITNESS, [LOG.public], Memory(folder / "witness"), at)


class Shown(Source):
    """A log that shows any leaves it likes, and makes every proof that can be made of them."""

    name = "shown"

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves = leaves

    def note(self, size: int) -> bytes:
        text = Checkpoint(ORIGIN, size, root_of(self.leaves[:size])).text()
        return sign_note(text, [LOG])

    @override
    def latest(self, origin: str) -> bytes | None:
        return self.note(len(self.leaves))

    @override
    def proofs(self, origin: str, old: int, note: bytes) -> list[Consistency]:
        new = len(self.leaves)
        path = consistency_proof(old, new, self.leaves) if 0 < old <= new else []
        return [Consistency(self.note(old), note, tuple(path))]


def leaves(*names: str) -> list[bytes]:
    return [leaf_hash(name.encode()) for name in names]


ABC = leaves(*"abcdefg")


def test_what_grows_is_cosigned_with_the_time(tmp_path: Path) -> None:
    one = witness(tmp_path)
    for size in (3, 4, 7):
        step = follow(one, Shown(ABC[:size]), ORIGIN)
        assert (step.size, step.cosigned) == (size, 1)
        with one.memory.of(ORIGIN) as remembered:
            note = remembered.note or b""
        opened = open_note(note, [LOG.public, WITNESS.public])
        assert opened.times == {WITNESS.public: NOW}
        assert Checkpoint.of_text(opened.text).size == size
    assert follow(one, Shown(ABC), ORIGIN).cosigned == 0


def test_a_log_that_was_written_anew_is_refused_and_the_evidence_kept(tmp_path: Path) -> None:
    one = witness(tmp_path)
    follow(one, Shown(ABC[:4]), ORIGIN)
    forged = ABC[:2] + leaves("x") + ABC[3:]
    with pytest.raises(InconsistentError, match="NOT cosigned") as caught:
        follow(one, Shown(forged), ORIGIN)
    assert one.memory.last(ORIGIN) == Checkpoint(ORIGIN, 4, root_of(ABC[:4]))
    kept = Path(caught.value.where["evidence"])
    keys = [verify.key_of(LOG.public.text())]
    assert verify.check([str(kept)], keys, set(), 0)["verdict"] == "DOES NOT HOLD"
    said = Consistency.of_value(json.loads(kept.read_bytes()))
    for note, size in ((said.old, 4), (said.new, 7)):  # both bear the log's signature
        assert Checkpoint.of_text(open_note(note, [LOG.public]).text).size == size
    assert follow(one, Shown(ABC), ORIGIN).cosigned == 1, "the true one is still taken"


def test_two_roots_of_one_size_are_refused(tmp_path: Path) -> None:
    one = witness(tmp_path)
    follow(one, Shown(ABC[:4]), ORIGIN)
    with pytest.raises(InconsistentError, match="two roots") as caught:
        follow(one, Shown([*ABC[:3], *leaves("x")]), ORIGIN)
    assert Path(caught.value.where["evidence"]).is_file()


def test_a_log_that_went_back_is_told(tmp_path: Path) -> None:
    one = witness(tmp_path)
    follow(one, Shown(ABC), ORIGIN)
    with pytest.raises(WentBackError) as caught:
        follow(one, Shown(ABC[:5]), ORIGIN)
    assert Path(caught.value.where["evidence"]).read_bytes() == Shown(ABC).note(5)
    assert follow(one, Shown(ABC), ORIGIN).cosigned == 0


@given(st.lists(
    st.tuples(st.sampled_from(["grow", "fork", "back"]), st.integers(0, 12)), max_size=12
))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_all_that_is_ever_cosigned_is_one_history(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    one = witness(tmp_path_factory.mktemp("w"))
    shown, history, fresh = ABC[:2], [], 0
    for what, by in steps:
        fresh += 1
        if what == "back":
            shown = shown[: max(1, len(shown) - by)]
        elif what == "fork":
            shown = shown[: by % len(shown)] + leaves(f"{fresh}")
        else:
            shown = shown + leaves(*(f"{fresh}-{n}" for n in range(by)))
        before = one.memory.last(ORIGIN)
        try:
            follow(one, Shown(shown), ORIGIN)
        except (InconsistentError, WentBackError):
            assert one.memory.last(ORIGIN) == before
            continue
        history.append(shown)
    for old, new in pairwise(history):
        assert new[: len(old)] == old


# --- who speaks for what


def test_only_logs_that_are_witnessed_by_keys_that_are_known(tmp_path: Path) -> None:
    one = witness(tmp_path)
    stranger = generate_key(ORIGIN)
    text = text_of(Shown(ABC).note(3))
    with pytest.raises(BadSignatureError):
        one.add(sign_note(text, [stranger]), 0, ())
    other = sign_note(text.replace(ORIGIN, "other.example/l"), [LOG])
    with pytest.raises(UnknownNameError):
        one.add(other, 0, ())
    with pytest.raises(BadNoteError):
        one.add(b"nonsense", 0, ())
    assert one.memory.last(ORIGIN) is None


def test_a_rotated_log_is_followed_by_either_key(tmp_path: Path) -> None:
    new_key = generate_key(ORIGIN)
    one = Witness(WITNESS, [LOG.public, new_key.public], Memory(tmp_path), lambda: NOW)
    follow(one, Shown(ABC[:3]), ORIGIN)
    text = text_of(Shown(ABC).note(7))
    one.add(sign_note(text, [new_key]), 3, consistency_proof(3, 7, ABC))
    assert one.memory.last(ORIGIN) == Checkpoint.of_text(text)


def test_a_key_of_a_log_does_not_cosign(tmp_path: Path) -> None:
    with pytest.raises(BadNoteError):
        Witness(LOG, [LOG.public], Memory(tmp_path), lambda: NOW)


def test_a_memory_that_was_spoilt_is_never_taken_for_a_new_log(tmp_path: Path) -> None:
    one = witness(tmp_path)
    follow(one, Shown(ABC), ORIGIN)
    (kept,) = (tmp_path / "witness").glob("*/checkpoint")
    kept.write_bytes(b"")
    with pytest.raises(BadNoteError):
        follow(one, Shown(ABC[:2]), ORIGIN)


# --- what is published


def test_published_checkpoints_are_followed_back_from_the_latest(tmp_path: Path) -> None:
    there, handed = tmp_path / "there", ledger()
    there.mkdir()
    publish(handed.store, ORIGIN, FolderPlace(there))
    source = source_of(str(there))
    one = witness(tmp_path)
    one.add(handed.notes[4], 0, ())
    step = follow(one, source, ORIGIN)
    assert (step.size, step.cosigned) == (12, 2)

    out = tmp_path / "out"
    out.mkdir()
    assert show(one, ORIGIN, FolderPlace(out))
    assert not show(one, ORIGIN, FolderPlace(out))
    cosigned = (out / ORIGIN / "checkpoint").read_bytes()
    keys = [verify.key_of(key.public.text()) for key in (LOG, WITNESS)]
    for name, data in {"proof": handed.proof(5, 12), "cosigned": cosigned}.items():
        (tmp_path / name).write_bytes(data)
    paths = [str(tmp_path / name) for name in ("proof", "cosigned")]
    assert verify.check(paths, keys, set(), 1)["verdict"] == "HOLDS"
    assert verify.check(paths[:1], keys, set(), 1)["verdict"] == "UNDECIDED"


def test_a_place_without_the_proof_is_no_contradiction(tmp_path: Path) -> None:
    there, handed = tmp_path / "there", ledger()
    there.mkdir()
    publish(handed.store, ORIGIN, FolderPlace(there))
    one = witness(tmp_path)
    one.add(handed.notes[4], 0, ())
    proof = there / ORIGIN / "consistency" / f"{9:020d}.json"
    kept = proof.read_bytes()
    proof.unlink()
    with pytest.raises(SourceUnavailableError) as caught:
        follow(one, source_of(str(there)), ORIGIN)
    assert caught.value.retryable
    proof.write_bytes(kept)
    assert follow(one, source_of(str(there)), ORIGIN).size == 12


@pytest.mark.parametrize("name", ["checkpoint", f"consistency/{12:020d}.json"])
def test_what_is_no_file_is_not_waited_for(name: str, tmp_path: Path) -> None:
    there, handed = tmp_path / "there", ledger()
    there.mkdir()
    publish(handed.store, ORIGIN, FolderPlace(there))
    (there / ORIGIN / name).unlink()
    os.mkfifo(there / ORIGIN / name)
    one = witness(tmp_path)
    one.add(handed.notes[4], 0, ())
    with pytest.raises(SourceUnavailableError, match="not a regular file"):
        follow(one, source_of(str(there)), ORIGIN)


def test_proofs_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    handed = ledger()
    files = {f"{ORIGIN}/checkpoint": handed.notes[12]}
    files[f"{ORIGIN}/consistency/{12:020d}.json"] = handed.consistency(12, 12)
    one = witness(tmp_path)
    one.add(handed.notes[4], 0, ())
    with pytest.raises(SourceUnavailableError):
        follow(one, PublishedSource("x", files.get), ORIGIN)
    with pytest.raises(SourceUnavailableError):
        follow(one, source_of(str(tmp_path / "nowhere")), ORIGIN)


# --- C2SP tlog-witness


def request(old: int, size: int, path: list[bytes], shown: Shown | None = None) -> bytes:
    steps = [base64.b64encode(step).decode() for step in path]
    return "\n".join([f"old {old}", *steps, "", ""]).encode() + (shown or Shown(ABC)).note(size)


def test_the_example_of_the_protocol_is_read() -> None:
    note = Shown(ABC).note(3)
    found = Request.of_bytes(
        b"old 20852014\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\n" + note
    )
    assert (found.old, len(found.path), found.note) == (20852014, 1, note)
    assert Request.of_bytes(b"old 0\n\n" + note).path == ()


def test_every_answer_has_the_status_of_the_protocol(tmp_path: Path) -> None:
    one = witness(tmp_path)
    first = answer(one, request(0, 3, []))
    assert first.status == 200
    assert add_signature_lines(Shown(ABC).note(3), first.body).count(b"\n\xe2\x80\x94 ") == 2
    proof = consistency_proof(3, 7, ABC)
    conflict = answer(one, request(0, 7, []))
    assert (conflict.status, conflict.type, conflict.body) == (409, "text/x.tlog.size", b"3\n")
    assert answer(one, request(3, 7, proof[:-1])).status == 422
    assert answer(one, request(3, 3, [], Shown(leaves(*"abx")))).status == 409
    assert answer(one, request(3, 3, [])).status == 200  # signed again: the log lost the answer
    assert answer(one, request(5, 3, [])).status == 400
    assert answer(one, request(3, 7, proof)).status == 200
    assert answer(one, request(7, 7, []).replace(b"old 7", b"old 07")).status == 400
    assert answer(one, b"old 7\nAAAA\n\n" + Shown(ABC).note(7)).status == 400
    assert answer(one, request(7, 7, [bytes(32)] * 64)).status == 400
    assert answer(one, b"").status == 400
    other = sign_note(text_of(Shown(ABC).note(7)).replace(ORIGIN, "o.example"), [LOG])
    assert answer(one, b"old 0\n\n" + other).status == 404
    stranger = sign_note(text_of(Shown(ABC).note(7)), [generate_key(ORIGIN)])
    assert answer(one, b"old 7\n\n" + stranger).status == 403


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_no_request_breaks_the_witness(body: bytes) -> None:
    with suppress(BadNoteError):
        Request.of_bytes(body)
    with suppress(BadNoteError):
        Request.of_bytes(b"old 1\n" + body)


def _race(folder: Path, shown: list[bytes], told: multiprocessing.Queue[int]) -> None:
    one, source = witness(folder), Shown(shown)
    for size in range(1, len(shown) + 1):
        for old in range(size + 1):
            path = consistency_proof(old, size, shown) if old else []
            try:
                one.add(source.note(size), old, path)
                told.put(size)
            except (AnotherSizeError, InconsistentError):
                continue


def test_of_two_that_come_together_one_history_is_cosigned(tmp_path: Path) -> None:
    told: multiprocessing.Queue[int] = multiprocessing.Queue()
    other = ABC[:1] + leaves(*"uvwxyz")
    both = [
        multiprocessing.Process(target=_race, args=(tmp_path, shown, told))
        for shown in (ABC, other)
    ]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
        assert process.exitcode == 0
    last = witness(tmp_path).memory.last(ORIGIN)
    assert last is not None
    assert last.size == 7
    assert last.root in {root_of(ABC), root_of(other)}
    evidence = list((tmp_path / "witness").glob("*/evidence/*"))
    assert evidence, "the other history was refused"
