"""What runs in the sandbox tries to get out. It can touch nothing real: writing."""

from __future__ import annotations

import ctypes
import os
import uuid
from pathlib import Path

import pytest

from tests.faults.sandbox.jobs import World


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
