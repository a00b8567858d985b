"""Run, let the world move on, check, run again: real jobs on real tables through the command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lineage.settings import load_settings
from lineage.wiring import open_store
from tests import needs
from tests.serving import environment

# scan(): a process that read through pyarrow's own file system may abort when it exits.
TRAIN = """
    import joblib
    import pyarrow as pa
    from deltalake import DeltaTable
    from sklearn.ensemble import RandomForestClassifier

    rows = pa.table(DeltaTable("features/tx").scan()).to_pandas().sort_values("id")
    model = RandomForestClassifier(n_estimators=5, random_state=7)
    model.fit(rows[["id", "amount"]], rows["fraud"])
    joblib.dump(model, "models/fraud.joblib")
"""
COUNT = """
    import json, os, sys
    import pyarrow as pa
    from deltalake import DeltaTable

    table = DeltaTable("features/tx")
    rows = pa.table(table.scan())
    total = sum(rows.column("amount").to_pylist())
    with open("models/fraud.json", "w") as file:
        json.dump({"rows": rows.num_rows, "total": total, "version": table.version()}, file)
"""


@dataclass
class Workshop:
    """A repository with a job, a table, and a store."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return environment(self.root / ".lineage", self.variables)

    @property
    def table(self) -> Path:
        return self.root / "features" / "tx"

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "gc.auto=0")
        return subprocess.run(
            ["git", *who, *words], cwd=self.root, check=True, capture_output=True, text=True
        ).stdout

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", "as it is")

    def append(self, start: int, count: int = 40) -> None:
        ids = list(range(start, start + count))
        rows = pa.table(
            {"id": ids, "amount": [i * 1.5 for i in ids], "fraud": [i % 3 for i in ids]}
        )
        write_deltalake(self.table, rows, mode="append")

    def overwrite(self) -> None:
        rows = pa.table({"id": [1], "amount": [0.0], "fraud": [0]})
        write_deltalake(self.table, rows, mode="overwrite")

    def lineage(self, *words: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "lineage", *words], cwd=self.root, capture_output=True,
            text=True, check=False, stdin=subprocess.DEVNULL,
            env=self.environment,
        )  # fmt: skip
        assert expect in (None, done.returncode), (done.returncode, done.stdout, done.stderr)
        return done

    def run(self, *command: str) -> None:
        self.lineage("run", "--quiet", "--", *(command or (sys.executable, "job.py")), expect=None)

    def check(self, name: str, expect: int = 0) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(
            self.lineage("check", name, "--json", expect=expect).stdout
        )
        return answer

    def reproduce(self, name: str, *words: str, expect: int = 0) -> dict[str, Any]:
        done = self.lineage("reproduce", name, "--json", *words, expect=expect)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def recorded(self, kind: str) -> list[dict[str, Any]]:
        """Bodies of the entries of a kind."""
        settings = load_settings(self.environment)
        with closing(open_store(settings, read_only=True)) as store:
            return [json.loads(entry.body) for entry in store.entries() if entry.kind == kind]

    def real(self) -> dict[str, tuple[object, ...]]:
        """Everything real that a job could change: bytes, time, inode and mode of every file."""
        found: dict[str, tuple[object, ...]] = {}
        for path in self.root.rglob("*"):
            if ".lineage" in path.relative_to(self.root).parts[:1]:
                continue
            seen = path.lstat()
            data = path.read_bytes() if path.is_file() else b""
            found[str(path)] = (data, seen.st_mtime_ns, seen.st_ino, seen.st_mode, seen.st_size)
        return found


def findings(answer: dict[str, Any]) -> set[tuple[str, str]]:
    """What a pre-flight names: effect and what it is about."""
    preflight = answer.get("preflight", answer)
    return {(one["effect"], one["what"]) for one in preflight["findings"]}


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    shop = Workshop(tmp_path.resolve() / "project")
    shop.root.mkdir()
    shop.write(".gitignore", "features/\nmodels/\n.lineage/\n")
    shop.write("job.py", COUNT)
    (shop.root / "models").mkdir()
    shop.git("init", "-q")
    shop.commit()
    shop.append(0)
    shop.append(40)
    return shop


@pytest.fixture(params=["namespaces", "in-process"])
def isolated(request: pytest.FixtureRequest, workshop: Workshop) -> Workshop:
    """The same in both isolations."""
    workshop.variables["LINEAGE_ISOLATION"] = request.param
    if request.param == "namespaces":
        from lineage.errors import IsolationError
        from lineage.reproduce.isolation import probe

        try:
            probe(workshop.root / ".lineage")
        except IsolationError as fault:
            needs.missing("namespaces", str(fault))
    return workshop


# --- the story


def test_a_model_is_the_same_bytes_on_the_table_as_it_was(isolated: Workshop) -> None:
    isolated.write("job.py", TRAIN)
    isolated.commit()
    isolated.run()
    isolated.append(100)
    isolated.overwrite()
    before = isolated.real()

    checked = isolated.check("model:fraud")
    assert checked["verdict"] == "REPRODUCIBLE"
    assert findings(checked) == {("NOTE", "table")}
    done = isolated.reproduce("model:fraud")

    assert done["verdict"] == "IDENTICAL", done
    assert done["isolation"].startswith(isolated.variables["LINEAGE_ISOLATION"])
    assert isolated.real() == before
    assert list((isolated.root / ".lineage/reproductions").iterdir()) == []


def test_the_verdict_is_recorded_unless_it_is_not_to_be(workshop: Workshop) -> None:
    workshop.run()
    workshop.reproduce("models/fraud.json", "--no-record")
    assert workshop.recorded("reproduction.finished") == []
    done = workshop.reproduce("models/fraud.json")
    (change,) = workshop.recorded("reproduction.finished")
    assert change["verdict"] == "IDENTICAL"
    assert (change["subject"], change["run"]) == (done["subject"], done["run"])
    assert (change["isolation"], change["preflight"]) == (done["isolation"], "REPRODUCIBLE")
    assert [output["state"] for output in change["outputs"]] == ["IDENTICAL"]


def test_a_vacuum_loses_what_is_not_pinned_and_only_that(isolated: Workshop) -> None:
    isolated.run()
    isolated.overwrite()
    isolated.lineage("pin", "models/fraud.json")
    isolated.write("job.py", COUNT.replace("fraud.json", "other.json"))
    isolated.commit()
    isolated.append(7)
    isolated.run()
    isolated.overwrite()
    DeltaTable(isolated.table).vacuum(0, dry_run=False, enforce_retention_duration=False)

    assert isolated.reproduce("models/fraud.json")["verdict"] == "IDENTICAL"
    lost = isolated.check("models/other.json", expect=2)
    assert lost["verdict"] == "LOST"
    (gone,) = [one for one in lost["findings"] if one["effect"] == "LOST"]
    assert gone["what"] == "table"
    assert gone["missing"] == len(gone["files"]) > 0
    assert all(name.endswith(".parquet") for name in gone["files"])
    assert len(gone["since"]) == 1  # one vacuum is in the log
    refused = isolated.reproduce("models/other.json", expect=2)
    assert refused["verdict"] == "LOST"
    assert gone["detail"] in refused["reason"]
    assert gone["subject"] in refused["reason"]
    said = isolated.lineage("check", "models/other.json", expect=2).stdout
    assert [said.count(name) for name in gone["files"]] == [1] * gone["missing"]
    assert "isolation" not in refused


# --- what differs


@pytest.fixture
def with_library(workshop: Workshop, tmp_path: Path) -> Workshop:
    """The job's own virtual environment, with a library that can be changed."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (site,) = (venv / "lib").glob("python*/site-packages")
    ours = next(entry for entry in sys.path if entry.endswith("site-packages"))
    (site / "ours.pth").write_text(ours + "\n")
    library(site, "1.0")
    workshop.variables["JOB_PYTHON"] = str(venv / "bin/python")
    workshop.variables["JOB_SITE"] = str(site)
    return workshop


def library(site: Path, version: str) -> None:
    for old in site.glob("tinylib-*"):
        shutil.rmtree(old)
    info = site / f"tinylib-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tinylib\nVersion: {version}\n")
    (info / "RECORD").write_text(f"tinylib.py,,\n{version}")
    (site / "tinylib.py").write_text(f"VERSION = {version!r}\n")


def test_check_names_exactly_the_three_things_that_changed(with_library: Workshop) -> None:
    shop = with_library
    shop.run(shop.variables["JOB_PYTHON"], "job.py")
    assert shop.check("models/fraud.json")["findings"] == []

    library(Path(shop.variables["JOB_SITE"]), "1.1")
    shop.append(500)
    shop.write("job.py", COUNT.replace("total = sum", "total = 1 + sum"))

    answer = shop.check("models/fraud.json", expect=1)
    assert answer["verdict"] == "DEGRADED"
    named = {(one["effect"], one["what"], one["subject"].split("/")[-1].split("@")[0])
             for one in answer["findings"]}  # fmt: skip
    assert named == {
        ("DEGRADED", "environment", "tinylib"),
        ("NOTE", "table", "tx"),
        ("NOTE", "code", "project"),
    }
    details = {one["what"]: one["detail"] for one in answer["findings"]}
    assert details["environment"] == "1.0 -> 1.1"
    assert "job.py" in details["code"]
    assert "version 2 now" in details["table"]
    assert shop.reproduce("models/fraud.json")["verdict"] == "IDENTICAL"


def test_a_library_that_was_edited_in_place_is_named(with_library: Workshop) -> None:
    shop = with_library
    python, site = shop.variables["JOB_PYTHON"], Path(shop.variables["JOB_SITE"])
    shop.write("job.py", "import tinylib; open('models/v.txt', 'w').write(tinylib.VERSION)\n")
    shop.commit()
    shop.run(python, "job.py")
    assert shop.check("models/v.txt")["findings"] == []

    (site / "tinylib.py").write_text("VERSION = '1.0 and more'\n")
    (found,) = shop.check("models/v.txt", expect=1)["findings"]
    assert (found["effect"], found["what"], found["subject"]) == (
        "DEGRADED", "environment", "tinylib",
    )  # fmt: skip
    assert found["detail"] == "files of tinylib 1.0 were changed after the run: tinylib.py"
    assert shop.reproduce("models/v.txt", expect=1)["verdict"] == "DIFFERENT"


UNCOMMITTED = """\
from importlib.util import find_spec
import untracked
from helper import FACTOR
assert find_spec("newer") is None
"""


def wheel(folder: Path, version: str) -> None:
    """A distribution as an index would have it."""
    info = f"tinylib-{version}.dist-info"
    with zipfile.ZipFile(folder / f"tinylib-{version}-py3-none-any.whl", "w") as packed:
        packed.writestr("tinylib.py", f"VERSION = {version!r}\n")
        packed.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tinylib\nVersion: {version}\n"
        )
        packed.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\n"
            "Tag: py3-none-any\n",
        )  # fmt: skip
        packed.writestr(f"{info}/RECORD", "")


@pytest.mark.slow
def test_an_environment_is_built_anew_when_asked_for(with_library: Workshop) -> None:
    shop = with_library
    index = shop.root.parent / "index"
    index.mkdir()
    wheel(index, "1.0")
    site = Path(shop.variables["JOB_SITE"])
    (site / "ours.pth").unlink()
    shop.variables |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index)}
    shop.write("job.py", "import tinylib; open('models/v.txt', 'w').write(tinylib.VERSION)\n")
    shop.commit()
    shop.run(shop.variables["JOB_PYTHON"], "job.py")
    library(site, "2.0")

    assert shop.reproduce("models/v.txt", expect=1)["verdict"] == "DIFFERENT"
    assert shop.lineage("reproduce", "models/v.txt", "--rebuild-env", expect=2).stdout == ""
    done = shop.reproduce("models/v.txt", "--rebuild-env", "--allow-install")
    assert done["verdict"] == "IDENTICAL"
    (index / "tinylib-1.0-py3-none-any.whl").unlink()
    gone = shop.lineage(
        "reproduce", "models/v.txt", "--rebuild-env", "--allow-install", "--json", expect=2
    )
    assert "rebuilt" in json.loads(gone.stderr)["error"]["message"]


def test_code_comes_back_with_its_uncommitted_part(isolated: Workshop) -> None:
    shop = isolated
    shop.write("helper.py", "FACTOR = 1\n")
    shop.write("job.py", UNCOMMITTED + textwrap.dedent(COUNT)
               .replace("total = sum", "total = FACTOR * untracked.TERM * sum"))  # fmt: skip
    shop.commit()
    shop.write("helper.py", "FACTOR = 2\n")
    shop.write("untracked.py", "TERM = 3\n")
    shop.run()
    shop.write("helper.py", "FACTOR = 5\n")
    shop.write("untracked.py", "TERM = 7\n")
    shop.write("newer.py", "")
    shop.commit()
    status = shop.git("status", "--porcelain")  # git itself may refresh its index here
    before = shop.real()

    note = shop.check("models/fraud.json")
    assert findings(note) == {("NOTE", "code")}
    assert {"helper.py", "untracked.py", "newer.py"} <= set(note["findings"][0]["files"])
    assert shop.reproduce("models/fraud.json")["verdict"] == "IDENTICAL"
    assert shop.real() == before
    assert shop.git("status", "--porcelain") == status


def test_a_commit_that_is_gone_is_lost_code(workshop: Workshop) -> None:
    workshop.run()
    shutil.rmtree(workshop.root / ".git")
    workshop.write("job.py", COUNT + "\n    # changed\n")
    workshop.git("init", "-q")
    workshop.commit()
    assert findings(workshop.check("models/fraud.json", expect=2)) == {("LOST", "code")}


def test_an_input_file_that_changed_is_lost_with_both_digests(workshop: Workshop) -> None:
    data = workshop.root / "models" / "input.csv"
    data.write_text("a\n1\n")
    workshop.write(
        "job.py",
        """
        text = open("models/input.csv").read()
        open("models/out.txt", "w").write(text * 2)
    """,
    )
    workshop.commit()
    workshop.run()
    assert workshop.check("models/out.txt")["verdict"] == "REPRODUCIBLE"
    data.write_text("a\n2\n")
    answer = workshop.check("models/out.txt", expect=2)
    (gone,) = [one for one in answer["findings"] if one["effect"] == "LOST"]
    assert gone["subject"].endswith(f"@sha256.{gone['recorded']}")
    assert len(gone["recorded"]) == len(gone["now"]) == 64
    assert gone["recorded"] != gone["now"]
    assert gone["since"].endswith("Z")


def test_an_input_that_git_has_is_brought_back(isolated: Workshop) -> None:
    isolated.write("settings.yaml", "factor: 2\n")
    isolated.write(
        "job.py",
        """
        text = open("settings.yaml").read()
        open("models/out.txt", "w").write(text * 2)
    """,
    )
    isolated.commit()
    isolated.run()
    isolated.write("settings.yaml", "factor: 3\n")
    assert ("NOTE", "file") in findings(isolated.check("models/out.txt"))
    assert isolated.reproduce("models/out.txt")["verdict"] == "IDENTICAL"


def test_code_outside_of_a_repository_comes_back(isolated: Workshop) -> None:
    shutil.rmtree(isolated.root / ".git")
    isolated.write("helper.py", "FACTOR = 2\n")
    isolated.write("settings.yaml", "factor: 2\n")
    changed = COUNT.replace("total = sum", "total = FACTOR * sum")
    isolated.write(
        "job.py",
        "from helper import FACTOR\nopen('settings.yaml').read()\n" + textwrap.dedent(changed),
    )
    isolated.run()
    assert isolated.check("models/fraud.json")["verdict"] == "REPRODUCIBLE"
    isolated.write("job.py", COUNT + "\n    # changed\n")
    isolated.write("helper.py", "FACTOR = 3\n")
    isolated.write("settings.yaml", "factor: 3\n")
    answer = isolated.check("models/fraud.json")
    assert answer["verdict"] == "REPRODUCIBLE"
    assert findings(answer) == {("NOTE", "code"), ("NOTE", "file")}
    assert isolated.reproduce("models/fraud.json")["verdict"] == "IDENTICAL"


def test_code_outside_of_a_repository_that_was_not_kept_is_lost(workshop: Workshop) -> None:
    shutil.rmtree(workshop.root / ".git")
    workshop.write("job.py", COUNT + "\n    #" + "x" * (300 << 10) + "\n")
    workshop.run()
    workshop.write("job.py", COUNT + "\n    # changed\n")
    assert findings(workshop.check("models/fraud.json", expect=2)) == {("LOST", "code")}


# --- verdicts


def test_what_differs_is_named(isolated: Workshop) -> None:
    isolated.write(
        "job.py",
        """
        import json, random
        value = {"loss": [0.5, 0.25 + random.random() * 1e-9], "name": "model"}
        json.dump(value, open("models/m.json", "w"))
    """,
    )
    isolated.commit()
    isolated.run()
    done = isolated.reproduce("models/m.json", expect=1)
    assert done["verdict"] == "DIFFERENT"
    assert done["outputs"][0]["difference"]["pointer"] == "/loss/1"
    assert isolated.reproduce("models/m.json", "--tolerance", "1e-6")["verdict"] == "EQUIVALENT"


def test_a_program_that_fails_now_is_a_failure_with_what_it_said(isolated: Workshop) -> None:
    isolated.write(
        "job.py",
        """
        import os, socket
        try:
            with socket.create_server(("127.0.0.1", 0)) as server:
                pass
            peer = socket.create_connection(("127.0.0.1", int(open("models/port").read())))
        except OSError as fault:
            raise SystemExit(f"no network here: {fault}")
        open("models/out.txt", "w").write("done")
    """,
    )
    isolated.commit()
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        (isolated.root / "models/port").write_text(str(server.getsockname()[1]))
        isolated.run()
        done = isolated.reproduce("models/out.txt", expect=2)
        assert done["verdict"] == "FAILED"
        assert "no network here" in done["stderr"]
        assert isolated.reproduce("models/out.txt", "--allow-network")["verdict"] == "IDENTICAL"


def test_a_program_that_takes_too_long_is_stopped(isolated: Workshop) -> None:
    isolated.write(
        "job.py",
        """
        import os, time
        if "LINEAGE_RUN_ID" not in os.environ:
            time.sleep(600)
        open("models/out.txt", "w").write("x")
    """,
    )
    isolated.commit()
    isolated.run()
    done = isolated.reproduce("models/out.txt", "--timeout", "1", expect=2)
    assert done["verdict"] == "FAILED"
    assert "longer than allowed" in done["reason"]


def test_a_program_that_skips_finished_work_does_it_again(isolated: Workshop) -> None:
    isolated.write(
        "job.py",
        """
        import os
        if os.path.exists("models/out.txt"):
            raise SystemExit(3)
        open("models/out.txt", "w").write("done")
        os.makedirs("models/deep/er", exist_ok=True)
        open("models/deep/er/part", "w").write("part")
        os.replace("models/deep/er/part", "models/deep/er/whole")
        open("models/temporary", "w").write("x")
        os.unlink("models/temporary")
    """,
    )
    isolated.commit()
    isolated.run()
    (isolated.root / "models/temporary").write_text("of somebody else")
    before = isolated.real()
    run = isolated.check("models/out.txt")["run"]
    assert isolated.reproduce(run)["verdict"] == "IDENTICAL"
    assert isolated.real() == before


def test_a_table_that_was_written_is_compared_by_its_rows(isolated: Workshop) -> None:
    isolated.write(
        "job.py",
        """
        import pyarrow as pa
        from deltalake import DeltaTable, write_deltalake
        rows = pa.table(DeltaTable("features/tx").scan())
        write_deltalake("features/doubled", rows)
        write_deltalake("features/tx", rows.slice(0, 5), mode="append")
    """,
    )
    isolated.commit()
    isolated.run()
    isolated.append(900)
    before = isolated.real()
    run = isolated.check("table:features/doubled")["run"]
    done = isolated.reproduce(run)
    assert done["verdict"] == "EQUIVALENT", done
    assert {output["detail"] for output in done["outputs"]} == {"the same rows"}
    assert len(done["outputs"]) == 2
    assert isolated.real() == before


def test_the_scratch_space_can_be_kept(isolated: Workshop) -> None:
    isolated.run()
    done = isolated.reproduce("models/fraud.json", "--keep", "--verbose")
    kept = Path(done["scratch"])
    assert list(kept.rglob("fraud.json"))
    assert done["stdout"] == ""


# --- other programs


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
print(answer["verdict"], answer["isolation"], answer["shared_inodes"],
      [one["state"] for one in answer["outputs"]])
print(answer, file=sys.stderr)
"""


@pytest.mark.parametrize("size", [0, 1 << 30])
def test_a_mount_inside_of_the_project_is_no_obstacle(workshop: Workshop, size: int) -> None:
    """The table is on another disk, and the work tree has that mount in it.

    A large file beside a mount is the real one, and the verdict says so.
    """
    large = workshop.write("large.log", "")
    os.truncate(large, size)
    workshop.write(".gitignore", "features/\nmodels/\n.lineage/\n*.log\n")
    shutil.rmtree(workshop.table)
    text = "import sys; sys.path.insert(0, 'src')\nfrom part import TERM\n"
    text += textwrap.dedent(COUNT).replace("models/fraud.json", "notes.json")
    workshop.write("job.py", text.replace("total = sum", "total = TERM + sum"))
    workshop.write("src/part.py", "TERM = 1")
    workshop.write("notes.json", "{}")
    workshop.commit()
    done = subprocess.run(
        [sys.executable, "-c", WITH_A_MOUNT, str(Path(__file__).parents[2]), ON_THE_MOUNT],
        cwd=workshop.root, capture_output=True, text=True, check=False,
        env=workshop.environment,
    )  # fmt: skip
    if "Operation not permitted" in done.stderr and not done.stdout:
        needs.missing("namespaces", done.stderr)
    isolation = f"namespaces+shared-inodes {[str(large)]}" if size else "namespaces []"
    assert done.stdout.strip() == f"IDENTICAL {isolation} ['IDENTICAL']", done.stderr


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
                "PYTHONPATH": ":".join([str(Path(__file__).parents[2]), *packages]),
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
