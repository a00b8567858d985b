"""What runs in the sandbox tries to get out. It can touch nothing real: what is met outside."""

from __future__ import annotations

import fcntl
import os
import socket
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from lineage.reproduce.isolation import NAMESPACES
from tests.faults.sandbox.jobs import PRELUDE, World
from tests.serving import until


@pytest.fixture(params=["where it writes", "where it only reads"])
def meeting(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[World, Path]:
    """A real folder where a job and others could meet."""
    for name in ("work/.lineage/again", "work/table", "pins/table", "home/.aws"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "home/.netrc").touch()
    world = World(tmp_path)
    place = (world.work if request.param == "where it writes" else world.root) / "meeting"
    place.mkdir()
    return world, place


def test_a_server_that_begins_to_listen_later_is_not_reached(meeting: tuple[World, Path]) -> None:
    world, place = meeting
    began = world.root / "stdout"

    def serve() -> None:
        until(lambda: began.exists() and "began" in began.read_text())
        server.bind(str(place / "late"))
        server.listen()

    with socket.socket(socket.AF_UNIX) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        ended, said = world.run(f"""
            import time
            print("began", flush=True)
            while not os.listdir({str(place)!r}):
                time.sleep(0.01)
            time.sleep(0.1)  # from its name to listening
            assert refused(socket.socket(socket.AF_UNIX).connect, {str(place / "late")!r})
        """)
        thread.join()
        assert ended.ok, said
        assert said.split() == ["began", "refused", "ECONNREFUSED"]
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(place / "late"))  # it was there to be reached


def test_a_pipe_that_somebody_reads_is_not_written_to(meeting: tuple[World, Path]) -> None:
    world, place = meeting
    os.mkfifo(place / "pipe")
    reader = os.open(place / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write = f"os.open, {str(place / 'pipe')!r}, os.O_WRONLY | os.O_NONBLOCK"
    ended, said = world.run(f"assert refused({write})")
    os.close(reader)
    assert (ended.isolation, said.split()) == (NAMESPACES, ["refused", "ENXIO"])


@pytest.mark.parametrize("lock", ["flock", "lockf"])
def test_a_lock_of_a_job_is_its_own(lock: str, meeting: tuple[World, Path]) -> None:
    world, place = meeting
    (place / "table").write_text("rows")
    with (place / "table").open("r+") as held:
        getattr(fcntl, lock)(held, fcntl.LOCK_EX)
        ended, said = world.run(f"""
            import fcntl
            fcntl.{lock}(open({str(place / "table")!r}), fcntl.LOCK_SH | fcntl.LOCK_NB)
        """)
    assert ended.ok, said


def test_what_a_job_only_reads_looks_as_it_is(world: World) -> None:
    """Contents, kinds, modes and times are the real ones; links of one file are one file."""
    os.link(world.root / "outside", world.root / "link")
    look = """
        import mmap, pickle
        def look(path):
            seen = os.stat(path)
            if not stat.S_ISREG(seen.st_mode):
                return stat.filemode(seen.st_mode), sorted(
                    (one.name, one.is_dir(follow_symlinks=False), one.is_symlink())
                    for one in os.scandir(path))
            with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as m:
                return m[:], seen.st_nlink, seen.st_mode, seen.st_mtime_ns
    """
    paths = ["/usr", "/usr/bin", "/usr/bin/env", *(
        str(world.root / "pins/table" / name) for name in ("", "part-0.parquet")
    )]  # fmt: skip
    ended, said = world.run(f"""{look}
        print([look(path) for path in {paths!r}])
        root = {str(world.root)!r}
        assert os.path.samefile(root + "/outside", root + "/link")
        assert not os.path.samefile(root + "/outside", root + "/pins/table/part-0.parquet")
        assert os.stat(root).st_dev == os.stat(root + "/link").st_dev
    """)
    assert ended.ok, said
    here: dict[str, Any] = {}
    exec(PRELUDE + textwrap.dedent(look), here)  # the same words on both sides
    assert said.strip() == str([here["look"](path) for path in paths])
