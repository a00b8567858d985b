"""What is handed over, and the program that checks it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lineage import verify
from tests.handed import LOG, WITNESS, ledger, put

__all__ = [
    "FILES",
    "HANDED",
    "KEYS",
    "KEY_WORDS",
    "RFC_8032",
    "check",
]

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
