"""From records to what became of each file, and which files count: the rules, one by one."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from lineage.capture.run.digests import Digests
from lineage.capture.run.eventlog import DIRECTORY, EMPTIED, MADE, REPLACED, Record, parse
from lineage.capture.run.files import MOST_FILES, describe_files
from lineage.capture.run.footprint import FileState, Footprint, Places, shown
from lineage.capture.run.rules import Kind, Rules

R, W, RW = 0, 1, 2


def log(*events: tuple[object, ...]) -> list[Record]:
    """Records from (op, a, path[, other path])."""
    return [
        Record(
            str(op), 1, n, int(str(a)), 5, 5, str(path).encode(), "".join(map(str, rest)).encode()
        )
        for n, (op, a, path, *rest) in enumerate(events, 1)
    ]


def folded(*events: tuple[object, ...], there: str = "") -> dict[str, FileState]:
    footprint = Footprint(Places(lambda path: path), lambda path: path.startswith("/proc"))
    footprint.add(log(*events))
    present = set(there.split())
    changed = os.stat_result((0o100644, 0, 0, 0, 0, 0, 9, 0, 9, 0))
    footprint.settle(lambda path: changed if path in present else None, 99)
    return footprint.files


def kinds(states: dict[str, FileState]) -> dict[str, str]:
    out = {}
    for path, state in states.items():
        said = "in " if state.read_at else ""
        if state.temporary:
            said += "tmp"
        elif state.gone:
            said += "removed"
        elif state.written_at:
            said += "modified" if state.existed else "added"
        out[path] = said.strip()
    return out


@pytest.mark.parametrize(
    ("events", "there", "expected"),
    [
        ([("O", R, "/a")], "/a", {"/a": "in"}),
        ([("O", W | MADE, "/a")], "/a", {"/a": "added"}),
        ([("O", W | EMPTIED, "/a")], "/a", {"/a": "modified"}),
        ([("O", R, "/a"), ("O", W | EMPTIED, "/a")], "/a", {"/a": "in modified"}),
        ([("O", W | MADE, "/a"), ("O", R, "/a")], "/a", {"/a": "added"}),
        ([("O", W | EMPTIED, "/a"), ("O", R, "/a")], "/a", {"/a": "modified"}),
        ([("O", W | MADE, "/a"), ("U", 0, "/a")], "", {"/a": "tmp"}),
        ([("O", W | MADE, "/a")], "", {"/a": "tmp"}),
        ([("U", 0, "/a")], "", {"/a": "removed"}),
        ([("O", R, "/a"), ("U", 0, "/a")], "", {"/a": "in removed"}),
        ([("U", 0, "/a"), ("O", W | MADE, "/a")], "/a", {"/a": "modified"}),
        ([("O", RW, "/a")], "/a", {"/a": "in modified"}),
        ([("O", W, "/a")], "/a", {"/a": "modified"}),
        ([("O", W | MADE, "/t"), ("N", 0, "/t", "/a")], "/a", {"/a": "added"}),
        ([("O", W | MADE, "/t"), ("N", REPLACED, "/t", "/a")], "/a", {"/a": "modified"}),
        (
            [("O", R, "/a"), ("O", W | MADE, "/t"), ("N", REPLACED, "/t", "/a")],
            "/a",
            {"/a": "in modified"},
        ),
        ([("N", 0, "/a", "/b")], "/b", {"/a": "removed", "/b": "added"}),
        (
            [("O", W | MADE, "/d/x"), ("N", DIRECTORY, "/d", "/e")],
            "/e/x",
            {"/e/x": "added"},
        ),
        (
            [("O", W | MADE, "/t"), ("L", 0, "/t", "/a"), ("U", 0, "/t")],
            "/a",
            {"/t": "tmp", "/a": "added"},
        ),
        ([("T", 0, "/a")], "/a", {"/a": "modified"}),
        ([("O", R, "/proc/cpuinfo")], "", {}),
    ],
)
def test_what_became_of_files(
    events: list[tuple[object, ...]], there: str, expected: dict[str, str]
) -> None:
    assert kinds(folded(*events, there=there)) == expected


def test_what_was_opened_for_writing_and_is_unchanged_was_only_read() -> None:
    footprint = Footprint(Places(lambda path: path), lambda path: False)
    footprint.add(log(("O", RW, "/a"), ("O", W, "/b")))
    same = os.stat_result((0o100644, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 5, 0))
    footprint.settle(lambda path: same, 99)
    assert kinds(footprint.files) == {"/a": "in", "/b": ""}


def test_a_rename_of_what_was_there_is_remembered() -> None:
    states = folded(("N", 0, "/a", "/b"), ("N", 0, "/b", "/c"), there="/c")
    assert states["/c"].renamed_from == "/a"
    assert "/b" not in states


def test_a_link_that_goes_while_it_is_followed_is_its_own_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    latest = tmp_path / "latest"
    latest.symlink_to("there")
    read = os.readlink

    def replaced(path: str) -> str:
        latest.unlink(missing_ok=True)
        return read(path)

    monkeypatch.setattr(os, "readlink", replaced)
    assert Places().real(bytes(latest)) == str(latest)


def test_bytes_that_are_no_text_are_shown() -> None:
    assert shown(os.fsdecode(b"/a-\xff\xfe/\xc3\xbc")) == "/a-%FF%FE/ü"


# --- the log


def encoded(record: Record) -> bytes:
    head = f"\x1e{record.op} {record.pid} {record.time} {record.a} {record.b} {record.c}"
    return (
        f"{head} {len(record.path)} {len(record.other)}\n".encode()
        + record.path + record.other + b"\n"
    )  # fmt: skip


def test_records_of_any_bytes_come_back_however_they_arrive() -> None:
    dice = random.Random(3)
    records = [
        Record("N", n, n, 1, 2, 3, dice.randbytes(dice.randrange(60)), dice.randbytes(9))
        for n in range(200)
    ]
    data = b"".join(map(encoded, records))
    got, rest, skipped = list[Record](), b"", 0
    while data:
        cut = dice.randrange(1, 300)
        more, rest, missed = parse(rest + data[:cut])
        data = data[cut:]
        got += more
        skipped += missed
    assert (got, rest, skipped) == (records, b"", 0)


def test_what_is_no_record_is_skipped_and_the_rest_is_read() -> None:
    good = [Record("O", n, n, path=b"/%d" % n) for n in range(3)]
    cut = encoded(Record("O", 9, 9, path=b"/a long path that was cut"))[:-9]
    data = (
        b"junk" + encoded(good[0]) + cut + encoded(good[1]) + b"\x1enonsense\n" + encoded(good[2])
    )
    got, rest, skipped = parse(data)
    assert got == good
    assert (rest, skipped) == (b"", 3)


# --- which files count


def rules() -> Rules:
    made = Rules(
        ours=("/p/.lineage",), exclude=("/scratch",), homes=("/home/me",), code=("/p",),
        script="/usr/bin/tool", cwd="/p",
    )  # fmt: skip
    made.learn(["/p/.venv", "/opt/py", "/usr"], ["/opt/py/lib/python3.12", "/shared/libs"])
    return made


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/p/data.csv", Kind.DATA),
        ("/p/train.py", Kind.CODE),
        ("/usr/bin/tool", Kind.CODE),
        ("/p/.lineage/store.db", Kind.NOTHING),
        ("/p/.lineage2/x.csv", Kind.DATA),
        ("/scratch/x.csv", Kind.NOTHING),
        ("/proc/self/maps", Kind.NOTHING),
        ("/dev/null", Kind.NOTHING),
        ("/dev/shm/array", Kind.DATA),
        ("/etc/hosts", Kind.ENVIRONMENT),
        ("/usr/lib/x/y.so", Kind.ENVIRONMENT),
        ("/usr/src/app/data.csv", Kind.DATA),
        ("/p/.venv/lib/python3.12/site-packages/sklearn/data/iris.csv", Kind.ENVIRONMENT),
        ("/p/.venv/data.csv", Kind.ENVIRONMENT),
        ("/opt/py/data.csv", Kind.ENVIRONMENT),
        ("/p/pkg/__pycache__/x.cpython-312.pyc", Kind.ENVIRONMENT),
        ("/p/native.so", Kind.ENVIRONMENT),
        ("/home/me/.cache/fontconfig/x", Kind.ENVIRONMENT),
        ("/home/me/.cache/huggingface/hub/models--x/blobs/1", Kind.DATA),
        ("/home/me/.aws/credentials", Kind.ENVIRONMENT),
        ("/home/me/data.csv", Kind.DATA),
        ("/shared/libs/mod.py", Kind.ENVIRONMENT),
        ("/elsewhere/mod.py", Kind.DATA),
    ],
)
def test_which_row_decides(path: str, kind: Kind) -> None:
    assert rules().kind(path) is kind


def test_a_virtual_environment_in_the_project_folder_is_not_the_project() -> None:
    made = Rules(code=("/p",), cwd="/p")
    made.learn(["/p"], [])
    assert made.kind("/p/data.csv") is Kind.DATA
    assert made.kind("/p/lib/python3.12/x.csv") is Kind.ENVIRONMENT


# --- digests


def test_the_version_read_is_the_content_that_was_there_when_it_was_opened(tmp_path: Path) -> None:
    place = tmp_path / "a.csv"
    place.write_text("old")
    before = place.stat()
    digests = Digests(100)
    early = digests.of(str(place))
    assert early is not None
    place.write_text("newer")
    state = FileState(
        str(place), existed=True, read_at=1, size=before.st_size, mtime=before.st_mtime_ns
    )
    nothing = Rules()
    found = describe_files([state], nothing, digests, Digests(0), str, code_is_known=True)
    assert found.uses[0]["version"] == f"sha256.{early.sha256}"
    assert found.changed == [str(place)]
    late = describe_files([state], nothing, Digests(100), Digests(0), str, code_is_known=True)
    assert "version" not in late.uses[0], "the content that came later is never taken for it"


def test_digests_end_with_their_budget_and_when_hurried(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text("x" * 60)
    digests = Digests(100)
    assert digests.of(str(tmp_path / "a")) is not None
    assert digests.of(str(tmp_path / "b")) is None
    assert digests.of(str(tmp_path / "a")) is not None, "what is known costs nothing"
    hurried = Digests(100)
    hurried.hurry()
    assert hurried.of(str(tmp_path / "a")) is None


def test_folding_stops_at_what_cannot_be_folded() -> None:
    models = [FileState(f"/m/{n}.joblib", existed=True, read_at=1) for n in range(MOST_FILES + 50)]
    images = [
        FileState(f"/i/{n % 40}/{n}.png", existed=True, read_at=1) for n in range(3 * MOST_FILES)
    ]
    found = describe_files(
        [*models, *images], Rules(), Digests(0), Digests(0), lambda data: "0" * 64,
        code_is_known=True,
    )  # fmt: skip
    shown_kinds = {use["artifact_kind"] for use in found.uses}
    assert shown_kinds == {"model", "directory", "file"}
    assert len(found.uses) <= 2 * MOST_FILES
    assert sum(use.get("count", 1) for use in found.uses if use["artifact_kind"] != "model") == 3000
