"""What `lineage run` records of real jobs: inputs, outputs, code, environment, parameters."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

needs_compiler = pytest.mark.needs("compiler")
pytestmark = needs_compiler


def token(data: bytes) -> str:
    return f"sha256.{hashlib.sha256(data).hexdigest()}"


def test_inputs_and_outputs_have_their_content_as_version(box: Any) -> None:
    box.write("in.csv", "a,b\n1,2\n")
    ran = box.python(
        "import pandas as pd, joblib\n"
        "frame = pd.read_csv('in.csv')\n"
        "joblib.dump(frame['a'].sum(), 'sum.joblib')\n"
    )
    assert ran.code == 0, ran.err
    assert ran.uses()["in.csv"]["version"] == token(b"a,b\n1,2\n")
    made = ran.outputs()["sum.joblib"]
    assert made["version"] == token((box.project / "sum.joblib").read_bytes())
    assert (made["operation"], made["artifact_kind"]) == ("ADDED", "model")
    assert set(ran.uses()) == {"in.csv"}
    assert set(ran.outputs()) == {"sum.joblib"}
    assert ran.gaps == {}
    assert ran.finished["state"] == "COMPLETE"


def test_a_shell_pipeline_and_programs_that_are_not_python(box: Any) -> None:
    box.write("a.txt", "b\na\n")
    ran = box.run(
        "sh", "-c", "sort < a.txt | uniq > b.txt; cp b.txt c.txt; rm b.txt; mv c.txt d.txt"
    )
    assert set(ran.uses()) == {"a.txt"}
    assert set(ran.outputs("ADDED")) == {"d.txt"}
    assert set(ran.outputs("TMP")) == {"b.txt"}
    assert ran.outputs()["d.txt"]["version"] == token(b"a\nb\n")
    assert ran.gaps == {}


def test_native_readers_and_writers_are_seen(box: Any) -> None:
    ran = box.python(
        "import pyarrow as pa, pyarrow.parquet as pq, pandas as pd, numpy as np, sqlite3\n"
        "pq.write_table(pa.table({'a': [1]}), 'made.parquet')\n"
        "np.savez('made.npz', a=np.arange(3))\n"
        "db = sqlite3.connect('made.db'); db.execute('create table t (a)'); db.commit()\n"
    )
    assert {"made.parquet", "made.npz", "made.db"} <= set(ran.outputs("ADDED"))
    again = box.python(
        "import pandas as pd, numpy as np, sqlite3\n"
        "pd.read_parquet('made.parquet'); np.load('made.npz')['a']\n"
        "sqlite3.connect('made.db').execute('select * from t').fetchall()\n"
    )
    assert {"made.parquet", "made.npz", "made.db"} == set(again.uses())
    assert again.outputs() == {}, "a database that was only read is no output"


def test_children_of_multiprocessing_are_the_run(box: Any) -> None:
    for n in range(3):
        box.write(f"part{n}.csv", f"{n}\n")
    ran = box.python(
        "import multiprocessing as mp\n"
        "def work(n): return open(f'part{n}.csv').read()\n"
        "if __name__ == '__main__':\n"
        "    for method in ('spawn', 'fork'):\n"
        "        with mp.get_context(method).Pool(2) as pool: pool.map(work, range(3))\n"
        "    open('done.txt', 'w').write('x')\n"
    )
    assert set(ran.uses()) == {"part0.csv", "part1.csv", "part2.csv"}
    assert set(ran.outputs()) == {"done.txt"}


def test_a_file_that_is_changed_in_place_is_input_and_output(box: Any) -> None:
    box.write("state.txt", "old")
    ran = box.python(
        "text = open('state.txt').read()\nopen('state.txt', 'w').write(text + '+new')\n"
    )
    assert ran.uses()["state.txt"].get("version") in {token(b"old"), None}, "never the new content"
    assert ran.outputs()["state.txt"]["operation"] == "MODIFIED"
    assert ran.outputs()["state.txt"]["version"] == token(b"old+new")
    assert ran.gaps == {}


def test_a_deleted_and_a_renamed_file(box: Any) -> None:
    box.write("gone.txt", "x")
    box.write("before.txt", "y")
    ran = box.run("sh", "-c", "rm gone.txt; mv before.txt after.txt")
    assert set(ran.outputs("REMOVED")) == {"gone.txt", "before.txt"}
    after = ran.outputs("ADDED")["after.txt"]
    assert after["renamed_from"] == str(box.project / "before.txt")


def test_names_of_any_bytes(box: Any) -> None:
    odd = {"tab\there", "new\nline", "space here", "percent%41", "ünï"}
    for name in odd:
        box.write(name, "x")
    raw = bytes(box.project) + b"/bad-\xff\xfe.bin"
    Path(os.fsdecode(raw)).write_bytes(b"x")
    ran = box.run("sh", "-c", "cat * > /dev/null; cat bad-* > copy-$(printf '\\377')")
    assert odd | {"bad-%FF%FE.bin"} == set(ran.uses())
    assert set(ran.outputs()) == {"copy-%FF"}


def test_one_file_has_one_name_whatever_link_leads_to_it(box: Any) -> None:
    real = box.write("data/real.csv", "x")
    (box.project / "link").symlink_to(real.parent)
    (box.project / "latest.csv").symlink_to(real)
    ran = box.run("sh", "-c", "cat link/real.csv latest.csv ./data/../data/real.csv")
    assert [use["name"] for use in ran.uses().values()] == [str(real)]


def test_redirected_input_and_output_are_files_of_the_run(box: Any) -> None:
    source = box.write("in.txt", "b\na\n")
    with source.open("rb") as given, (box.project / "out.txt").open("wb") as taken:
        ran = box.run("sort", stdin=given, stdout=taken)
    assert ran.uses()["in.txt"]["version"] == token(b"b\na\n")
    assert ran.outputs()["out.txt"]["version"] == token(b"a\nb\n")


def test_parameters_command_and_variables_without_secrets(box: Any) -> None:
    box.write("job.py", "")
    ran = box.run(
        "python3", "job.py", "--lr", "0.1", "--layers=3", "model.depth=-2", "--fast",
        "--api-key", "k1ller", "--db", "postgres://bob:s3cret@db/x",
        environ={"OMP_NUM_THREADS": "2", "MY_TOKEN": "t0ps3cret", "LINEAGE_VARIABLES": "MY_TOKEN"},
    )  # fmt: skip
    assert ran.started["parameters"] == {
        "lr": 0.1, "layers": 3, "model.depth": -2, "fast": True, "api-key": "***",
        "db": "postgres://***@db/x",
    }  # fmt: skip
    assert ran.started["variables"]["OMP_NUM_THREADS"] == "2"
    assert "HOME" not in ran.started["variables"]
    told = json.dumps([ran.started, ran.finished])
    for secret in ("k1ller", "s3cret", "t0ps3cret"):
        assert secret not in told


def test_the_environment_is_the_interpreters_distributions(box: Any) -> None:
    ran = box.python("import json\n")
    environment = ran.finished["environment"]
    listed = json.loads(ran.blob(environment["distributions"]))
    names = {one["name"] for one in listed}
    assert {"pandas", "deltalake", "pytest"} <= names
    assert all(len(one["record"]) == 64 for one in listed if one["name"] == "pandas")
    use = next(use for use in ran.finished["uses"] if use["artifact_kind"] == "environment")
    assert use["version"] == f"sha256.{environment['digest']}"
    assert ran.finished["uses"] != []
    assert environment["version"].startswith("cpython 3.")


def git(box: Any, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
        cwd=box.project, env=box.environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def repository(box: Any) -> Any:
    box.write("jobs/train.py", "import helper\nopen('out.txt', 'w').write('1')\n")
    box.write("jobs/helper.py", "X = 1\n")
    git(box, "init", "-q", "-b", "main")
    git(box, "add", ".")
    git(box, "commit", "-q", "-m", "first")
    git(box, "remote", "add", "origin", "https://me:ghp_secretsecret@example.org/team/repo.git")
    return box


def test_clean_code_is_its_commit(repository: Any) -> None:
    ran = repository.run("python3", "jobs/train.py")
    head = git(repository, "rev-parse", "HEAD")
    (code,) = ran.uses("code").values()
    assert (code["namespace"], code["version"]) == ("git", head)
    assert code["name"] == "https://example.org/team/repo.git"
    assert ran.started["run"]["job"] == "jobs/train.py"
    facts = ran.finished["code"]
    assert (facts["commit"], facts["branch"]) == (head, "main")
    assert facts["entry_point"] == "jobs/train.py"
    assert not facts.get("dirty")
    assert set(ran.outputs()) == {"out.txt"}


def test_uncommitted_changes_are_kept_without_secrets(repository: Any) -> None:
    key = "AKIA" + "ABCDEFGHIJKLMNOP"
    repository.write("jobs/helper.py", f"X = 2\nKEY = '{key}'\n")
    repository.write("jobs/extra.py", f"KEY = '{key}'\n")
    repository.write(".env", "PASSWORD=1\n")
    repository.write("table.csv", "1\n" * 10)
    repository.write("metrics.json", "{}")
    ran = repository.run("python3", "jobs/train.py")
    facts = ran.finished["code"]
    assert facts["dirty"]
    (code,) = ran.uses("code").values()
    assert code["version"].startswith(facts["commit"] + ".dirty.")
    diff, tar = ran.blob(facts["diff"]), ran.blob(facts["untracked"])
    assert b"+X = 2" in diff
    assert b"jobs/extra.py" in tar
    assert b".env" not in tar
    assert b"table.csv" not in tar
    assert b"metrics.json" not in tar
    assert key.encode() not in diff + tar
    assert facts["scrubbed"]
    again = repository.run("python3", "jobs/train.py")
    assert next(iter(again.uses("code").values()))["version"] == code["version"]


def test_data_and_what_was_not_read_are_no_code(repository: Any) -> None:
    repository.write("jobs/extra.py", "X = 1\n")
    repository.write("jobs/train.py", "open('conf.yaml').read()\nopen('local.ini').read()\n")
    repository.write("conf.yaml", "rate: 1\n")
    repository.write("local.ini", "password = unlikely-text\n")
    first = repository.run("python3", "jobs/train.py")
    repository.write("lake/t/_delta_log/0.json", "{}\n")
    repository.write("lake/t/odd.py", "x\n")
    repository.write("out/churn.json", "{}\n")
    repository.write("creds.json", '{"password": "unlikely-text"}\n')
    repository.write("unread.yaml", "password: unlikely-text\n")
    again = repository.run("python3", "jobs/train.py")
    versions = [next(iter(ran.uses("code").values()))["version"] for ran in (first, again)]
    assert versions[0] == versions[1]
    tar = again.blob(again.finished["code"]["untracked"])
    assert b"jobs/extra.py" in tar
    assert not any(name in tar for name in (b"_delta_log", b"odd.py", b"churn", b"creds", b"yaml"))
    kept = {path.read_bytes() for path in again.blobs.rglob("*") if path.is_file()}
    assert b"rate: 1\n" in kept
    assert not any(b"unlikely-text" in data for data in kept)


def test_a_secret_in_the_name_of_an_output_is_not_recorded(box: Any) -> None:
    ran = box.python("open('password=unlikely-text', 'w').write('1')\n")
    assert set(ran.outputs()) == {"password=***"}
    assert "unlikely-text" not in json.dumps([ran.started, ran.finished])


def test_code_without_git_is_its_files(box: Any) -> None:
    box.write("helper.py", "X = 1\n")
    ran = box.python("import helper\n")
    assert set(ran.uses("code")) == {"job.py", "helper.py"}
    assert ran.uses("code")["job.py"]["version"] == token(b"import helper\n")


def test_a_run_inside_of_a_run_names_its_parent(box: Any) -> None:
    inner = box.command("true")
    summary = box.root / "summary.json"
    box.run(*inner, options=("--no-deliver", "--job", "outer", "--summary", str(summary)))
    outer = json.loads(summary.read_text())
    ran = box.run("sh", "-c", "env | grep LINEAGE_RUN_", options=("--no-deliver", "--job", "o2"))
    variables = dict(line.split("=", 1) for line in ran.out.decode().splitlines())
    assert variables["LINEAGE_RUN_JOB"] == "o2"
    assert variables["LINEAGE_RUN_ID"] == ran.started["run"]["run_id"]
    ran = box.run("true", environ={**variables})
    assert ran.started["parent"]["job"] == "o2"
    assert (outer["state"], outer["gaps"]) == ("COMPLETE", [])


def test_many_files_are_told_by_their_folder(box: Any) -> None:
    images = box.project / "images"
    images.mkdir()
    for n in range(1500):
        (images / f"{n}.png").write_bytes(b"%d" % n)
    box.write("labels.csv", "x")
    ran = box.python(
        "import glob\nfor p in [*glob.glob('images/*'), 'labels.csv']: open(p).read()\n"
    )
    assert set(ran.uses()) == {"images", "labels.csv"}
    folder = ran.uses()["images"]
    assert (folder["artifact_kind"], folder["count"]) == ("directory", 1500)
    listing = ran.blob({"sha256": folder["manifest"]})
    assert folder["version"] == token(listing)
    (images / "7.png").write_bytes(b"changed")
    again = box.python("import glob\nfor p in glob.glob('images/*'): open(p).read()\n")
    assert again.uses()["images"]["version"] != folder["version"]


def test_it_is_recorded_in_the_store_and_can_be_found(box: Any, tmp_path: Path) -> None:
    box.write("in.csv", "1\n")
    summary = tmp_path / "summary.json"
    ran = box.run(
        "sh", "-c", "cat in.csv > model.joblib", options=("--summary", str(summary), "--quiet")
    )
    assert ran.err == ""
    told = json.loads(summary.read_text())
    assert told["delivery"]["delivered"] == 2
    assert (told["inputs"], told["outputs"], told["gaps"]) == (1, 1, [])
    from lineage.settings import load_settings
    from lineage.store.contract import Direction, View
    from lineage.wiring import open_workspace

    with open_workspace(load_settings(box.environ), read_only=True) as workspace:
        store = workspace.store
        view = View(store.head().seq)
        walk = store.walk([told["run"]], Direction.UPSTREAM, view)
        assert any("in.csv@sha256." in node for node, _ in walk.nodes)
        down = store.walk([told["run"]], Direction.DOWNSTREAM, view)
        assert any("model.joblib@sha256." in node for node, _ in down.nodes)
