#!/usr/bin/env python3
"""Check what a ledger of Lineage handed over, without trusting Lineage or its operator.

One file, no network, Python 3.9 or newer alone. Formats: ``schema/ledger/FORMAT.md`` (entries,
tree, proofs, exports), C2SP signed-note, tlog-checkpoint and tlog-cosignature, RFC 6962 and 9162
(trees), RFC 8032 (Ed25519). Read it from top to bottom: 1 signatures, 2 notes and checkpoints,
3 trees, 4 JSON, 5 entries, 6 the kinds of files, 7 one history, 8 the command.

It shows that the record is the one that was signed. It cannot show that all that happened was
recorded, nor that the operator did not show another ledger to others: cosignatures do that.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

MOST_FAULTS = 100  # told of one file; the rest is counted


class BadError(Exception):
    """Something does not hold: where, and what."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where, self.what = where, what


def sha256(data: bytes) -> bytes:
    """SHA-256, the one hash of the formats."""
    return hashlib.sha256(data).digest()


# --- 1 signatures: Ed25519, RFC 8032 section 5.1; points are (X, Y, Z, T), x = X/Z, y = Y/Z ------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int, int, int]


def point_add(a: Point, b: Point) -> Point:
    """Section 5.1.4; doubles as well."""
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, d - c, d + c, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def point_of(data: bytes) -> Point | None:
    """Section 5.1.3; None for what encodes no point."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def point_bytes(point: Point) -> bytes:
    """Section 5.1.2."""
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = point_of((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def own_ed25519(key: bytes, signature: bytes, message: bytes) -> bool:
    """Section 5.1.7, in the form R = sB - hA."""
    a, s = point_of(key), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or a is None or BASE is None or s >= ORDER:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    minus_a = (P - a[0], a[1], 1, P - a[3])
    choices = ((0, 1, 1, 0), BASE, minus_a, point_add(BASE, minus_a))
    result: Point = choices[0]
    for bit in range(252, -1, -1):  # both products in one run
        result = point_add(result, result)
        result = point_add(result, choices[s >> bit & 1 | (h >> bit & 1) << 1])
    return point_bytes(result) == signature[:32]


def library_ed25519(key: bytes, signature: bytes, message: bytes) -> bool:
    """The same by ``cryptography``: a hundred times faster."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    ed25519 = own_ed25519
else:
    ed25519 = library_ed25519


# --- 2 notes and checkpoints ---------------------------------------------------------------------

LOG, WITNESS = 1, 4  # types of signature
Head = tuple[int, bytes]  # number of entries, root


@dataclass(frozen=True)
class Key:
    """A public key that the auditor was given, by a way that the operator does not control."""

    name: str
    id: bytes
    type: int
    key: bytes


def unbase64(text: Any, where: str, size: int = -1) -> bytes:
    """Bytes of standard base64: only the one text that encodes them."""
    try:
        data = base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        raise BadError(where, "not base64") from None
    if base64.b64encode(data).decode() != text or size not in (-1, len(data)):
        raise BadError(where, "not base64" if size == -1 else f"not the base64 of {size} bytes")
    return data


def key_of(text: str, where: str = "key") -> Key:
    """A key of its line ``name+id+base64``."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    data = unbase64(encoded, f"{where}: no line NAME+ID+BASE64", 33)
    own_id = sha256(name.encode("utf-8", "surrogatepass") + b"\n" + data)[:4]
    if not name or own_id.hex() != key_id:
        raise BadError(where, f"the id of {name!r} is not that of the key")
    if data[0] not in (LOG, WITNESS):
        raise BadError(where, f"{name!r} is no Ed25519 key of a log or a witness")
    return Key(name, bytes.fromhex(key_id), data[0], data[1:])


@dataclass
class Checkpoint:
    """A signed statement: the ledger ``origin`` had this root when it had ``size`` entries."""

    origin: str
    size: int
    root: bytes
    signed: list[str] = field(default_factory=list)
    cosigned: dict[str, int] = field(default_factory=dict)  # witness -> seconds since 1970
    unchecked: list[str] = field(default_factory=list)

    @property
    def head(self) -> Head:
        """What is signed of the tree."""
        return self.size, self.root

    def tells(self) -> str:
        """It in a line for people."""
        names = [f"signed by {name}" for name in self.signed]
        names += [f"cosigned by {name} at {utc(at * 10**6)}" for name, at in self.cosigned.items()]
        names += [f"signature of {name} not checked: unknown key" for name in self.unchecked]
        return f"checkpoint of {self.origin} at {self.size:,} entries: {'; '.join(names)}"


def checkpoint_of(note: Any, keys: list[Key], where: str) -> Checkpoint:
    """Read a checkpoint and check all of its signatures by known keys."""
    if not isinstance(note, str) or any("\ud800" <= c <= "\udfff" for c in note):
        raise BadError(where, "not a text")
    text, blank, lines = note.rpartition("\n\n")
    text, parts = text + "\n", text.split("\n")
    if not blank or not lines.endswith("\n") or any(c < " " and c != "\n" for c in note):
        raise BadError(where, "not a signed note")
    if len(parts) < 3 or not all(parts) or not re.fullmatch("0|[1-9][0-9]{0,18}", parts[1]):
        raise BadError(where, "not the text of a checkpoint: origin, size, root")
    found = Checkpoint(parts[0], int(parts[1]), unbase64(parts[2], f"{where}, root", 32))
    for line in lines[:-1].split("\n"):
        dash, name, encoded = (*line.split(" "), "", "")[:3]
        if dash != "\u2014" or not name or line.count(" ") != 2:
            raise BadError(where, "a line after the text is no signature")
        data = unbase64(encoded, f"{where}, signature of {name}")
        signer = f"{name}+{data[:4].hex()}"  # keys of one name are told apart
        known = [key for key in keys if (key.name, key.id) == (name, data[:4])]
        if not known:
            found.unchecked.append(signer)
        elif known[0].type == WITNESS:
            at = int.from_bytes(data[4:12], "big")
            message = f"cosignature/v1\ntime {at}\n{text}".encode()
            check_signature(known[0], data[12:], message, where)
            found.cosigned[signer] = at
        else:
            check_signature(known[0], data[4:], text.encode(), where)
            # A key speaks for its own ledger alone.
            (found.signed if name == found.origin else found.unchecked).append(signer)
    return found


def check_signature(key: Key, signature: bytes, message: bytes, where: str) -> None:
    """Refuse a signature of a known key that does not hold."""
    if not ed25519(key.key, signature, message):
        raise BadError(f"{where}, signature of {key.name}", "does not hold for this text")


# --- 3 trees: RFC 6962 section 2.1 ---------------------------------------------------------------


def node(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return sha256(b"\x01" + left + right)


def root_by_path(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """RFC 9162 section 2.1.3.2; None where the path has not the length that it must have."""
    last, result = size - 1, leaf
    for step in path:
        if last == 0:
            return None
        if index & 1 or index == last:
            result = node(step, result)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            result = node(result, step)
        index, last = index >> 1, last >> 1
    return result if last == 0 else None


def is_prefix(old: Checkpoint, new: Checkpoint, path: list[bytes]) -> bool:
    """RFC 9162 section 2.1.4.2: whether the path shows that one tree begins with the other."""
    if old.size in (0, new.size):
        same = sha256(b"") if old.size == 0 else new.root
        return not path and old.root == same
    if old.size > new.size or not path:
        return False
    steps = path if old.size & (old.size - 1) else [old.root, *path]
    index, last = old.size - 1, new.size - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if index & 1 or index == last:
            before, after = node(step, before), node(step, after)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            after = node(after, step)
        index, last = index >> 1, last >> 1
    return last == 0 and before == old.root and after == new.root


class Tree:
    """A growing tree: roots of its complete subtrees, largest first."""

    def __init__(self) -> None:
        self.size = 0
        self.subtrees: list[bytes] = []

    def push(self, leaf: bytes) -> None:
        """Append a leaf: every trailing one bit of the size is a subtree to join."""
        size, self.size = self.size, self.size + 1
        while size & 1:
            leaf, size = node(self.subtrees.pop(), leaf), size >> 1
        self.subtrees.append(leaf)

    def root(self) -> bytes:
        """Root so far."""
        if not self.subtrees:
            return sha256(b"")
        result = self.subtrees[-1]
        for left in self.subtrees[-2::-1]:
            result = node(left, result)
        return result


# --- 4 JSON --------------------------------------------------------------------------------------


def parse(data: bytes, where: str) -> Any:
    """Strict JSON: no key twice, no fractions (the formats have none)."""
    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=_once, parse_float=_no, parse_constant=_no
        )
    except (ValueError, RecursionError) as fault:
        raise BadError(where, f"not JSON: {fault}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key occurs twice")
    return dict(pairs)


def _no(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of the format")


def members(value: Any, where: str, names: str) -> list[Any]:
    """The members of an object that has exactly these, in this order."""
    if not isinstance(value, dict) or sorted(value) != sorted(names.split()):
        raise BadError(where, f"not an object of {', '.join(names.split())}")
    return [value[name] for name in names.split()]


def canonical(value: Any) -> bytes:
    """Sorted keys, no spaces, ASCII: how envelopes are hashed and exports written."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def utc(micros: int) -> str:
    """A time for people."""
    try:
        at = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=micros)
    except OverflowError:
        return f"{micros} microseconds after 1970"
    return at.isoformat().replace("+00:00", "Z")


# --- 5 entries -----------------------------------------------------------------------------------

ENVELOPE = {
    "seq": int, "recorded_at": int, "kind": str, "v": int, "source": str, "event_id": str,
    "actor": dict, "commitment": str,
}  # fmt: skip
REDACTED, STUB = "entry.redacted", ("source", "event_id", "stub")


@dataclass
class Entry:
    """An entry whose body is what it committed to, or a stub, for which a redaction must speak."""

    envelope: dict[str, Any]
    body: bytes
    redacted: bool

    @property
    def leaf(self) -> bytes:
        """Its leaf of the tree."""
        return sha256(b"\x00" + canonical(self.envelope))

    @property
    def name(self) -> tuple[str, str]:
        """What a redaction calls it by."""
        return self.envelope["source"], self.envelope["event_id"]

    def tells(self) -> str:
        """It in a line for people."""
        e, what = self.envelope, "redacted, shown as its stub" if self.redacted else "not redacted"
        at = utc(e["recorded_at"])
        return f"entry {e['seq']:,}, {e['kind']!a} by {e['source']!a}, recorded {at}, {what}"


def entry_of(value: Any, where: str) -> Entry:
    """Read an entry and check its commitment."""
    envelope, salt, body = members(value, where, "envelope salt body")
    fields = members(envelope, f"{where}, envelope", " ".join(ENVELOPE))
    for (name, kind), told in zip(ENVELOPE.items(), fields):
        if type(told) is not kind:
            raise BadError(f"{where}, envelope, {name}", "has another type")
    actor = members(envelope["actor"], f"{where}, envelope, actor", "id verified")
    if not all(isinstance(part, str) for part in actor):
        raise BadError(f"{where}, envelope, actor", "has another type")
    found = Entry(envelope, unbase64(body, f"{where}, body"), redacted=salt is None)
    if salt is not None:
        commitment = sha256(unbase64(salt, f"{where}, salt", 16) + found.body).hex()
        if commitment != envelope["commitment"]:
            raise BadError(f"{where}, body", "body, salt and commitment do not fit together")
    return found


class Redactions:
    """Which stubs were committed to: of several for an entry the last (event id, source) stands."""

    def __init__(self) -> None:
        self.stubs: dict[tuple[str, str], tuple[str, str, bytes]] = {}
        self.redacted: list[tuple[str, tuple[str, str], bytes]] = []

    def see(self, entry: Entry, where: str) -> None:
        """Take note of a redacted entry, or of what a redaction says."""
        if entry.redacted:
            self.redacted.append((where, entry.name, sha256(entry.body)))
        if entry.envelope["kind"] != REDACTED or entry.envelope["v"] != 1:
            return
        body = parse(entry.body, f"{where}, body")
        told = [body.get(name) for name in STUB] if isinstance(body, dict) else []
        texts = [part for part in told if isinstance(part, str)]
        if len(texts) != len(STUB):
            raise BadError(f"{where}, body", "not the body of a redaction")
        source, event_id, stub = texts
        said = (*entry.name[::-1], sha256(stub.encode("utf-8", "surrogatepass")))
        self.stubs[source, event_id] = max(said, self.stubs.get((source, event_id), said))

    def faults(self) -> list[BadError]:
        """Redacted entries for whose stub no redaction speaks."""
        what = "neither what was committed to nor the stub of a redaction that is here"
        return [
            BadError(f"{where}, body", what)
            for where, name, stub in self.redacted
            if self.stubs.get(name, ("", "", b""))[2] != stub
        ]


# --- 6 the kinds of files ------------------------------------------------------------------------


@dataclass
class Found:
    """What one file showed. ``histories``: heads that are of one and the same ledger."""

    file: str
    format: str = "unknown"
    facts: list[str] = field(default_factory=list)
    faults: list[BadError] = field(default_factory=list)
    more_faults: int = 0
    checkpoints: list[Checkpoint] = field(default_factory=list)
    histories: list[set[Head]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def fault(self, fault: BadError) -> None:
        """Keep a fault, or count it."""
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(fault)
        else:
            self.more_faults += 1


def path_of(value: Any, where: str) -> list[bytes]:
    """A list of hashes."""
    if not isinstance(value, list) or len(value) > 63:
        raise BadError(where, "not a list of hashes")
    return [unbase64(step, f"{where}, step {n}", 32) for n, step in enumerate(value)]


def included(value: Any, where: str, checkpoint: Checkpoint) -> Entry:
    """An entry and its path to the root of the checkpoint."""
    index, shown, inclusion = members(value, where, "index entry inclusion")
    entry = entry_of(shown, f"{where}, entry")
    if type(index) is not int or entry.envelope["seq"] != index + 1:
        raise BadError(f"{where}, index", "not that of the entry's number")
    if not 0 <= index < checkpoint.size:
        raise BadError(f"{where}, index", "beyond what the checkpoint covers")
    path = path_of(inclusion, f"{where}, inclusion")
    if root_by_path(entry.leaf, index, checkpoint.size, path) != checkpoint.root:
        what = "envelope and path do not lead to the root of the checkpoint"
        raise BadError(f"{where}, inclusion", what)
    return entry


def read_proof(value: dict[str, Any], keys: list[Key], found: Found) -> None:
    """``lineage-proof/1``: an entry, and the redactions that speak for what was redacted."""
    redactions = value.pop("redactions", [])
    names = "format checkpoint index entry inclusion"
    _, note, *part = members(value, "proof", names)
    checkpoint = checkpoint_of(note, keys, "checkpoint")
    found.checkpoints.append(checkpoint)
    if not isinstance(redactions, list):
        raise BadError("redactions", "not a list")
    known = Redactions()
    for n, shown in enumerate([dict(zip(names.split()[2:], part)), *redactions]):
        where = f"redaction {n}" if n else "proof"
        entry = included(shown, where, checkpoint)
        known.see(entry, f"{where}, entry")
        found.entries.append(entry)
        found.facts.append(f"{entry.tells()}: covered by the checkpoint")
    for fault in known.faults():
        found.fault(fault)


def read_consistency(value: dict[str, Any], keys: list[Key], found: Found) -> None:
    """``lineage-consistency/1``: the newer checkpoint begins with the older one."""
    _, old_note, new_note, proof = members(value, "consistency", "format old new proof")
    old, new = checkpoint_of(old_note, keys, "old"), checkpoint_of(new_note, keys, "new")
    found.checkpoints += [old, new]
    if old.origin != new.origin:
        raise BadError("new", f"is of {new.origin}, the old one of {old.origin}")
    if not is_prefix(old, new, path_of(proof, "proof")):
        raise BadError("proof", "does not lead from the old root to the new one")
    found.histories.append({old.head, new.head})
    found.facts.append(f"the first {old.size:,} of {new.size:,} entries are those of the old one")


class Export:
    """``lineage-ledger/1``: a line for each entry, in order, with checkpoints between them.

    ``wanted`` are sizes at which another file or the auditor has a root to compare with.
    """

    def __init__(self, keys: list[Key], found: Found, wanted: set[int]) -> None:
        self.keys, self.found, self.wanted = keys, found, wanted
        self.tree, self.count, self.whole = Tree(), 0, True  # whole: every leaf so far is sound
        self.redactions, self.recorded_at = Redactions(), 0
        self.heads: set[Head] = set()
        self.checkpoints = 0
        found.histories.append(self.heads)

    def read(self, file: BinaryIO) -> None:
        """The whole file, line by line: memory does not grow with it."""
        total, ended = hashlib.sha256(file.readline()), False
        for number, line in enumerate(file, start=2):
            where = f"line {number}"
            try:
                if ended:
                    raise BadError(where, "after the end of the export")  # noqa: TRY301
                ended = self.line(line, where, total.hexdigest())
            except BadError as fault:
                self.whole = False  # what follows from a fault is not told as another
                self.found.fault(fault)
            total.update(line)
            if number % 50_000 == 0 and sys.stderr.isatty():
                print(f"{self.count:,} entries...", end="\r", file=sys.stderr, flush=True)
        if not ended:
            self.found.fault(BadError("end", f"cut off after entry {self.count:,}"))
        for missing in self.redactions.faults() if ended else []:
            self.found.fault(missing)

    def line(self, line: bytes, where: str, total: str) -> bool:
        """One line; whether it is the last. ``total`` is the hash of those before."""
        value = parse(line, where)
        if not isinstance(value, dict) or canonical(value) + b"\n" != line:
            raise BadError(where, "not written as the format says")
        if "entries" in value:
            self.end(value, where, total)
        elif "checkpoint" in value:
            self.checkpoint(value, where)
        else:
            self.count += 1
            self.entry(value, f"{where} (entry {self.count:,})")
        return "entries" in value

    def entry(self, value: dict[str, Any], where: str) -> None:
        """The next entry: its own faults, its place, its leaf."""
        told = value.pop("leaf", None)
        entry = entry_of(value, where)
        leaf = entry.leaf
        if unbase64(told, f"{where}, leaf", 32) != leaf:
            raise BadError(f"{where}, envelope", "the leaf is not the hash of the envelope")
        seq, self.count = entry.envelope["seq"], self.count - 1
        self.reach(seq - 1, where)
        if seq <= self.count:
            raise BadError(where, f"has the number {seq:,}")
        self.count = seq
        if entry.envelope["recorded_at"] < self.recorded_at:
            raise BadError(where, "recorded before its predecessor")
        self.recorded_at = entry.envelope["recorded_at"]
        self.redactions.see(entry, where)
        self.tree.push(leaf)
        if self.count in self.wanted and self.whole:
            self.heads.add((self.count, self.tree.root()))

    def reach(self, last: int, where: str) -> None:
        """Entries up to ``last`` come before a line: what is missing is told once, not of each."""
        if last > self.count:
            what = f"entries {self.count + 1:,} to {last:,} are missing before this line"
            self.found.fault(BadError(where.partition(" (")[0], what))
            self.whole, self.count = False, last

    def checkpoint(self, value: dict[str, Any], where: str) -> None:
        """A checkpoint stands behind the last entry that it covers."""
        where = f"{where}, checkpoint"
        (note,) = members(value, where, "checkpoint")
        checkpoint = checkpoint_of(note, self.keys, where)
        self.reach(checkpoint.size, where)
        if checkpoint.size < self.count:
            raise BadError(where, f"stands behind entry {self.count:,}, covers {checkpoint.size:,}")
        if self.whole and checkpoint.root != self.tree.root():
            since = max((size for size, _ in self.heads), default=0)
            what = f"one of the entries {since + 1:,} to {self.count:,} is not what was signed"
            raise BadError(where, what)
        # What a later signature covers needs none of its own: its key may be an older one.
        own = [c for c in self.found.checkpoints if c.origin == checkpoint.origin]
        signed = [c for c in own if c.signed]
        self.found.checkpoints = [*signed[-1:], checkpoint]
        self.heads.add(checkpoint.head)
        self.checkpoints += 1

    def end(self, value: dict[str, Any], where: str, total: str) -> None:
        """Number of entries, root over all of them, hash of the lines before."""
        entries, root, told = members(value, where, "entries root sha256")
        self.reach(entries if type(entries) is int else 0, f"{where}, entries")
        if entries != self.count or type(entries) is not int:
            raise BadError(f"{where}, entries", f"not the number of entries, {self.count:,}")
        head = (self.count, unbase64(root, f"{where}, root", 32))
        if self.whole and head[1] != self.tree.root():
            raise BadError(f"{where}, root", "not the root over the entries")
        if self.whole and told != total:
            raise BadError(f"{where}, sha256", "not the hash of the lines before")
        sealed = max((checkpoint.size for checkpoint in self.found.checkpoints), default=0)
        redacted = len(self.redactions.redacted)
        self.heads.add(head)
        self.found.facts.append(
            f"{self.count:,} entries, {redacted:,} redacted, root {head[1].hex()}; "
            f"checkpoints that hold: {self.checkpoints:,}; "
            f"{self.count - sealed:,} are after the last checkpoint"
        )


READERS = {"lineage-proof/1": read_proof, "lineage-consistency/1": read_consistency}


def read_file(path: str, keys: list[Key], wanted: set[int] | None) -> Found | None:
    """What a file shows, whatever it is. None for an export while nothing is ``wanted`` of it."""
    found = Found(path)
    with Path(path).open("rb") as file:
        first = file.readline()
        file.seek(0)
        try:
            if first == b'{"format":"lineage-ledger/1"}\n':
                if wanted is None:
                    return None
                found.format = "lineage-ledger/1"
                Export(keys, found, wanted).read(file)
            elif first.lstrip().startswith(b"{"):
                value = parse(file.read(), "file")
                found.format = str(value.get("format"))
                if found.format not in READERS:
                    raise BadError("format", f"{found.format!a} is not known")  # noqa: TRY301
                READERS[found.format](value, keys, found)
            else:
                found.format = "checkpoint"
                note = text_of(file.read(), "checkpoint")
                found.checkpoints.append(checkpoint_of(note, keys, "checkpoint"))
        except BadError as fault:
            found.fault(fault)
    return found


# --- 7 one history, signed by somebody who is known ----------------------------------------------


def origins_of(files: list[Found]) -> list[str]:
    """Names of the ledgers that the checkpoints are of."""
    return sorted({checkpoint.origin for found in files for checkpoint in found.checkpoints})


def contradictions(files: list[Found], expected: set[Head]) -> Iterator[BadError]:
    """Roots that cannot be of one ledger: somebody was shown another one."""
    told = {size: (root, "the expected root") for size, root in sorted(expected)}
    for found in files if len(origins_of(files)) < 2 else []:
        for head in {c.head for c in found.checkpoints}.union(*found.histories):
            root, whose = told.setdefault(head[0], (head[1], found.file))
            if root != head[1]:
                what = f"{found.file} and {whose} have different roots for as many entries"
                yield BadError(f"root at {head[0]:,}", what)


def open_questions(files: list[Found], expected: set[Head], quorum: int) -> Iterator[str]:
    """What is missing before the files show one signed history. Nothing of it is false."""
    checkpoints = [checkpoint for found in files for checkpoint in found.checkpoints]
    if len(origins := origins_of(files)) > 1:
        yield f"the files are of several ledgers ({', '.join(origins)}): check those of each alone"
        return
    groups: list[set[Head]] = [{c.head} for c in checkpoints] + [{head} for head in expected]
    merged: list[set[Head]] = []
    for group in groups + [history for found in files for history in found.histories]:
        apart = [other for other in merged if not other & group]
        merged = [*apart, group.union(*(other for other in merged if other & group))]
    tops = sorted(max(size for size, _ in group) for group in merged if group)
    for lower, upper in zip(tops, tops[1:]):
        yield (
            f"nothing shows that the {upper:,} entries begin with the {lower:,}: ask for a "
            f"consistency proof (`lineage ledger consistency {lower} {upper}`), or for an export"
        )
    covered = max((size for size, _ in expected), default=0)
    for checkpoint in checkpoints:
        if not checkpoint.signed and checkpoint.size > covered:
            yield f"no key is known that signed the checkpoint at {checkpoint.size:,} entries"
    if not checkpoints and not expected:
        yield "there is no checkpoint, and no root to expect was given"
    seen = [(c.size, len({name.partition("+")[0] for name in c.cosigned})) for c in checkpoints]
    cosigned = max(seen, default=(0, 0))[1]
    if cosigned < quorum:
        yield f"the newest checkpoint is cosigned by {cosigned} of the {quorum} witnesses asked for"


# --- 8 the command -------------------------------------------------------------------------------


def text_of(data: bytes, where: str) -> str:
    """UTF-8, or a fault."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise BadError(where, f"not UTF-8 at byte {fault.start}") from None


def keys_of(words: list[str]) -> list[Key]:
    """Keys as told: each a line, or a file of such lines."""
    lines: list[tuple[str, str]] = []
    for word in words:
        is_file = Path(word).is_file()
        if not is_file and word.count("+") < 2:
            raise BadError(word, "no such file, and no key (NAME+ID+BASE64)")
        text = text_of(Path(word).read_bytes(), word) if is_file else word
        lines += [(line.strip(), word) for line in text.splitlines()]
    return [key_of(line, where) for line, where in lines if line and line[0] != "#"]


def heads_of(words: list[str]) -> set[Head]:
    """Expected roots, each ``SIZE:ROOT`` in hex."""
    for word in words:
        if not re.fullmatch("[1-9][0-9]{0,18}:[0-9a-f]{64}", word):
            raise BadError("--expect", f"{word!a} is not SIZE:ROOT")
    return {(int(w.partition(":")[0]), bytes.fromhex(w.partition(":")[2])) for w in words}


def check(paths: list[str], keys: list[Key], expected: set[Head], quorum: int) -> dict[str, Any]:
    """The verdict over all files together, as plain data."""
    # Small files first: an export is asked for its roots at the sizes that they tell of.
    small = {path: read_file(path, keys, None) for path in paths}
    wanted = {size for size, _ in expected}
    wanted |= {c.size for found in small.values() if found for c in found.checkpoints}
    files = [small[path] or read_file(path, keys, wanted) for path in paths]
    known = [found for found in files if found is not None]
    faults = list(contradictions(known, expected))
    bad = bool(faults) or any(found.faults for found in known)
    questions = [] if bad else list(open_questions(known, expected, quorum))
    return {
        "verdict": "DOES NOT HOLD" if bad else "UNDECIDED" if questions else "HOLDS",
        "questions": questions,
        "faults": [{"where": fault.where, "what": fault.what} for fault in faults],
        "files": [shown(found) for found in known],
        "ed25519": "own" if ed25519 is own_ed25519 else "cryptography",
    }


def shown(found: Found) -> dict[str, Any]:
    """What a file showed, as plain data."""
    return {
        "file": found.file,
        "format": found.format,
        "facts": found.facts,
        "faults": [{"where": fault.where, "what": fault.what} for fault in found.faults],
        "faults_not_told": found.more_faults,
        "checkpoints": [{**vars(c), "root": c.root.hex()} for c in found.checkpoints[-2:]],
        "entries": [
            {"envelope": e.envelope, "body": e.body.decode("utf-8", "backslashreplace")}
            for e in found.entries
        ],
    }


def say(text: str) -> None:
    """Print a line. What is in a file shall not steer the terminal that it is shown on."""
    print("".join(c if " " <= c <= "~" else ascii(c)[1:-1] for c in text))


def tell(result: dict[str, Any], *, body: bool) -> None:
    """Print the verdict for a person: facts first, then why, then the one word."""
    for found in result["files"]:
        say(f"{found['file']} ({found['format']})")
        for line in found["facts"] + [Checkpoint(**c).tells() for c in found["checkpoints"]]:
            say(f"  {line}")
        for entry in found["entries"] if body else []:
            say(f"  body {entry['body']}")
        for fault in found["faults"]:
            say(f"  BAD {fault['where']}: {fault['what']}")
        if found["faults_not_told"]:
            say(f"  BAD and {found['faults_not_told']:,} more")
    for fault in result["faults"]:
        say(f"BAD {fault['where']}: {fault['what']}")
    for question in result["questions"]:
        say(f"OPEN {question}")
    say(result["verdict"])


def main(words: list[str] | None = None) -> int:
    """Exit 0 if everything holds, 1 if not, 2 if that cannot be decided, 74 if unheard."""
    parser = argparse.ArgumentParser(
        prog="lineage-verify",
        description="Check checkpoints, proofs and exports of a Lineage ledger. All files are of "
        "one ledger, and must show one history. Exit 0: holds; 1: does not; 2: undecided, "
        "or asked for wrongly; 74: the result cannot be written.",
    )
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="a checkpoint, a proof, or an exported ledger")
    add("--key", action="append", default=[], help="public key of the ledger or a witness: the "
        "line, or a file of lines, from its owner; repeat")  # fmt: skip
    add("--quorum", type=int, metavar="N", help="how many witnesses must have cosigned the newest "
        "checkpoint (all whose key is given)")  # fmt: skip
    add("--expect", action="append", default=[], metavar="SIZE:ROOT", help="a root kept elsewhere")
    add("--body", action="store_true", help="print the bodies of proved entries")
    add("--json", action="store_true", help="print the result as JSON")
    asked = parser.parse_args(words)
    try:
        keys, expected = keys_of(asked.key), heads_of(asked.expect)
        witnesses = sum(key.type == WITNESS for key in keys)
        quorum = witnesses if asked.quorum is None else asked.quorum
        result = check(asked.files, keys, expected, quorum)
    except (BadError, OSError) as fault:
        os_says = f"{fault.filename}: {fault.strerror}" if isinstance(fault, OSError) else ""
        print(f"lineage-verify: {os_says or fault}", file=sys.stderr)
        return 2
    try:
        if asked.json:
            print(json.dumps(result, indent=2))
        else:
            tell(result, body=asked.body)
        sys.stdout.flush()
    except OSError as fault:
        # Nobody read the verdict: that is not the verdict's fault, and no other verdict either.
        sys.stdout = None  # else Python tries again at its end
        print(f"lineage-verify: the result cannot be written: {fault}", file=sys.stderr)
        return 74
    return {"HOLDS": 0, "DOES NOT HOLD": 1, "UNDECIDED": 2}[result["verdict"]]


if __name__ == "__main__":
    sys.exit(main())
