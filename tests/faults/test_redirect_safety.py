"""A Python program that is redirected, without namespaces, tries to write where it must not."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lineage.reproduce.isolation import IN_PROCESS, run
from lineage.reproduce.sandbox.spec import Spec

HOOK = Path(__file__).parents[2] / "lineage" / "reproduce" / "redirect"
PRELUDE = """
import ctypes, errno, glob, io, os, pathlib, shutil, socket, subprocess, sys, tempfile
def refused(call, *args, **options):
    try:
        call(*args, **options)
    except OSError as fault:
        print("refused", fault)
        return True
    return False
"""


@dataclass
class Room:
    """Real files, and a Python that is redirected, with the kernel's confinement or without."""

    root: Path
    confined: bool

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def scratch(self) -> Path:
        return self.root / "scratch"

    @property
    def mirror(self) -> Path:
        """What the job wrote to its directory."""
        return self.scratch / "mirror" / str(self.work).lstrip("/")

    def run(self, code: str, *, absent: tuple[str, ...] = ()) -> tuple[int | None, str]:
        told = self.scratch / "redirect.json"
        told.write_text(json.dumps({
            "scratch": str(self.scratch),
            "views": [[str(self.work / "table"), str(self.scratch / "view")]],
            "files": {str(self.work / "was"): str(self.scratch / "then")},
            "absent": [str(self.work / name) for name in absent],
            "hidden": [str(self.root / "home/.netrc")],
            "network": False,
        }))  # fmt: skip
        argv = (sys.executable, "-c", PRELUDE + textwrap.dedent(code))
        env = {
            "PATH": os.defpath, "HOME": str(self.root / "home"), "PYTHONPATH": str(HOOK),
            "LINEAGE_REDIRECT": str(told), "TMPDIR": str(self.scratch),
        }  # fmt: skip
        out, err = self.root / "stdout", self.root / "stderr"
        if self.confined:
            spec = Spec(str(self.scratch), argv, str(self.work), env)
            ended = run(IN_PROCESS, spec, stdout=out, stderr=err, timeout=60)
            if ended.isolation == IN_PROCESS:
                pytest.skip("this kernel has no Landlock")
            code_now = ended.exit_code
        else:
            with out.open("wb") as one, err.open("wb") as other:
                code_now = subprocess.run(
                    argv, cwd=self.work, env=env, stdout=one, stderr=other, check=False
                ).returncode
        return code_now, out.read_text() + err.read_text()

    def facts(self) -> dict[str, tuple[object, ...]]:
        found: dict[str, tuple[object, ...]] = {}
        for path in [*self.root.rglob("*"), self.work]:
            if path.is_relative_to(self.scratch) or path.parent == self.root:
                continue
            seen = path.lstat()
            data = path.read_bytes() if path.is_file() else b""
            found[str(path)] = (data, seen.st_ino, seen.st_mode, seen.st_nlink, seen.st_mtime_ns)
        return found


@pytest.fixture(params=[True, False], ids=["landlock", "hook alone"])
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    for name in ("work/deep", "work/table", "home", "scratch/view"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("work/model", "work/deep/inner", "work/table/now", "work/was", "outside"):
        (tmp_path / name).write_text(f"real {name}")
    (tmp_path / "home/.netrc").write_text("secret")
    (tmp_path / "scratch/then").write_text("what was")
    (tmp_path / "work/table/then").write_text("rows")
    (tmp_path / "scratch/view/then").symlink_to(tmp_path / "work/table/then")
    (tmp_path / "work/link").symlink_to(tmp_path / "outside")
    made = Room(tmp_path, request.param)
    before = made.facts()
    yield made
    assert made.facts() == before


WAYS = {
    "open": 'open("model", "w").write("x")',
    "open for more": 'open("model", "a").write("x"); open("model", "r+").write("y")',
    "pathlib": 'pathlib.Path("model").write_text("x"); pathlib.Path("deep/inner").unlink()',
    "descriptors": 'os.write(os.open("model", os.O_WRONLY), b"x")',
    "modes and times": """
        os.chmod("model", 0o777); os.utime("model", (1, 1)); os.truncate("model", 0)
    """,
    "renames": """
        os.rename("model", "other"); os.replace("deep", "shallow"); open("shallow/inner", "a")
    """,
    "removals": 'os.remove("model"); shutil.rmtree("deep"); assert not glob.glob("*/inner")',
    "links": 'os.link("model", "again"); open("again", "a").write("x")',
    "links by name": 'os.symlink("model", "alias"); open("alias", "a").write("x")',
    "a link to elsewhere": 'open("link", "w").write("x"); assert open("link").read() == "x"',
    "directories": 'os.makedirs("a/b/c"); os.rmdir("a/b/c"); shutil.copytree("deep", "copy")',
    "beside a descriptor": """
        folder = os.open(".", os.O_RDONLY)
        os.unlink("model", dir_fd=folder)
        os.close(os.open("made", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    """,
    "the pinned table": """
        assert sorted(os.listdir("table")) == ["then"]
        open("table/then", "a").write("x"); open("table/new", "w").write("y")
        open("table/then", "w").write("z")
    """,
    "what was": """
        assert open("was").read() == "what was"
        open("was", "a").write("!")
        assert open("was").read() == "what was!"
    """,
    "another Python": """
        subprocess.run([sys.executable, "-c", "open('model', 'w').write('x')"], check=True)
        assert open("model").read() == "x"
    """,
    "temporary files": """
        tempfile.NamedTemporaryFile(dir=".").write(b"x"); tempfile.mkdtemp(dir=".")
    """,
}


@pytest.mark.parametrize("way", WAYS)
def test_writing_is_led_to_scratch(way: str, room: Room) -> None:
    code, said = room.run(WAYS[way])
    assert code == 0, said


REFUSED = {
    "a TCP connection": """
        server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen()
        assert refused(socket.create_connection, server.getsockname())
    """,
    "secrets": """
        assert refused(open, os.environ["HOME"] + "/.netrc")
        assert not os.path.exists(os.environ["HOME"] + "/.netrc")
    """,
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_led_is_refused(what: str, room: Room) -> None:
    code, said = room.run(REFUSED[what])
    assert code == 0, said


def test_another_program_cannot_write(room: Room) -> None:
    code, said = room.run("""
        def shell():
            done = subprocess.run(["/bin/sh", "-c", "echo x > model"])
            raise OSError(done.returncode) if done.returncode else SystemExit("it wrote")
        assert refused(shell)
        assert refused(os.execv, "/bin/sh", ["sh", "-c", "echo x > model"])
    """)
    # With Landlock the program may start, and then cannot write either.
    assert room.confined or code == 0, said


def test_native_code_is_kept_from_writing_by_the_kernel(room: Room) -> None:
    if not room.confined:
        pytest.skip("that is what Landlock is for")
    code, said = room.run("""
        libc = ctypes.CDLL(None, use_errno=True)
        path = os.path.abspath("model").encode()
        for flags in (os.O_WRONLY, os.O_RDWR | os.O_TRUNC):
            assert libc.open(path, flags) == -1 and ctypes.get_errno() == errno.EACCES
        assert libc.unlink(path) == -1 and libc.truncate(path, 0) == -1
        assert libc.rename(path, path + b"2") == -1 and libc.mkdir(path + b"3", 0o700) == -1
    """)
    assert code == 0, said


def test_what_the_recorded_run_made_is_not_there(room: Room) -> None:
    code, said = room.run(
        """
        assert not os.path.exists("model") and "model" not in os.listdir(".")
        assert refused(open, "model") and not list(pathlib.Path(".").glob("mod*"))
        with open("model", "x") as f: f.write("again")
        subprocess.run([sys.executable, "-c", "assert open('model').read() == 'again'"], check=True)
        """,
        absent=("model",),
    )
    assert code == 0, said
    assert (room.mirror / "model").read_text() == "again"


def test_without_its_orders_the_job_does_not_run(room: Room) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "open('model', 'w')"], cwd=room.work, check=False,
        env={"PYTHONPATH": str(HOOK), "LINEAGE_REDIRECT": str(room.root / "nothing")},
    )  # fmt: skip
    assert done.returncode == 71


def test_a_server_is_not_reached(room: Room) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        code, said = room.run(f"assert refused(socket.create_connection, {server.getsockname()!r})")
        assert code == 0, said
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
