"""Run, move on, check, run again: other programs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from tests import needs
from tests.e2e.reproduce.workshop import COUNT, Workshop


def test_a_shell_job_is_reproduced(workshop: Workshop) -> None:
    workshop.write("job.sh", "sort names.txt | uniq -c > models/counts.txt\n")
    workshop.write("names.txt", "b\na\nb\n")
    workshop.commit()
    workshop.run("sh", "job.sh")
    workshop.write("names.txt", "changed\n")
    before = workshop.real()
    assert workshop.reproduce("models/counts.txt")["verdict"] == "IDENTICAL"
    assert workshop.real() == before


def test_what_the_shell_redirected_is_input_and_output(workshop: Workshop) -> None:
    (workshop.root / "models/in.txt").write_text("b\na\n")
    command = f"{sys.executable} -m lineage run -q -- sort < models/in.txt > models/out.txt"
    subprocess.run(
        ["/bin/sh", "-c", command], cwd=workshop.root, check=True,
        env=workshop.environment,
    )  # fmt: skip
    assert workshop.reproduce("models/out.txt")["verdict"] == "IDENTICAL"
    (workshop.root / "models/in.txt").write_text("changed\n")
    assert workshop.check("models/out.txt", expect=2)["verdict"] == "LOST"


@pytest.mark.parametrize("after", ["echo done >> models/log.txt", "rm models/log.txt"])
def test_a_log_that_the_shell_opened_is_not_held_against_the_model(
    workshop: Workshop, after: str
) -> None:
    workshop.write("job.py", "print('at', __import__('time').time_ns())" + textwrap.dedent(COUNT))
    workshop.commit()
    command = f"{sys.executable} -m lineage run -q -- {sys.executable} job.py > models/log.txt"
    subprocess.run(
        ["/bin/sh", "-c", f"{command}; {after}"], cwd=workshop.root, check=True,
        env=workshop.environment,
    )  # fmt: skip
    done = workshop.reproduce("models/fraud.json")
    states = {Path(one["path"]).name: one["state"] for one in done["outputs"]}
    assert states == {"fraud.json": "IDENTICAL", "log.txt": "NOT_COMPARED"}


C_JOB = r"""
    #include <stdio.h>
    int main(void) {
        int sum = 0, value;
        FILE *in = fopen("numbers.txt", "r"), *out = fopen("models/sum.bin", "wb");
        while (fscanf(in, "%d", &value) == 1) sum += value;
        fwrite(&sum, sizeof sum, 1, out);
        return fclose(out);
    }
"""


@pytest.fixture
def compiled(workshop: Workshop) -> Workshop:
    compiler = shutil.which("cc")
    if compiler is None:
        needs.missing("compiler", "there is no cc on the PATH")
    source = workshop.write("job.c", C_JOB)
    program = workshop.root / "models" / "job"
    subprocess.run([compiler, str(source), "-o", str(program)], check=True)
    workshop.write("numbers.txt", "1 2 3\n")
    workshop.commit()
    workshop.run(str(program))
    return workshop


def test_a_compiled_program_is_reproduced(compiled: Workshop) -> None:
    compiled.write("numbers.txt", "100\n")
    before = compiled.real()
    assert compiled.reproduce("models/sum.bin")["verdict"] == "IDENTICAL"
    assert compiled.real() == before


def test_without_namespaces_a_compiled_program_is_refused(compiled: Workshop) -> None:
    done = compiled.lineage(
        "reproduce", "models/sum.bin", "--json", "--isolation", "in-process", expect=69
    )
    assert json.loads(done.stderr)["error"]["code"] == "isolation-unavailable"


WITH_A_MOUNT = """
import os, subprocess, sys
sys.path.insert(0, sys.argv[1])
from lineage.reproduce.sandbox import kernel

uid, gid = os.getuid(), os.getgid()
kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
kernel.map_ids(uid, gid)
kernel.mount("tmpfs", "features", "tmpfs")
sys.exit(subprocess.run([sys.executable, "-c", sys.argv[2]], env=dict(os.environ)).returncode)
"""
ON_THE_MOUNT = """
import json, os, subprocess, sys
from pathlib import Path
import pyarrow as pa
from deltalake import write_deltalake

def lineage(*words):
    return subprocess.run([sys.executable, "-m", "lineage", *words], stdout=subprocess.PIPE)

rows = pa.table({"id": [1, 2], "amount": [1.0, 2.0], "fraud": [0, 1]})
write_deltalake("features/tx", rows)
lineage("run", "--quiet", "--", sys.executable, "job.py")
write_deltalake("features/tx", rows, mode="append")
Path("job.py").write_text(Path("job.py").read_text().replace("total = ", "total = 1 + "))
Path("src/part.py").write_text("TERM = 2")
answer = json.loads(lineage("reproduce", "notes.json", "--json").stdout)
# What others leave in /tmp, beside the mount, may be too large to be shown as a copy.
ours = [path for path in answer["shared_inodes"] if path.startswith(os.getcwd())]
print(answer["verdict"], answer["isolation"].split("+")[0], ours,
      [one["state"] for one in answer["outputs"]])
print(answer, file=sys.stderr)
"""


def with_a_mount(workshop: Workshop) -> str:
    """The verdict for a project whose table is on another disk: the work tree has its mount."""
    shutil.rmtree(workshop.table)
    workshop.write(".gitignore", "features/\nmodels/\n.lineage/\n*.log\n")
    text = "import sys; sys.path.insert(0, 'src')\nfrom part import TERM\n"
    text += textwrap.dedent(COUNT).replace("models/fraud.json", "notes.json")
    workshop.write("job.py", text.replace("total = sum", "total = TERM + sum"))
    workshop.write("src/part.py", "TERM = 1")
    workshop.write("notes.json", "{}")
    workshop.commit()
    done = subprocess.run(
        [sys.executable, "-c", WITH_A_MOUNT, str(Path(__file__).parents[3]), ON_THE_MOUNT],
        cwd=workshop.root, capture_output=True, text=True, check=False,
        env=workshop.environment,
    )  # fmt: skip
    if "Operation not permitted" in done.stderr and not done.stdout:
        needs.missing("namespaces", done.stderr)
    return done.stdout.strip() or done.stderr


@pytest.mark.parametrize("size", [0, 1 << 30])
def test_a_mount_inside_of_the_project_is_no_obstacle(workshop: Workshop, size: int) -> None:
    """A large file beside a mount is the real one, and the verdict says so."""
    large = workshop.write("large.log", "")
    os.truncate(large, size)
    shared = [str(large)] if size else []
    assert with_a_mount(workshop) == f"IDENTICAL namespaces {shared} ['IDENTICAL']"


COME_AND_GO = """
import os, random, sys
while True:
    for name in [f"{folder}/{os.getpid()}-{n}.log" for n in range(99) for folder in sys.argv[1:]]:
        try: os.remove(name) if os.path.isfile(name) else os.rmdir(name)
        except FileNotFoundError: random.choice([os.mkdir, lambda it: open(it, "w").close()])(name)
"""


def test_what_comes_and_goes_beside_a_mount_is_no_obstacle(workshop: Workshop) -> None:
    """Others go on using the directories that are being shown to the job, /tmp above all."""
    places = [tempfile.gettempdir(), str(workshop.root.parent), str(workshop.root)]
    busy = subprocess.Popen([sys.executable, "-c", COME_AND_GO, *places])
    try:
        told = with_a_mount(workshop)
    finally:
        busy.kill()
        busy.wait()
        for left in Path(tempfile.gettempdir()).glob(f"{busy.pid}-*.log"):
            left.rmdir() if left.is_dir() else left.unlink()
    assert told == "IDENTICAL namespaces [] ['IDENTICAL']"


AS_NOBODY = """
import json, os, subprocess, sys
from pathlib import Path
import pyarrow as pa
from deltalake import write_deltalake

root = Path(sys.argv[1], "project")
(root / "models").mkdir(parents=True)
os.chdir(root)
rows = pa.table({"id": [1, 2], "amount": [1.0, 2.0]})
write_deltalake("features/tx", rows)
Path("job.py").write_text(sys.argv[2])
lineage = [sys.executable, "-m", "lineage"]
subprocess.run([*lineage, "run", "--quiet", "--", sys.executable, "job.py"], check=True)
write_deltalake("features/tx", rows, mode="append")
answer = subprocess.run(
    [*lineage, "reproduce", "models/fraud.json", "--json"], stdout=subprocess.PIPE)
told = json.loads(answer.stdout)
left = os.listdir(".lineage/reproductions")
print(told["verdict"], told.get("isolation"), answer.returncode, left)
print(told, file=sys.stderr)
"""


def test_no_privilege_is_needed_for_any_of_it() -> None:
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if os.getuid() != 0 or python is None:
        pytest.skip("only root can become somebody else, and needs an interpreter for them")
    version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout
    if version.split()[1].split(".")[:2] != sys.version.split()[0].split(".")[:2]:
        pytest.skip(f"{python} cannot use our packages")
    packages = [entry for entry in sys.path if entry.endswith("site-packages")]
    nobody = 65534
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, nobody, nobody)
        done = subprocess.run(
            [python, "-c", AS_NOBODY, folder, textwrap.dedent(COUNT)],
            user=nobody, group=nobody, extra_groups=(), capture_output=True, text=True, check=False,
            cwd="/", env={
                "PATH": os.defpath, "HOME": folder,
                "PYTHONPATH": ":".join([str(Path(__file__).parents[3]), *packages]),
            },
        )  # fmt: skip
        assert done.stdout.strip() == "IDENTICAL namespaces 0 []", done.stdout + done.stderr


def test_what_no_run_made_is_an_error_with_advice(workshop: Workshop) -> None:
    workshop.run()
    done = workshop.lineage("reproduce", "nothing-like-it", "--json", expect=66)
    assert json.loads(done.stderr)["error"]["code"] == "not-found"
    done = workshop.lineage("check", "table:features/tx", "--json", expect=66)
    assert "lineage run" in json.loads(done.stderr)["error"]["hint"]


def test_what_cannot_be_run_is_no_verdict(workshop: Workshop) -> None:
    workshop.run()
    home = workshop.root / ".lineage"
    (home / "reproductions").write_text("in the way")
    for command in ("check", "reproduce"):
        done = workshop.lineage(command, "models/fraud.json", "--json", expect=2)
        assert json.loads(done.stderr)["error"]["code"] == "cannot-reproduce"
