"""Where two files first differ, in the words of their format.

``compare`` says whether two files that are not the same bytes say the same, and if not, where they
part: a JSON pointer, a row and a column, a line, a member of an archive, a place in a pickle, or a
byte with what stands around it. Numbers are equal within ``tolerance``: |a - b| is at most
tolerance x max(1, |a|, |b|). Two integers are equal or they are not: they count and name things.
"""

from __future__ import annotations

import csv
import io
import json
import math
import pickletools
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

__all__ = ["Comparison", "compare", "compare_directories"]

_CHUNK = 1 << 20
_WINDOW = 16
"""Bytes shown on each side of a difference."""
_TEXT_LIMIT = 256 << 20
"""Larger files are compared as bytes."""
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf)\b")
_SHOWN = 80


@dataclass(frozen=True)
class Comparison:
    """Whether two things say the same, and where not."""

    same: bool
    where: dict[str, Any] = field(default_factory=dict)


_SAME = Comparison(same=True)


def compare(recorded: Path, got: Path, name: str, tolerance: float) -> Comparison:
    """Compare two files by the format that ``name`` and their first bytes suggest."""
    by_bytes = first_byte(recorded, got)
    if by_bytes is None:
        return _SAME
    suffix = Path(name).suffix.lower()
    try:
        if max(recorded.stat().st_size, got.stat().st_size) <= _TEXT_LIMIT:
            if suffix == ".json":
                return _json(recorded.read_bytes(), got.read_bytes(), tolerance)
            if suffix in {".csv", ".tsv"}:
                return _rows(recorded, got, "\t" if suffix == ".tsv" else ",", tolerance)
            if suffix in {".txt", ".log", ".md", ".jsonl", ".ndjson", ".yaml", ".yml", ".dot"}:
                return _lines(recorded, got, tolerance)
        if zipfile.is_zipfile(recorded) and zipfile.is_zipfile(got):
            return Comparison(same=False, where=_members(recorded, got))
    except (ValueError, csv.Error, zipfile.BadZipFile, RecursionError):
        pass  # not what the name says: as bytes then
    return Comparison(same=False, where={**by_bytes, **_in_pickle(recorded, by_bytes["byte"])})


def compare_directories(recorded: Path, got: Path, tolerance: float) -> Comparison:
    """Compare all files below two directories, in the order of their names."""
    names = sorted(_files(recorded) | _files(got))
    for name in names:
        sides = [folder / name for folder in (recorded, got)]
        there = [side.is_file() for side in sides]
        if not all(there):
            return Comparison(same=False, where={"file": name, "only in": _side(there)})
        found = compare(sides[0], sides[1], name, tolerance)
        if not found.same:
            return Comparison(same=False, where={"file": name, **found.where})
    return _SAME


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def _side(there: list[bool]) -> str:
    return "recorded" if there[0] else "reproduced"


# --- bytes


def first_byte(recorded: Path, got: Path) -> dict[str, Any] | None:
    """The first byte in which two files differ, with what stands around it; None where in none."""
    offset = 0
    with recorded.open("rb") as a, got.open("rb") as b:
        while True:
            one, other = a.read(_CHUNK), b.read(_CHUNK)
            if one != other:
                at = offset + _common(one, other)
                return {
                    "byte": at,
                    "recorded": _window(a, at),
                    "reproduced": _window(b, at),
                    "sizes": [recorded.stat().st_size, got.stat().st_size],
                }
            if not one:
                return None
            offset += len(one)


def _common(one: bytes, other: bytes) -> int:
    """Length of the common start, by halving: chunks are large and differences rare."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _window(file: io.BufferedReader, at: int) -> str:
    start = max(at - _WINDOW, 0)
    file.seek(start)
    around = file.read(at - start + _WINDOW)
    return f"{around[: at - start].hex(' ')} | {around[at - start :].hex(' ')}".strip()


def _in_pickle(path: Path, at: int) -> dict[str, Any]:
    """The last names that a pickle (or the start of a joblib file) has before a byte."""
    names: list[str] = []
    with path.open("rb") as file:
        if file.read(1) != b"\x80":
            return {}
        file.seek(0)
        try:
            for _, argument, position in pickletools.genops(file):
                if position is None or position > at:
                    break
                if isinstance(argument, str):
                    names.append(argument)
        except (ValueError, IndexError, UnicodeDecodeError):
            pass  # the arrays that joblib puts between
    return {"after": " ".join(names[-3:])[:_SHOWN]} if names else {}


# --- archives


def _members(recorded: Path, got: Path) -> dict[str, Any]:
    with zipfile.ZipFile(recorded) as a, zipfile.ZipFile(got) as b:
        one = {info.filename: info for info in a.infolist()}
        other = {info.filename: info for info in b.infolist()}
        for name in sorted({*one, *other}):
            if name not in one or name not in other:
                return {"member": name, "only in": _side([name in one])}
            if one[name].CRC != other[name].CRC or one[name].file_size != other[name].file_size:
                left, right = a.read(name), b.read(name)
                at = _common(left, right)
                return {
                    "member": name,
                    "byte": at,
                    "recorded": left[at : at + _WINDOW].hex(" "),
                    "reproduced": right[at : at + _WINDOW].hex(" "),
                }
    return {"member": "", "detail": "the members are equal, the archive around them is not"}


# --- text


def near(one: float, other: float, tolerance: float) -> bool:
    """Whether two numbers are equal within the tolerance. NaN equals NaN."""
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    if one == other:
        return True
    if isinstance(one, int) and isinstance(other, int):
        return False
    return abs(one - other) <= tolerance * max(1.0, abs(one), abs(other))


def _json(recorded: bytes, got: bytes, tolerance: float) -> Comparison:
    found = next(_unequal(json.loads(recorded), json.loads(got), "", tolerance), None)
    if found is None:
        return _SAME
    pointer, one, other = found
    return Comparison(
        same=False,
        where={"pointer": pointer or "/", "recorded": _shown(one), "reproduced": _shown(other)},
    )


def _unequal(
    one: Any, other: Any, pointer: str, tolerance: float
) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            place = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            yield from _unequal(one.get(key, _Absent), other.get(key, _Absent), place, tolerance)
    elif isinstance(one, list) and isinstance(other, list):
        for n, (left, right) in enumerate(zip_longest(one, other, fillvalue=_Absent)):
            yield from _unequal(left, right, f"{pointer}/{n}", tolerance)
    elif _is_number(one) and _is_number(other):
        if not near(one, other, tolerance):
            yield pointer, one, other
    elif one != other or isinstance(one, bool) is not isinstance(other, bool):
        yield pointer, one, other


class _Absent:
    """What is not there."""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    return "(absent)" if value is _Absent else json.dumps(value)[:_SHOWN]


def _rows(recorded: Path, got: Path, delimiter: str, tolerance: float) -> Comparison:
    with _text(recorded) as a, _text(got) as b:
        tables = csv.reader(a, delimiter=delimiter), csv.reader(b, delimiter=delimiter)
        header: list[str] = []
        for n, (one, other) in enumerate(zip_longest(*tables), start=1):
            header = header or one or []
            if one is None or other is None:
                return Comparison(same=False, where={"row": n, "only in": _side([one is not None])})
            for column, cells in enumerate(zip_longest(one, other, fillvalue="")):
                if not _same_text(*cells, tolerance):
                    name = header[column] if column < len(header) else str(column + 1)
                    return Comparison(
                        same=False,
                        where={
                            "row": n,
                            "column": name,
                            "recorded": cells[0][:_SHOWN],
                            "reproduced": cells[1][:_SHOWN],
                        },
                    )
    return _SAME


def _lines(recorded: Path, got: Path, tolerance: float) -> Comparison:
    with _text(recorded) as a, _text(got) as b:
        for n, (one, other) in enumerate(zip_longest(a, b), start=1):
            if one is None or other is None or not _same_text(one, other, tolerance):
                return Comparison(
                    same=False,
                    where={
                        "line": n,
                        "recorded": (one or "(absent)").rstrip()[:_SHOWN],
                        "reproduced": (other or "(absent)").rstrip()[:_SHOWN],
                    },
                )
    return _SAME


def _text(path: Path) -> io.TextIOWrapper:
    return path.open(encoding="utf-8", newline="")


def _same_text(one: str, other: str, tolerance: float) -> bool:
    """Whether two texts are equal but for numbers, and those within the tolerance."""
    if one == other:
        return True
    if _NUMBER.sub("#", one) != _NUMBER.sub("#", other):
        return False
    pairs = zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True)
    return all(near(_number(left), _number(right), tolerance) for left, right in pairs)


def _number(text: str) -> float:
    return int(text) if text.lstrip("+-").isdecimal() else float(text)
