"""What an auditor checks alone: signatures."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import verify
from lineage.model.keys import SigningKey
from tests.handed import LOG, WITNESS
from tests.unit.verify.checking import RFC_8032


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
