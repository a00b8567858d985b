"""What runs in the sandbox tries to get out. It can touch nothing real."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lineage.reproduce.isolation import NAMESPACES, Ended, probe, run
from lineage.reproduce.sandbox.spec import Overlay, Spec, dump
from tests import needs

REPOSITORY = str(Path(__file__).parents[2])

PRELUDE = """
import ctypes, errno, os, pathlib, signal, socket, stat, sys
libc = ctypes.CDLL(None, use_errno=True)
def refused(call, *args):
    try:
        call(*args)
    except OSError as fault:
        print("refused", errno.errorcode.get(fault.errno, fault.errno))
        return True
    print("DONE", call, args)
    return False
def sys_refused(name, *args):
    result = getattr(libc, name)(*args)
    print(name, result, errno.errorcode.get(ctypes.get_errno()))
    return result != 0
"""


HOST_ALLOWS = """
import os, sys; sys.path.insert(0, sys.argv[1])
from lineage.reproduce.sandbox import kernel
uid, gid = os.getuid(), os.getgid()
kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
kernel.map_ids(uid, gid)
kernel.mount("tmpfs", sys.argv[2], "tmpfs")
"""


@pytest.fixture(autouse=True, scope="module")
def namespaces(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where the host allows namespaces at all, a sandbox that cannot be built is a failure."""
    place = tmp_path_factory.mktemp("probe")
    tried = subprocess.run(
        [sys.executable, "-c", HOST_ALLOWS, REPOSITORY, str(place)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if tried.returncode:
        needs.missing("namespaces", tried.stderr.strip().splitlines()[-1])
    probe(place)


@dataclass
class World:
    """Something real, and a job that stands in it."""

    root: Path
    network: bool = False
    timeout: float = 60.0
    hides_scratch: bool = True
    env: dict[str, str] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def scratch(self) -> Path:
        return self.work / ".lineage" / "again" if self.hides_scratch else self.root / "aside"

    @property
    def written(self) -> Path:
        """What the job wrote to its directory."""
        return self.scratch / "0" / "data"

    def spec(self, code: str) -> Spec:
        overlays = []
        home, table = str(self.root / "home"), str(self.work / "table")
        for n, (target, lower) in enumerate([
            (str(self.work), str(self.work)),
            (table, str(self.root / "pins" / "table")),
            (home, home),
        ]):  # fmt: skip
            upper = self.scratch / str(n)
            for name in ("data", "work"):
                (upper / name).mkdir(parents=True)
            overlays.append(Overlay(target, (lower,), str(upper)))
        return Spec(
            scratch=str(self.scratch),
            argv=(sys.executable, "-c", PRELUDE + textwrap.dedent(code)),
            cwd=str(self.work),
            env={"HOME": home, "PATH": os.defpath, **self.env},
            overlays=tuple(overlays),
            hidden=(
                *([str(self.work / ".lineage")] if self.hides_scratch else []),
                f"{home}/.aws",
                f"{home}/.netrc",
            ),
            network=self.network,
        )

    def run(self, code: str) -> tuple[Ended, str]:
        spec = self.spec(code)
        out = self.root / "stdout"
        ended = run(NAMESPACES, spec, stdout=out, stderr=self.root / "stderr", timeout=self.timeout)
        return ended, out.read_text() + (self.root / "stderr").read_text()

    def facts(self) -> dict[str, tuple[object, ...]]:
        """Everything about every real file that a job could change."""
        found: dict[str, tuple[object, ...]] = {}
        for path in [*self.root.rglob("*"), self.work]:
            if path.parent == self.root or not {"again", "aside"}.isdisjoint(path.parts):
                continue
            seen = path.lstat()
            content = path.read_bytes() if path.is_file() else b""
            found[str(path)] = (
                content, seen.st_ino, seen.st_mode, seen.st_nlink, seen.st_uid,
                seen.st_mtime_ns, seen.st_ctime_ns,
            )  # fmt: skip
        return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A directory with a model, a table with its pin, a home with secrets; unchanged at the end."""
    for name in ("work/.lineage", "work/table/_delta_log", "pins/table/_delta_log", "home/.aws"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "work/model.bin").write_bytes(b"the real model")
    (tmp_path / "work/.lineage/store.key").write_text("key of the store")
    (tmp_path / "work/link").symlink_to(tmp_path / "outside")
    (tmp_path / "outside").write_text("outside")
    (tmp_path / "home/.aws/credentials").write_text("secret")
    (tmp_path / "home/.netrc").write_text("secret")
    (tmp_path / "home/.profile").write_text("profile")
    for name in ("part-0.parquet", "_delta_log/0.json"):
        (tmp_path / "work/table" / name).write_bytes(b"rows of version 0")
        os.link(tmp_path / "work/table" / name, tmp_path / "pins/table" / name)
    (tmp_path / "work/table/part-1.parquet").write_bytes(b"rows of version 1")
    world = World(tmp_path)
    world.scratch.mkdir()
    before = world.facts()
    yield world
    assert world.facts() == before


def test_a_job_writes_to_scratch_and_sees_what_it_wrote(world: World) -> None:
    ended, said = world.run("""
        pathlib.Path("model.bin").write_bytes(b"another")
        with open("log", "a") as log: log.write("x")
        print(pathlib.Path("model.bin").read_bytes(), sorted(os.listdir("table")))
    """)
    assert ended.ok, said
    assert "b'another' ['_delta_log', 'part-0.parquet']" in said
    assert (world.written / "model.bin").read_bytes() == b"another"


ATTACKS = {
    "the model in every way": """
        with open("model.bin", "r+b") as f: f.write(b"!")
        os.truncate("model.bin", 3); os.chmod("model.bin", 0o777); os.utime("model.bin", (1, 1))
        os.rename("model.bin", "gone"); os.unlink("gone")
        with open("model.bin", "wb") as f: f.write(b"new")
    """,
    "the pinned files, which are links of the real ones": """
        os.link("table/part-0.parquet", "table/again")
        with open("table/again", "ab") as f: f.write(b"!")
        with open("table/part-0.parquet", "r+b") as f: f.write(b"!!!")
        os.truncate("table/_delta_log/0.json", 0)
        os.setxattr("table/part-0.parquet", "user.mine", b"1")
        with open("table/_delta_log/1.json", "w") as f: f.write("{}")
        import shutil; shutil.rmtree("table/_delta_log")
    """,
    "the home": """
        home = pathlib.Path(os.environ["HOME"])
        (home / ".profile").write_text("evil"); (home / ".ssh").mkdir()
    """,
    "through a symbolic link": """
        assert refused(open, "link", "w")
        os.symlink(os.path.dirname(os.getcwd()) + "/outside", "mine")
        assert refused(open, "mine", "a")
    """,
    "what was not said to be written": """
        parent = os.path.dirname(os.getcwd())
        assert refused(open, parent + "/outside", "w")
        assert refused(os.mkdir, parent + "/new")
        assert refused(os.unlink, parent + "/outside")
        assert refused(os.utime, parent + "/outside", (1, 1))
        assert refused(os.link, parent + "/outside", parent + "/other")
        assert refused(open, "/etc/lineage-was-here", "w")
    """,
    "the scratch space itself": """
        assert not os.listdir(".lineage")
        assert refused(open, ".lineage/x", "w")
    """,
    "mounting": """
        remount_bind = ctypes.c_ulong(32 | 4096)
        assert sys_refused("mount", b"none", b"/", None, remount_bind, None)
        assert sys_refused("mount", b"none", os.getcwd().encode(), None, remount_bind, None)
        assert sys_refused("mount", b"tmpfs", b"/etc", b"tmpfs", ctypes.c_ulong(0), None)
        assert sys_refused("umount2", os.getcwd().encode(), 2)
        assert sys_refused("umount2", b"/dev", 2)
        assert sys_refused("umount2", b"/proc", 2)
        assert sys_refused("chroot", b"/usr")
        assert sys_refused("pivot_root" if hasattr(libc, "pivot_root") else "chroot", b"/", b"/")
    """,
    "more namespaces": """
        assert sys_refused("unshare", 0x10000000)
        assert sys_refused("unshare", 0x10000000 | 0x00020000)
        assert sys_refused("setns", os.open("/proc/self/ns/mnt", os.O_RDONLY), 0)
    """,
    "ids and capabilities": """
        status = pathlib.Path("/proc/self/status").read_text()
        for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb"):
            assert f"Cap{kind}:\\t0000000000000000" in status, status
        assert "NoNewPrivs:\\t1" in status
        assert refused(os.setuid, 12345) and refused(os.setgid, 12345)
        assert refused(os.setgroups, [0])
        assert refused(os.chown, "model.bin", 12345, 12345)
    """,
    "devices": """
        assert sorted(os.listdir("/dev"))[:4] == ["fd", "full", "null", "ptmx"]
        assert refused(os.mknod, "disk", stat.S_IFBLK | 0o600, os.makedev(8, 0))
        assert refused(os.mknod, "memory", stat.S_IFCHR | 0o600, os.makedev(1, 1))
        assert refused(open, "/dev/disk", "w")
        with open("/dev/null", "w") as f: f.write("x")
    """,
    "settings of the kernel": """
        assert refused(open, "/proc/sys/vm/swappiness", "w")
        assert refused(open, "/proc/sysrq-trigger", "w")
        assert refused(open, "/proc/self/oom_score_adj", "w")
        assert refused(open, "/sys/kernel/mm/transparent_hugepage/enabled", "w")
    """,
    "other processes": f"""
        outside = {os.getpid()}
        assert not os.path.exists(f"/proc/{{outside}}")
        assert refused(os.kill, outside, 0)
        assert sorted(p for p in os.listdir("/proc") if p.isdigit()) == ["1", str(os.getpid())]
        attach = 16
        assert libc.ptrace(attach, outside, None, None) != 0
        assert libc.ptrace(attach, 1, None, None) != 0
        assert refused(os.listdir, "/proc/1/root") and refused(os.listdir, "/proc/1/cwd")
        for number in os.listdir("/proc/1/fd"):
            assert refused(os.open, "/proc/1/fd/" + number, os.O_RDONLY)
        assert refused(open, "/proc/1/mem", "rb")
    """,
    "its parent": """
        os.kill(1, signal.SIGTERM)  # process 1 of a namespace ignores it
        os.kill(1, signal.SIGKILL)
    """,
    "secrets": """
        home = os.environ["HOME"]
        assert os.listdir(home + "/.aws") == []
        assert open(home + "/.netrc").read() == ""
        assert refused(open, ".lineage/store.key")
        assert set(os.environ) <= {"HOME", "PATH", "PWD", "LC_CTYPE"}, os.environ
        assert os.listdir("/run") == []
    """,
    "descriptors it was not given": """
        given = os.listdir("/proc/self/fd")  # and the one that lists them
        assert sorted(given) == ["0", "1", "2", "3"], given
        assert refused(os.write, 0, b"x")
    """,
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_job_cannot_touch(attack: str, world: World) -> None:
    ended, said = world.run(ATTACKS[attack])
    assert ended.ok, said


def test_scratch_that_can_be_seen_cannot_be_written(world: World) -> None:
    world.hides_scratch = False
    world.scratch.mkdir()
    ended, said = world.run(f"""
        open("model.bin", "w").write("new")
        scratch = {str(world.scratch)!r}
        assert open(scratch + "/0/data/model.bin").read() == "new"
        assert refused(open, scratch + "/0/data/model.bin", "w")
        assert refused(open, scratch + "/more", "w")
    """)
    assert ended.ok, said
    assert (world.written / "model.bin").read_text() == "new"


def test_shared_memory_is_private(world: World) -> None:
    name = f"lineage-{uuid.uuid4()}"
    code = f"""
        open("/dev/shm/{name}", "w").close()
        assert libc.shmget(0x11ea6e, 4096, 0o600) == -1
    """
    libc = ctypes.CDLL(None)
    segment = libc.shmget(0x11EA6E, 4096, 0o1600)
    try:
        ended, said = world.run(code)
    finally:
        libc.shmctl(segment, 0, None)
    assert ended.ok, said
    assert not Path("/dev/shm", name).exists()


def listen(
    family: socket.AddressFamily, address: str | tuple[str, int]
) -> tuple[socket.socket, list[object]]:
    """A server that notes who connects."""
    server = socket.socket(family)
    server.bind(address)
    server.listen()
    visitors: list[object] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, address = server.accept()
                connection.close()
                visitors.append(address)

    threading.Thread(target=accept, daemon=True).start()
    return server, visitors


@pytest.mark.parametrize("kind", ["tcp", "abstract", "path"])
def test_a_job_reaches_no_server(
    kind: str, world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("s") / "socket"
    addresses: dict[str, tuple[socket.AddressFamily, str | tuple[str, int]]] = {
        "tcp": (socket.AF_INET, ("127.0.0.1", 0)),
        "abstract": (socket.AF_UNIX, f"\0lineage-{uuid.uuid4()}"),
        "path": (socket.AF_UNIX, str(place)),
    }
    family, address = addresses[kind]
    server, visitors = listen(family, address)
    try:
        code = f"assert refused(socket.socket({int(family)}).connect, {server.getsockname()!r})"
        ended, said = world.run(code)
        assert ended.ok, said
        assert not visitors
        with socket.socket(family) as client:
            client.connect(server.getsockname())  # it was there to be reached
    finally:
        server.close()


def test_the_network_is_there_when_it_was_allowed(world: World) -> None:
    server, visitors = listen(socket.AF_INET, ("127.0.0.1", 0))
    world.network = True
    with server:
        ended, said = world.run(f"socket.create_connection({server.getsockname()!r}).close()")
    assert ended.ok, said
    assert visitors


def test_a_server_of_this_machine_is_there_when_the_network_was_allowed(world: World) -> None:
    server, visitors = listen(socket.AF_UNIX, str(world.root / "server"))
    world.network = True
    with server:
        ended, said = world.run(f"socket.socket({int(socket.AF_UNIX)}).connect"
                                f"({server.getsockname()!r})")  # fmt: skip
    assert ended.ok, said
    assert visitors


def test_a_job_can_talk_to_itself(world: World) -> None:
    ended, said = world.run("""
        server = socket.create_server(("127.0.0.1", 0))
        socket.create_connection(server.getsockname()).close()
    """)
    assert ended.ok, said


def running(marker: str) -> list[str]:
    """Processes with ``marker`` in their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and marker.encode() in (folder / "cmdline").read_bytes():
                found.append(folder.name)
    return found


def until(rule: Callable[[], bool], seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if rule():
            return True
        time.sleep(0.01)
    return rule()


DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", "{marker}"])
    os._exit(0)
"""


def test_what_a_job_leaves_running_ends_with_it(world: World) -> None:
    marker = str(uuid.uuid4())
    ended, said = world.run(DAEMON.format(marker=marker))
    assert ended.ok, said
    assert until(lambda: not running(marker))


def test_a_job_that_takes_too_long_is_ended_with_its_children(world: World) -> None:
    marker = str(uuid.uuid4())
    world.timeout = 1.0
    ended, _ = world.run(DAEMON.format(marker=marker) + "\nimport time\ntime.sleep(600)")
    assert ended.timed_out
    assert not ended.ok
    assert until(lambda: not running(marker))


def test_killing_the_launcher_ends_the_job(world: World) -> None:
    marker = str(uuid.uuid4())
    spec = world.spec(f"import time; time.sleep(600)  # {marker}")
    launcher = textwrap.dedent(f"""
        import sys; sys.path.insert(0, {REPOSITORY!r})
        from pathlib import Path
        from lineage.reproduce.isolation import NAMESPACES, run
        from lineage.reproduce.sandbox.spec import load
        spec = load(sys.stdin.buffer.read())
        run(NAMESPACES, spec, stdout=Path("/dev/null"), stderr=Path("/dev/null"))
    """)
    with subprocess.Popen([sys.executable, "-c", launcher], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(dump(spec))
        process.stdin.close()
        assert until(lambda: len(running(marker)) > 0)
        process.send_signal(signal.SIGKILL)
    assert until(lambda: not running(marker))


def test_a_signal_and_an_exit_code_come_back(world: World) -> None:
    ended, _ = world.run("sys.exit(7)")
    assert (ended.exit_code, ended.signal) == (7, None)
    for entry in world.scratch.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    ended, _ = world.run("os.kill(os.getpid(), signal.SIGUSR1)")
    assert (ended.exit_code, ended.signal) == (None, signal.SIGUSR1)


LESS_THAN_ROOT = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from lineage.reproduce.isolation import NAMESPACES, run
from lineage.reproduce.sandbox.spec import Overlay, Spec
root = Path(sys.argv[2])
for name in ("work", "again/0/data", "again/0/work"):
    (root / name).mkdir(parents=True)
(root / "work/model").write_text("real")
over = Overlay(str(root / "work"), (str(root / "work"),), str(root / "again/0"))
job = ("/bin/sh", "-c", "echo new > model && cat model && ! echo x > ../outside")
out = root / "out"
ended = run(NAMESPACES, Spec(str(root / "again"), job, str(root / "work"), {}, (over,)),
            stdout=out, stderr=root / "err")
assert ended.ok, (ended, (root / "err").read_text())
assert out.read_text() == "new\\n"
assert (root / "work/model").read_text() == "real"
assert (root / "again/0/data/model").read_text() == "new\\n"
assert not (root / "outside").exists()
"""


def test_no_privilege_is_needed() -> None:
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if os.getuid() != 0 or python is None:
        pytest.skip("only root can become somebody else, and needs an interpreter for them")
    nobody = 65534
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, nobody, nobody)
        done = subprocess.run(
            [python, "-c", LESS_THAN_ROOT, REPOSITORY, folder],
            user=nobody, group=nobody, extra_groups=(), capture_output=True, text=True,
            check=False, cwd="/",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


WITHOUT_NAMESPACES = """
import os, sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from lineage.errors import IsolationError
from lineage.reproduce.isolation import choose
from lineage.reproduce.sandbox import kernel
uid, gid = os.getuid(), os.getgid()
kernel.unshare(kernel.CLONE_NEWUSER)
kernel.map_ids(uid, gid)
Path("/proc/sys/user/max_user_namespaces").write_text("0")
scratch = Path(sys.argv[2])
print(*(choose(way, python=True, scratch=scratch) for way in ("auto", "in-process")))
for wanted, python in (("auto", False), ("namespaces", True), ("in-process", False)):
    try:
        choose(wanted, python=python, scratch=scratch)
    except IsolationError as fault:
        print(fault.code, "unshare" in fault.message)
"""


def test_a_host_without_namespaces_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NAMESPACES, REPOSITORY, str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "in-process in-process",
        "isolation-unavailable True",
        "isolation-unavailable True",
        "isolation-unavailable False",
    ], done.stderr


ODD_FILE_SYSTEMS = """
import os, sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from lineage.reproduce.isolation import NAMESPACES, run
from lineage.reproduce.sandbox import kernel
from lineage.reproduce.sandbox.spec import Overlay, Spec
uid, gid = os.getuid(), os.getgid()
kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
kernel.map_ids(uid, gid)
root = Path(sys.argv[2])
for name in ("work/data", "disk/lower", "disk/upper", "disk/work", "disk/merged"):
    (root / name).mkdir(parents=True)
(root / "work/notes").write_text("real")
kernel.mount("tmpfs", str(root / "work/data"), "tmpfs")  # a mount below where the job writes
(root / "work/data/rows").write_text("rows")
disk = root / "disk"  # scratch on an overlay, as in a container
kernel.mount("overlay", str(disk / "merged"), "overlay", 0, "userxattr,"
    f"lowerdir={disk}/lower,upperdir={disk}/upper,workdir={disk}/work")
scratch = disk / "merged"
overlays = []
for n, target in enumerate([root / "work", disk / "lower"]):
    for name in ("data", "work"):
        (scratch / str(n) / name).mkdir(parents=True)
    overlays.append(Overlay(str(target), (str(target),), str(scratch / str(n))))
code = f"cat data/rows && echo model > model && echo kept > {disk}/lower/kept && ! echo > notes"
ended = run(NAMESPACES, Spec(str(scratch), ("/bin/sh", "-ec", code), str(root / "work"), {},
            tuple(overlays)), stdout=scratch / "out", stderr=scratch / "err")
print(ended.ok, ended.in_memory, (scratch / "out").read_text().strip(),
      (scratch / "0/data/model").read_text().strip(), (scratch / "1/data/kept").read_text().strip(),
      sorted(os.listdir(root / "work")), (root / "work/notes").read_text())
print((scratch / "err").read_text())
"""


def test_mounts_below_and_scratch_on_an_overlay_are_no_obstacle(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ODD_FILE_SYSTEMS, REPOSITORY, str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout.splitlines()
    assert said[:1] == ["True True rows model kept ['data', 'notes'] real"], done


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


NO_OVERLAY_CAN_STAND = """
import os, socket, sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from lineage.reproduce.isolation import NAMESPACES, run
from lineage.reproduce.sandbox import kernel
from lineage.reproduce.sandbox.spec import Spec
uid, gid = os.getuid(), os.getgid()
kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
kernel.map_ids(uid, gid)
root = Path(sys.argv[2])
for name in ("a/again", "one", "two", *(kind + n for kind in ("upper", "work") for n in "01"),
             "disk/mounted"):
    (root / name).mkdir(parents=True)
kernel.mount("tmpfs", str(root / "disk/mounted"), "tmpfs")
with open(root / "disk/large", "w") as large:
    large.truncate(1 << 30)
os.mkfifo(root / "disk/pipe")
reader = os.open(root / "disk/pipe", os.O_RDONLY | os.O_NONBLOCK)
(root / "a/file").write_text("real")
os.chdir(root)
for n, (lower, target) in enumerate([("a", "one"), ("one", "two")]):  # no third on top of these
    kernel.mount("overlay", target, "overlay", 0,
                 f"lowerdir={lower},upperdir=upper{n},workdir=work{n},userxattr")
server = socket.socket(socket.AF_UNIX)
server.bind(str(root / "two/server"))
server.listen()
code = sys.argv[3]
ended = run(NAMESPACES, Spec(str(root / "a/again"), (sys.executable, "-c", code), str(root), {}),
            stdout=root / "out", stderr=root / "err")
print(ended.ok, ended.isolation, [os.path.relpath(path) for path in ended.shared])
print((root / "out").read_text(), (root / "err").read_text())
"""


def test_where_no_overlay_can_stand_the_isolation_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_OVERLAY_CAN_STAND, REPOSITORY, str(tmp_path), PRELUDE + """
assert open("two/file").read() == "real" and os.stat("disk/large").st_size == 1 << 30
for name in ("two/file", "disk/large", "disk/new", "two/new"):
    assert refused(open, name, "w")
assert refused(os.open, "disk/pipe", os.O_WRONLY | os.O_NONBLOCK)
assert refused(socket.socket(socket.AF_UNIX).connect, os.path.abspath("two/server"))
"""], capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout.splitlines()
    assert said[0] == "True namespaces+shared-inodes ['disk/large', 'two']", done
    assert said[1:7] == [*["refused EROFS"] * 4, "refused ENXIO", "refused EACCES"]


NO_MIRROR = """
import os, socket, sys; sys.path.insert(0, sys.argv[1])
from lineage.reproduce.sandbox import kernel, mounts
from lineage.reproduce.sandbox.spec import Spec
def refuse(new, old):
    raise PermissionError
kernel.pivot_root = refuse
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[2] + "/socket")
server.listen()
uid, gid = os.getuid(), os.getgid()
kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
kernel.map_ids(uid, gid)
os.mkdir(sys.argv[2] + "/again")
print(mounts.build(Spec(sys.argv[2] + "/again", (), "/", {}), mounts.listening_sockets())[1])
for attempt in (lambda: socket.socket(socket.AF_UNIX).connect(sys.argv[2] + "/socket"),
                lambda: open(sys.argv[2] + "/file", "w")):
    try:
        attempt()
    except OSError as fault:
        print(fault.strerror)
"""


def test_without_a_mirror_everything_is_read_only_and_sockets_are_covered(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_MIRROR, REPOSITORY, str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = ["['/']", "Connection refused", "Read-only file system"]
    assert done.stdout.splitlines() == told, done
