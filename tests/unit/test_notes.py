"""Signed notes and checkpoints: as Go and C2SP write them, refused once one bit is off."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.errors import BadNoteError, BadSignatureError
from lineage.model.checkpoint import Checkpoint
from lineage.model.notes import (
    COSIGNATURE,
    PublicKey,
    SigningKey,
    add_signature,
    add_signature_lines,
    generate_key,
    open_note,
    sign_note,
    signatures_of,
)

# The example in the documentation of the note package of Go's checksum database.
GO_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
GO_NOTE = (
    GO_TEXT + "\n\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2"
    "pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()

# From C2SP tlog-cosignature: its example.
C2SP_NOTE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/"
    "Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
).encode()

LOG = SigningKey("log.example/l", bytes(range(32)))
WITNESS = SigningKey("witness.example/w", bytes(range(1, 33)), COSIGNATURE)
TEXT = Checkpoint("log.example/l", 7, bytes(32)).text()
KNOWN = [LOG.public, WITNESS.public]


def test_notes_are_those_of_go() -> None:
    key = SigningKey.of_text(GO_SECRET)
    assert key.text() == GO_SECRET
    assert key.public.text() == GO_PUBLIC
    assert sign_note(GO_TEXT, [key]) == GO_NOTE
    assert open_note(GO_NOTE, [PublicKey.of_text(GO_PUBLIC)]).text == GO_TEXT


def test_the_checkpoint_of_the_specification_is_read_and_written_alike() -> None:
    text = C2SP_NOTE.decode().partition("\n\n")[0] + "\n"
    found = Checkpoint.of_text(text)
    assert (found.origin, found.size) == ("example.com/behind-the-sofa", 20852163)
    assert found.text() == text
    assert len(signatures_of(C2SP_NOTE)) == 1


def test_a_generated_key_round_trips_and_hides_its_seed() -> None:
    key = generate_key("log.example/new")
    assert SigningKey.of_text(key.text()) == key
    assert PublicKey.of_text(key.public.text()) == key.public
    assert key.seed.hex() not in repr(key)
    assert repr(key.seed) not in repr(key)


def test_a_witness_adds_its_signature_and_its_time() -> None:
    note = add_signature(sign_note(TEXT, [LOG]), WITNESS, at=1_700_000_000)
    found = open_note(note, KNOWN)
    assert found.signed_by == (LOG.public, WITNESS.public)
    assert found.times == {WITNESS.public: 1_700_000_000}
    again = add_signature(note, WITNESS, at=1_700_000_009)
    assert open_note(again, KNOWN).times == {WITNESS.public: 1_700_000_009}
    assert len(signatures_of(again)) == 2


def test_lines_of_a_witness_are_added_once() -> None:
    note = sign_note(TEXT, [LOG])
    line = add_signature(note, WITNESS, at=5).removeprefix(note)
    assert add_signature_lines(add_signature_lines(note, line), line) == note + line


def test_the_time_of_a_witness_is_signed() -> None:
    (signature,) = signatures_of(sign_note(TEXT, [WITNESS], at=5))
    later = (6).to_bytes(8, "big") + signature.value[8:]
    assert WITNESS.public.holds(TEXT, signature.value)
    assert not WITNESS.public.holds(TEXT, later)


def test_unknown_signatures_are_ignored_and_named() -> None:
    other = generate_key("log.example/l")  # same name, another key
    found = open_note(sign_note(TEXT, [other, LOG]), KNOWN)
    assert found.signed_by == (LOG.public,)
    assert [s.key_id for s in found.unknown] == [other.public.id]
    with pytest.raises(BadSignatureError, match="known here"):
        open_note(sign_note(TEXT, [other]), KNOWN)


@given(at=st.integers(min_value=0), mask=st.integers(1, 255))
@settings(deadline=None)
def test_any_byte_flipped_refuses_the_note(at: int, mask: int) -> None:
    note = bytearray(add_signature(sign_note(TEXT, [LOG]), WITNESS, at=1_700_000_000))
    note[at % len(note)] ^= mask
    try:
        found = open_note(bytes(note), KNOWN)
    except (BadNoteError, BadSignatureError):
        return
    # Only a signature line that is now another's is let pass: as nobody's, which is said.
    assert found.text == TEXT
    assert len(found.signed_by) + len(found.unknown) == 2
    assert found.unknown


@pytest.mark.parametrize("text", [
    "", "a\n1\n", "a\n01\n" + "A" * 43 + "=\n", "a\n-1\n" + "A" * 43 + "=\n",
    "a\n1\nAAAA\n", "a\n1\n" + "A" * 42 + "B=\n", "\n1\n" + "A" * 43 + "=\n",
    "a\n1\n" + "A" * 43 + "=\n\n", "a\n\u0661\n" + "A" * 43 + "=\n", "a\n1\n" + "A" * 43 + "=",
])  # fmt: skip
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(BadNoteError):
        Checkpoint.of_text(text)


@pytest.mark.parametrize("text", [
    "", "a", "a+b+c", GO_PUBLIC[:-4], GO_PUBLIC.replace("c74f20a3", "c74f20a4"),
    GO_PUBLIC.replace("Peter", "Paul"), " " + GO_PUBLIC, GO_PUBLIC.replace("+AR", "+BR"),
])  # fmt: skip
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(BadNoteError):
        PublicKey.of_text(text)
    with pytest.raises(BadNoteError):
        SigningKey.of_text(text)
    with pytest.raises(BadNoteError):
        SigningKey.of_text("PRIVATE+KEY+" + text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b", "a\nb"])
def test_a_name_that_would_break_the_format_is_refused(name: str) -> None:
    with pytest.raises(BadNoteError):
        generate_key(name)
