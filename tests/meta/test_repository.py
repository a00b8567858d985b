"""What holds for the repository as a whole: nothing of one machine in it, everything pinned.

The patterns are put together from pieces, so that this file passes its own test.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"
LOCKS = ("build", "runtime", "team", "demo", "dev")
MAX_FILE_BYTES = 1_000_000
# Left out where git cannot tell what is tracked.
UNTRACKED = {"__pycache__", "build", "dist", "node_modules"}

REGISTRY_HOSTS = tuple(
    "".join(pieces)
    for pieces in (
        ("py", "pi", ".org"),
        ("python", "hosted", ".org"),
        ("conda", ".anaconda", ".org"),
        ("registry.", "npmjs", ".org"),
        ("registry.", "yarnpkg", ".com"),
        ("repo1.", "maven", ".org"),
        ("repo.maven.", "apache", ".org"),
        ("proxy.", "golang", ".org"),
        ("static.", "crates", ".io"),
        ("index.", "crates", ".io"),
        ("docker", ".io"),
        ("ghcr", ".io"),
        ("gcr", ".io"),
        ("quay", ".io"),
        ("registry.", "k8s", ".io"),
        ("mcr.", "microsoft", ".com"),
        ("deb.", "debian", ".org"),
        ("archive.", "ubuntu", ".com"),
    )
)
# Hosts that are nobody's (RFC 2606) or this machine: fine in examples and tests.
ELSEWHERE = (
    r"\w+://(?!(?:[^\s/@]+@)?(?:127\.0\.0\.1|localhost"
    r"|(?:[\w-]+\.)*(?:example|invalid|test|example\.(?:com|net|org)))(?![\w.-]))"
)
INDEX_OPTION = "(?i:index[-_]" + "url|find[-_]" + "links)"
REGISTRY = re.compile(
    "|".join(
        [
            rf"(?<![\w-])(?:[\w-]+\.)*(?:{'|'.join(map(re.escape, REGISTRY_HOSTS))})(?![\w-])",
            rf"{INDEX_OPTION}[\"']?[=:\s]+[\"']?{ELSEWHERE}\S+",
            ELSEWHERE + r"[^\s/\"'`]+/(?:[^\s\"'`]*/)?sim" + r"ple/?(?=[\s\"'`)]|$)",
        ]
    )
)
BUILD_PATH = re.compile(
    r"(?<![\w.*}$-])(?:"
    + "|".join(
        [
            r"/ro" + r"ot/",
            r"/ho" + r"me/(?:admin|build|builder|circleci|jenkins|runner|ubuntu|user|vscode)/",
            r"/Us" + r"ers/(?:admin|runner|builder)/",
            r"/git" + r"hub/work",
            r"/bui" + r"lds/",
            r"/wo" + r"rk(?:space)?/",
            r"/opt/(?:host" + r"edtoolcache|whe" + r"els)",
            r"/t" + r"mp/tmp[a-z0-9_]{8}\b",
            r"[\w/.-]*/py" + r"test-of-",
            r"[\w/.-]*/\.py" + r"env/versions",
        ]
    )
    + ")"
)
PIN = re.compile(
    r"([a-z0-9][a-z0-9.-]*)==([\w.!+-]+)"  # name and version
    r"(?: ; \S.*?)?"  # platforms
    r"((?:\s+--hash=sha256:[0-9a-f]{64})+)"
)


class Pin(NamedTuple):
    name: str
    version: str
    hashes: int


def tracked() -> list[Path]:
    """The files under version control (without git: all that look as if they were)."""
    listing = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z"]
    if (ROOT / ".git").exists() and shutil.which("git"):
        found = subprocess.run(listing, capture_output=True, check=True).stdout
        names = [Path(name) for name in os.fsdecode(found).split("\0") if name]
    else:
        every = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
        names = [
            name
            for name in every
            if not UNTRACKED.intersection(name.parts)
            and not any(part.startswith(".") and part != ".ci" for part in name.parts)
        ]
    paths = (ROOT / name for name in names)
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def texts() -> list[tuple[str, str]]:
    """Path and content of every tracked file that is text."""
    out = []
    for path in tracked():
        data = path.read_bytes()
        if b"\0" not in data:
            out.append((path.relative_to(ROOT).as_posix(), data.decode("utf-8", "replace")))
    return out


def findings(pattern: re.Pattern[str]) -> list[str]:
    """``path:line: what`` for everything the pattern finds."""
    return [
        f"{path}:{number}: {match.group()}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), start=1)
        for match in pattern.finditer(line)
    ]


def pins(lock: str) -> list[Pin]:
    """What a lock pins; fails on any line that is not ``name==version --hash=...``."""
    text = (REQUIREMENTS / f"{lock}.txt").read_text(encoding="utf-8")
    logical = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    out = []
    for line in filter(None, map(str.strip, logical.splitlines())):
        match = PIN.fullmatch(line)
        assert match, f"{lock}.txt: not a hashed pin: {line[:100]}"
        out.append(Pin(match[1], match[2], match[3].count("--hash")))
    return out


def canonical(requirement: str) -> str:
    """The name a requirement begins with, as the locks spell it."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, requirement
    return re.sub(r"[-_.]+", "-", match.group()).lower()


def test_there_is_something_to_look_at() -> None:
    paths = [path for path, _ in texts()]
    assert "pyproject.toml" in paths
    assert "tests/meta/test_repository.py" in paths
    assert not [path for path in paths if path.startswith(".venv")]


def test_no_file_names_a_registry_host_or_an_index() -> None:
    assert findings(REGISTRY) == []


@pytest.mark.parametrize(
    "line",
    [
        "https://" + REGISTRY_HOSTS[0] + "/project/x",
        "files." + REGISTRY_HOSTS[1],
        "FROM " + REGISTRY_HOSTS[11] + "/a/b:1",
        "--extra-index" + "-url https://packages.corp/x",
        "PIP_INDEX" + "_URL=http://10.0.0.1/x",
        "index" + '-url = "https://packages.corp/x"',
        "--find" + "-links file:///somewhere",
        "see https://packages.corp/py/sim" + "ple/",
    ],
)
def test_a_registry_is_seen(line: str) -> None:
    assert REGISTRY.search(line)


@pytest.mark.parametrize(
    "line",
    [
        "uv pip compile --no-emit-index" + "-url --generate-hashes",
        "--index" + "-url https://user:secret@packages.example/sim" + "ple/",
        "a simple/minded line",
        "pkg:py" + "pi/apsw@3.51.3",
        "https://docs.example.org/sim" + "ple/",
    ],
)
def test_prose_and_examples_are_not_registries(line: str) -> None:
    assert not REGISTRY.search(line)


def test_no_file_holds_a_path_of_a_build_machine() -> None:
    assert findings(BUILD_PATH) == []


@pytest.mark.parametrize(
    "line",
    [
        '"/ro' + 'ot/x"',
        "file:///ho" + "me/runner/x",
        "at /wo" + "rk/x",
        "/t" + "mp/tmpa1b2c3_d/x",
        "/t" + "mp/py" + "test-of-ann/",
    ],
)
def test_a_path_of_a_build_machine_is_seen(line: str) -> None:
    assert BUILD_PATH.search(line)


@pytest.mark.parametrize(
    "line", ["/home/ann/project", "a/wo" + "rk/b", "$HOME/wo" + "rk/", "/t" + "mp/x"]
)
def test_other_paths_are_fine(line: str) -> None:
    assert not BUILD_PATH.search(line)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_and_hashed(lock: str) -> None:
    found = pins(lock)
    assert len(found) > 3
    assert all(pin.hashes for pin in found)
    assert len({(pin.name, pin.version) for pin in found}) == len(found)


def test_no_requirement_file_is_without_a_check() -> None:
    assert {path.stem for path in REQUIREMENTS.glob("*.txt")} == set(LOCKS)


def test_locks_agree() -> None:
    runtime, team, demo, dev = (
        {(pin.name, pin.version) for pin in pins(lock)}
        for lock in ("runtime", "team", "demo", "dev")
    )
    assert runtime < demo < dev
    assert runtime < team < dev
    versions = dict(dev)
    build = {pin.name: pin.version for pin in pins("build")}
    shared = build.keys() & versions.keys()
    assert {name: build[name] for name in shared} == {name: versions[name] for name in shared}


def test_locks_hold_what_the_package_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = {
        "runtime": project["dependencies"],
        "team": project["dependencies"] + extras["neo4j"] + extras["kafka"],
        "demo": project["dependencies"] + extras["demo"],
        "dev": project["dependencies"] + extras["demo"] + extras["dev"],
    }
    for lock, requirements in asked.items():
        missing = {canonical(each) for each in requirements} - {pin.name for pin in pins(lock)}
        assert missing == set(), f"{lock}.txt is out of date: see requirements/README.md"


def test_no_file_is_large() -> None:
    sizes = {path.relative_to(ROOT).as_posix(): path.stat().st_size for path in tracked()}
    assert {path: size for path, size in sizes.items() if size > MAX_FILE_BYTES} == {}


def test_licence_and_changelog_are_there() -> None:
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
