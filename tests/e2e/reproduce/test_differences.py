"""Run, move on, check, run again: what differs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

from tests.e2e.reproduce.workshop import COUNT, Workshop, findings


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
