"""What may have been missed is said: escaped children, changed inputs, lost records."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.needs("compiler")
COPY = """
#include <fcntl.h>
#include <unistd.h>
int main(int n, char **v) {
  char b[64]; int in = open(v[1], O_RDONLY), out = open(v[2], O_WRONLY | O_CREAT, 0644);
  long got = read(in, b, sizeof b);
  return in < 0 || out < 0 || write(out, b, got) != got;
}
"""


def compiled(box: Any, *flags: str) -> Path:
    source = box.write("copy.c", COPY)
    program: Path = box.project / "copy"
    done = subprocess.run(["cc", *flags, "-o", program, source], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot be compiled: {done.stderr[-200:]!r}")
    return program


def test_a_dynamic_child_is_seen_and_no_gap(box: Any) -> None:
    compiled(box)
    box.write("in.txt", "x")
    ran = box.run("sh", "-c", "./copy in.txt out.txt")
    assert set(ran.uses()) == {"in.txt"}
    assert set(ran.outputs()) == {"out.txt"}
    assert ran.gaps == {}


@pytest.mark.parametrize("via", ["shell", "python", "spawn", "itself"])
def test_a_static_program_is_a_gap(box: Any, via: str) -> None:
    program = compiled(box, "-static")
    box.write("in.txt", "x")
    if via == "shell":
        ran = box.run("sh", "-c", "./copy in.txt out.txt; true")
    elif via == "spawn":
        ran = box.python(
            "import os\n"
            "for words in (['./copy', 'in.txt', 'out.txt'], ['/bin/cat', 'in.txt']):\n"
            "    os.waitpid(os.posix_spawn(words[0], words, os.environ), 0)\n"
        )
        assert set(ran.uses()) == {"in.txt"}, "the other program is seen"
    elif via == "python":
        ran = box.python("import subprocess; subprocess.run(['./copy', 'in.txt', 'out.txt'])")
    else:
        ran = box.run("./copy", "in.txt", "out.txt")
    assert ran.code == 0
    assert ran.gaps == {"static-child": str(program)}
    assert "may have missed something (static-child)" in ran.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_setuid_program_is_a_gap(box: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # pytest's own folders let no other user pass
        program = Path(folder, "copy")
        shutil.copy(compiled(box), program)
        os.chown(program, 65534, 65534)
        program.chmod(0o4755)
        ran = box.run("sh", "-c", f"{program} /dev/null /dev/null; true")
    assert ran.gaps == {"setuid-child": str(program)}


def test_a_child_with_a_cleared_environment_is_a_gap(box: Any) -> None:
    compiled(box)
    box.write("in.txt", "x")
    ran = box.run("env", "-i", "./copy", "in.txt", "out.txt")
    assert list(ran.gaps) == ["environment-cleared"]
    assert ran.gaps["environment-cleared"].endswith("copy")


def test_programs_that_ask_about_the_machine_are_no_gap(box: Any) -> None:
    ran = box.python("import ctypes.util; ctypes.util.find_library('m')\n")
    assert ran.gaps == {}


def test_a_command_that_was_not_found_is_no_gap(box: Any) -> None:
    ran = box.python(
        "import subprocess\n"
        "try: subprocess.run(['no-such-program'])\n"
        "except FileNotFoundError: pass\n"
        "try: subprocess.run(['./job.py'])\n"
        "except PermissionError: pass\n"
    )
    assert ran.code == 0, ran.err
    assert ran.gaps == {}


def test_a_process_that_forbids_system_calls_lives_and_is_a_gap(box: Any) -> None:
    box.write("in.txt", "x")
    ran = box.python(
        "import ctypes, struct\n"
        "allow = [(0x20, 0, 0, 0)]  # load the number of the call\n"
        "kill = [20, 79, 89, 332, 72, 55]  # writev getcwd readlink statx fcntl prlimit\n"
        "for n in kill: allow += [(0x15, 0, 1, n), (0x06, 0, 0, 0x80000000)]\n"
        "code = b''.join(struct.pack('HBBI', *i) for i in [*allow, (0x06, 0, 0, 0x7fff0000)])\n"
        "text = ctypes.create_string_buffer(code)\n"
        "class Prog(ctypes.Structure):\n"
        "    _fields_ = [('n', ctypes.c_ushort), ('p', ctypes.c_void_p)]\n"
        "prog = Prog(len(code) // 8, ctypes.addressof(text))\n"
        "libc = ctypes.CDLL(None)\n"
        "assert libc.prctl(38, 1, 0, 0, 0) == 0\n"
        "assert libc.prctl(22, 2, ctypes.byref(prog), 0, 0) == 0\n"
        "import os; os.open('in.txt', os.O_RDONLY); os._exit(0)\n"
    )
    assert ran.code == 0, ran.err
    assert list(ran.gaps) == ["seccomp"]


def test_a_limit_on_file_size_kills_nothing_and_is_a_gap(box: Any) -> None:
    box.write("in.txt", "x")
    ran = box.run("sh", "-c", "ulimit -f 0; cat in.txt")
    assert (ran.code, ran.out) == (0, b"x")
    assert "records-lost" in ran.gaps


def test_an_input_that_others_change_meanwhile_is_a_gap(box: Any) -> None:
    box.write("in.txt", "before")
    ran = box.python(
        "import os, subprocess\n"
        "open('in.txt').read()\n"
        "env = {k: v for k, v in os.environ.items() if k[:7] not in ('LINEAGE', 'LD_PREL')}\n"
        'code = \'open("in.txt", "w").write("changed")\'\n'
        "subprocess.run(['python3', '-c', code], env=env)\n"
    )
    use = ran.uses()["in.txt"]
    assert "changed" in use["detail"]
    assert ran.gaps["input-changed"] == str(box.project / "in.txt")


def test_a_large_file_is_recorded_without_a_digest(box: Any) -> None:
    box.write("large.bin", "x" * 5000)
    ran = box.run("cat", "large.bin", environ={"LINEAGE_HASH_LIMIT": "4000"})
    use = ran.uses()["large.bin"]
    assert "version" not in use
    assert use["size"] == 5000
    assert use["mtime"] > 0
    assert ran.finished["capture"]["unhashed"] == 1


def test_a_process_that_outlives_the_job_is_a_gap(box: Any) -> None:
    started = "sleep 60 > /dev/null 2>&1 & echo $!; until grep -q sleep /proc/$!/comm; do :; done"
    ran = box.run("sh", "-c", started)
    os.kill(int(ran.out), 9)
    assert list(ran.gaps) == ["left-running"]


@pytest.fixture
def no_compiler(box: Any) -> dict[str, str]:
    """A PATH with everything but a compiler, and a cache that holds nothing."""
    tools = box.root / "tools"
    tools.mkdir()
    for name in ("sh", "cat", "git", "env", "true"):
        (tools / name).symlink_to(str(shutil.which(name)))
    return {"PATH": str(tools), "XDG_CACHE_HOME": str(box.root / "empty")}


def test_without_a_compiler_the_python_hook_goes_on_alone(
    box: Any, no_compiler: dict[str, str]
) -> None:
    box.write("in.csv", "a\n1\n")
    box.write("gone.txt", "")
    code = (
        "import os, json, sqlite3\n"
        "open('in.csv').read()\n"
        "with open('out.tmp', 'w') as f: f.write('made')\n"
        "os.replace('out.tmp', 'out.json')\n"
        "os.remove('gone.txt')\n"
        "sqlite3.connect('made.db').execute('create table t (a)').connection.commit()\n"
    )
    ran = box.python(code, environ=no_compiler)
    assert ran.code == 0, ran.err
    assert set(ran.uses()) == {"in.csv"}
    assert set(ran.outputs("ADDED")) == {"out.json", "made.db"}
    assert set(ran.outputs("REMOVED")) == {"gone.txt"}
    assert "no C compiler" in ran.gaps["no-preload"]
    assert "no C compiler" in ran.err
    again = box.python(code.replace("os.remove('gone.txt')", ""), environ=no_compiler)
    assert "no C compiler" in again.gaps["no-preload"]
    assert "only Python" not in again.err, "it is said once"


def test_a_service_that_is_away_leaves_everything_in_the_spool(box: Any) -> None:
    ran = box.run("sh", "-c", "exit 4", options=(), environ={"LINEAGE_URL": "http://127.0.0.1:1"})
    assert ran.code == 4
    assert ran.finished["exit_code"] == 4
    assert "waits in the spool" in ran.err


def test_a_compiler_that_fails_is_not_asked_at_every_run(box: Any) -> None:
    tools = box.root / "tools"
    tools.mkdir()
    compiler = tools / "cc"
    compiler.write_text(f"#!/bin/sh\necho x >> {box.root}/asked\necho broken >&2\nexit 1\n")
    compiler.chmod(0o755)
    environ = {"PATH": f"{tools}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(box.root / "new")}
    for _ in range(3):
        ran = box.run("true", environ=environ)
        assert ran.code == 0
        assert "broken" in ran.gaps["no-preload"]
    assert (box.root / "asked").read_text() == "x\n"


def test_a_static_shell_is_a_gap_even_if_its_children_are_seen(box: Any) -> None:
    source = box.write(
        "start.c",
        "#include <unistd.h>\n#include <sys/wait.h>\n"
        'int main(void) { if (!fork()) execl("/bin/true", "true", (char *)0);'
        " wait(0); return 0; }\n",
    )
    program = box.project / "start"
    done = subprocess.run(["cc", "-static", "-o", program, source], check=False)
    if done.returncode:
        pytest.skip("no static C library")
    ran = box.run("./start")
    assert ran.gaps == {"static-child": str(program)}
    assert ran.finished["capture"]["processes"] == 1


def test_direct_system_calls_are_seen(box: Any) -> None:
    box.write("in.txt", "x")
    ran = box.python(
        "import ctypes, os, platform\n"
        "call = ctypes.CDLL(None, use_errno=True).syscall\n"
        "arm = platform.machine() == 'aarch64'\n"
        "openat, renameat2 = (56, 276) if arm else (257, 316)\n"
        "assert call(openat, -100, b'in.txt', 0, 0) > 0\n"
        "how = (ctypes.c_uint64 * 3)(os.O_CREAT | os.O_WRONLY, 0o644, 0)\n"
        "assert call(437, -100, b'made.tmp', how, 24) > 0\n"
        "assert call(renameat2, -100, b'made.tmp', -100, b'made.txt', 0) == 0\n"
        "assert call(openat, -100, b'missing', 0, 0) == -1\n"
        "assert ctypes.get_errno() == 2\n"
    )
    assert ran.code == 0, ran.err
    assert set(ran.uses()) == {"in.txt"}
    assert set(ran.outputs()) == {"made.txt"}


def test_the_library_is_kept_and_used_again(box: Any, shim_cache: Path) -> None:
    box.run("true")
    (library,) = (shim_cache / "lineage").glob("*.so")
    before = library.stat().st_mtime_ns
    ran = box.run("true", environ={"PATH": "/usr/bin:/bin"})
    assert ran.gaps == {}
    assert library.stat().st_mtime_ns == before


def test_a_library_that_others_can_write_is_not_trusted(box: Any, tmp_path: Path) -> None:
    cache = tmp_path / "cache" / "lineage"
    environ = {"XDG_CACHE_HOME": str(cache.parent)}
    box.run("true", environ=environ)
    (library,) = cache.glob("*.so")
    library.chmod(0o777)
    cache.chmod(0o777)
    library.write_bytes(b"not a library")
    ran = box.run(sys.executable, "-c", "print(1)", environ=environ)
    assert ran.out == b"1\n"
    assert "not a library" not in ran.err
    assert library.read_bytes() == b"not a library", "another place was taken"
