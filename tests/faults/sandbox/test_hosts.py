"""What runs in the sandbox tries to get out. It can touch nothing real: hosts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.faults.sandbox.jobs import PRELUDE, REPOSITORY

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
